"""A whole debater as an answer for `ScriptedLM`: it reads the examples in its prompt and plays by the rules.

No language model is needed to hold a debate with it, and nothing in it is random: what it says depends on the prompt
and the request's seed alone. It quotes around what fires, tries one text, and explains by the tokens that fire most.
"""

from __future__ import annotations

import re
from collections import Counter

from agents.lm import Free, Grammar, Labels, Request
from dsl.render import quoted
from prompts import escape, unescape

_EXAMPLE = re.compile(r'^(\d+)\. (?:\([^)]*\) )?"((?:[^"\\]|\\.)*)" (?:fires: (.*)|silent)$', re.MULTILINE)
_FIRING = re.compile(r'"((?:[^"\\]|\\.)*)" (\d+)')
_MARKED = re.compile(r"((?:[^«\\]|\\.)*)«((?:[^»\\]|\\.)*)»")
_LONGEST = 16  # characters of a token that the debaters' decoding grammar allows


def answer_as_debater(request: Request) -> str:
    """The next words of a debater that was told what the messages say.

    >>> from agents.scripted_lm import ScriptedLM
    >>> lm = ScriptedLM(answer_as_debater)
    """
    match request.constraint:
        case Labels(labels=labels):
            return labels[request.seed % len(labels)]
        case Free():
            return "It predicts what is marked in my quotes and leaves the rest alone."
        case Grammar(lark=grammar):
            return _written(request, grammar)


def _written(request: Request, grammar: str) -> str:
    if grammar.startswith('start: "THINK "'):
        return _turn(request, grammar)
    if grammar.startswith('start: "Q'):
        offered = re.findall(r'"(Q[^"]*)"', grammar)
        return str(offered[request.seed % len(offered)])
    return _explanation(request)


def _turn(request: Request, grammar: str) -> str:
    """Quotes one example after the other, those that fire first; then it tries a text; then it ends the turns."""
    said = [message.text for message in request.messages if message.role == "assistant"]
    if "move" not in grammar:
        return "THINK the rule was too broad there, or too narrow"
    notes = f"THINK turn {len(said) + 1}, and it is about {escape(_tokens(request)[0])}"
    ends = [verb for verb in ("EXPLAIN", "DONE") if f'"{verb}"' in grammar]
    quotes = sum("\nQUOTE" in text for text in said)
    if '"QUOTE "' in grammar and (quotes < 3 or not ends) and (moves := _quotes(request)):
        return f"{notes}\n{moves[quotes % len(moves)]}"
    if '"TRY "' in grammar and not any("\nTRY" in text for text in said):
        return f'{notes}\nTRY "and now{escape(_tokens(request)[0])}"'
    return f"{notes}\n{ends[0]}" if ends else f'{notes}\nQUOTE 0 "nothing"'


def _quotes(request: Request) -> list[str]:
    """Moves that quote the words before the first token that fires, in an order that the first seed decides."""
    found: list[tuple[bool, str]] = []
    for number, text, firing in _examples(request):
        marked = _MARKED.match(text)
        words = marked[1].split(" ")[-3:] if marked else text.split(" ")[:4]
        quote = " ".join(words) + (marked[2] if marked else "")
        if 0 < len(quote) <= 48:  # what every debater may write, however short its context
            found.append((not firing, f'QUOTE {number} "{quote}"'))
    return [move for _, move in sorted(found, key=lambda each: each[0])]


def _explanation(request: Request) -> str:
    """The one to three commonest tokens that fire, as many as the seed says."""
    tokens = _tokens(request)[: 1 + request.seed % 3]
    if len(tokens) == 1:
        return f"activates on the token {quoted(tokens[0])}"
    return f"activates on the tokens {', '.join(map(quoted, tokens))}"


def _tokens(request: Request) -> list[str]:
    counted = Counter(unescape(text) for _, _, firing in _examples(request) for text, _ in _FIRING.findall(firing))
    usable = [token for token, _ in counted.most_common() if 0 < len(quoted(token)) - 2 <= _LONGEST]
    return usable or [" the"]


def _examples(request: Request) -> list[tuple[str, str, str]]:
    """Number, text and what fires of each example of the feature itself, as they stand in the first message."""
    _, _, own = request.messages[0].text.partition("# The feature to explain")
    examples, _, _ = own.partition("\n# ")
    return [(found[1], found[2], found[3] or "") for found in _EXAMPLE.finditer(examples)]
