"""The turns in which a language-model debater thinks, quotes and tries texts, and is told how each move fared."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from agents.conversation import Conversation
from agents.lm import Grammar
from agents.moves import EndMove, QuoteMove, TryMove, TurnBounds, Verb, longest_turn, read_turn, turn_grammar, written
from agents.quotes import Quote, QuoteRequest, Rejected, verify
from agents.showing import show_tried
from agents.transcript import ShownQuote
from agents.trying import TryText
from dsl.records import Evidence, Example
from prompts import escape, inline


@dataclass(frozen=True, slots=True)
class Limits:
    """What a debater may do on one feature; reaching a limit moves it on and stands in its scratchpad.

    `turns` of thinking before the first explanation, and `again` after each problem; `tries` of texts, `quotes` that
    verified and are kept, of which `handles` are handed in; `calls` of the model and `tokens` written by it in one
    attempt; `words` of the argument. `counterexamples` are shown for a repair at most.
    """

    turns: int = 8
    again: int = 3
    tries: int = 4
    quotes: int = 6
    handles: int = 3
    calls: int = 24
    tokens: int = 8_000
    words: int = 60
    counterexamples: int = 12

    def __post_init__(self) -> None:
        if min(self.turns, self.quotes, self.handles, self.calls, self.tokens, self.counterexamples) < 1:
            raise ValueError(f"{self}: turns, quotes, handles, calls, tokens and counterexamples are 1 or more")


class Discussion:
    """Moves of one debater on one feature; what verified stays in `quotes`, what did not in `refused`, all in `notes`.

    `bounds` are those of a turn, and `verdict` the tokens that are kept free for what a move is answered. `taken` are
    quotes that its side has already. `ending` is the move that ends the turns; EXPLAIN is on offer only
    once there is a quote in which the feature fires, for no explanation can stand without one. `left` counts turns.
    """

    def __init__(
        self,
        talk: Conversation,
        evidence: Evidence,
        limits: Limits,
        bounds: TurnBounds,
        verdict: int,
        *,
        ending: Verb = "EXPLAIN",
        try_text: TryText | None = None,
        taken: Sequence[Quote] = (),
        notes: Sequence[str] = (),
    ) -> None:
        self.talk, self.left = talk, limits.turns
        self.quotes: list[Quote] = []
        self.refused: list[tuple[QuoteRequest, Rejected]] = []
        self.notes = list(notes)
        self._evidence, self._limits, self._bounds, self._ending = evidence, limits, bounds, ending
        self._taken, self._try_text = tuple(taken), try_text
        self._verdict = verdict
        self._tries = 0 if try_text is None else limits.tries

    @property
    def firing(self) -> list[int]:
        """The numbers, from 1, of the quotes in which the feature fires."""
        return [number for number, quote in enumerate(self.quotes, start=1) if any(quote.firing(self._evidence))]

    def grant(self, turns: int) -> None:
        """So many turns from now on, and tell it."""
        self.left = turns
        self.talk.tell(self._standing())

    def run(self, reserve: int, rng: random.Random) -> str:
        """Turns until it or a limit ends them, `reserve` tokens of the context kept free; why, for the model to read.

        Raises NoAnswerError where the model does not answer; what was said until then stands, and it can go on.
        """
        while self.left > 0:
            verbs = self._offered()
            if set(verbs) <= {self._ending}:
                return self._noted("There is nothing left to quote or to try.")
            if spent := self._spent():
                return self._noted(spent)
            most = longest_turn(verbs, self._bounds)
            if not self.talk.has_room(most + self._verdict + reserve):
                return self._noted("There is no room for further turns.")
            reply = self.talk.ask(Grammar(turn_grammar(verbs, self._bounds)), most, rng)
            self.left -= 1
            note, move = read_turn(reply.text)
            self.notes.append(f"THINK {note}")
            self.talk.say(f"THINK {inline(note)}\n{self._ending if isinstance(move, EndMove) else written(move)}")
            if isinstance(move, EndMove):
                self.notes.append(self._ending)
                return "Good."
            told = self._done(move)
            self.notes.append(f"{written(move)}: {told}")
            self.talk.tell(f"{told}\n{self._standing()}")
        return self._noted("Your turns are used up.")

    def _standing(self) -> str:
        return f"Turns left: {self.left}. Moves: {', '.join(self._offered()) if self.left else 'none'}."

    def _offered(self) -> tuple[Verb, ...]:
        quote: tuple[Verb, ...] = ("QUOTE",) if len(self.quotes) < self._limits.quotes else ()
        attempt: tuple[Verb, ...] = ("TRY",) if self._tries else ()
        end: tuple[Verb, ...] = (self._ending,) if self._ending != "EXPLAIN" or self.firing or not quote else ()
        return quote + attempt + end

    def _spent(self) -> str:
        usage = self.talk.usage
        if usage.calls >= self._limits.calls:
            return "Your calls are used up."
        return "Your tokens are used up." if usage.completion_tokens >= self._limits.tokens else ""

    def _noted(self, why: str) -> str:
        self.notes.append(why)
        return why

    def _done(self, move: QuoteMove | TryMove) -> str:
        match move:
            case QuoteMove():
                return self._quoted(move)
            case TryMove():
                return self._tried(move)
            case _:
                assert_never(move)

    def _quoted(self, move: QuoteMove) -> str:
        request = QuoteRequest(move.text, move.example)
        if move.example >= len(self._evidence.examples):
            self.refused.append((request, Rejected("absent")))
            return f"Not accepted: there is no example {move.example}."
        answer = verify(request, self._evidence, [*self._taken, *self.quotes])
        if isinstance(answer, Rejected):
            self.refused.append((request, replace(answer, suggestion=None)))
        match answer:
            case Quote() if self._needs_firing() and not any(answer.firing(self._evidence)):
                return "Not taken: the last place for a quote is kept for one in which the feature fires."
            case Quote():
                self.quotes.append(answer)
                fires = "" if any(answer.firing(self._evidence)) else ", in which the feature is silent"
                return f"Accepted as Q{len(self.quotes)} ({answer.status}): {self.shown(answer)}{fires}."
            case Rejected(suggestion=QuoteRequest(text=text, example=example)):
                return f'Not accepted: {_why(answer)}. Did you mean QUOTE {example} "{escape(text)}"?'
            case Rejected():
                return f"Not accepted: {_why(answer)}."
            case _:
                assert_never(answer)

    def _needs_firing(self) -> bool:
        """Whether the only place left must go to a quote without which no explanation stands."""
        return self._ending == "EXPLAIN" and not self.firing and len(self.quotes) == self._limits.quotes - 1

    def _tried(self, move: TryMove) -> str:
        assert self._try_text is not None
        self._tries -= 1
        result = self._try_text(move.text)
        left = f"Tries left: {self._tries}."
        match result:
            case Example():
                return f"The model reads {show_tried(result, self._evidence.thresholds)}. {left}"
            case str():
                return f"That text cannot be run: {inline(result)}. {left}"
            case _:
                assert_never(result)

    def shown(self, quote: Quote) -> str:
        """A quote as its debater reads it."""
        return f'example {quote.example}, "{ShownQuote.of(quote, self._evidence)}"'


def moves(ending: Verb, tries: int = 0) -> str:
    """What can be done, for the opening of a conversation."""
    ways = [_HOW["QUOTE"], *([_HOW["TRY"].format(tries=tries)] if tries else []), _HOW[ending]]
    return "\n".join(f"- {way}" for way in ways)


def _why(answer: Rejected) -> str:
    match answer.status:
        case "ambiguous":
            return f"ambiguous, it stands in {answer.places} places of that example: quote more of what is around it"
        case "near miss":
            return "near miss, the example says it a little differently"
        case "absent":
            return "absent, that example does not say it"
        case "too short":
            return "too short, a quote has two tokens or one on which the feature fires"
        case "too long":
            return "too long, a quote has 24 tokens at most"
        case "duplicate":
            return "duplicate, it overlaps a quote that you have"
        case "over budget":
            return "over budget, together the quotes show too much"
        case _:
            assert_never(answer.status)


_HOW: dict[Verb, str] = {
    "QUOTE": '`QUOTE 3 "text"` quotes a few words of example 3, copied as they are written there, without « and ». '
    "You are told whether the quote verified, and its name, such as Q1.",
    "TRY": '`TRY "text"` runs a text of your own through the model and shows every token\'s activation: {tries} times.',
    "EXPLAIN": "`EXPLAIN` ends the turns; first it takes a verified quote in which the feature fires.",
    "DONE": "`DONE` ends the turns.",
}
