"""Why a counterexample is one, in one line that a person can follow."""

from __future__ import annotations

from collections.abc import Sequence

from dsl.records import Counterexample, Thresholds
from dsl.render import render_expression

LONGEST = 6
"""Tokens of a change that a line has room for."""


def reason(one: Counterexample, thresholds: Thresholds) -> str:
    r"""What was changed, what the feature did and what was predicted, and the clause that a repair needs.

    >>> from dsl.records import Context, Example
    >>> was, now = (Example(Context((before, " bank")), (0.0, on)) for before, on in ((" river", 9.0), (" sea", 0.0)))
    >>> one = Counterexample(now, 1, 1.0, "false_positive", "synonyms", original=was, original_position=1)
    >>> reason(one, Thresholds.from_maximum(10.0))
    'with " sea" for " river" the feature falls silent at " bank", and is still predicted'
    """
    here = shown(one.example.context.tokens[one.position : one.position + 1])
    positive = one.kind == "false_positive"
    if one.original is None or one.original_position is None:
        said = f"predicted at {here}, where the feature is silent" if positive else f"fires at {here}, unpredicted"
    else:
        fired = one.original.activations[one.original_position] >= thresholds.high
        did = {
            (True, True): f"the feature falls silent at {here}, and is still predicted",
            (True, False): f"{here} is predicted, and the feature stays silent",
            (False, True): f"the feature still fires at {here}, and is no longer predicted",
            (False, False): f"the feature fires at {here}, and is not predicted",
        }[positive, fired]
        said = f"{_change(one.original.context.tokens, one.example.context.tokens)} {did}"
    if one.contrast is not None:
        said += f"; {_change(one.example.context.tokens, one.contrast.context.tokens)} the explanation is right"
    if one.suggestion is not None:
        said += f"; suggested: {one.suggestion.how} {render_expression(one.suggestion.clause)}"
    return said


def notes(one: Counterexample) -> list[str]:
    """What was noticed beside it: who fires instead, how natural it is, how common its cause, whether it reads back."""
    found = [f"feature {feature} fires instead" for feature in one.absorbed_by]
    known = one.naturalness
    if known is not None and known.log_likelihood_change is not None:
        found.append(f"{known.log_likelihood_change:+.2f} nats a token")
    if one.prevalence:
        found.append(f"wrong alike at {1e6 * one.prevalence:.0f} of a million tokens")
    if one.retokenises is False:
        found.append("its text reads back as other tokens")
    return found


def shown(tokens: Sequence[str]) -> str:
    """Tokens as text between quotation marks, on one line, the last of many; bytes that are no character as U+FFFD.

    >>> shown((" two", "\\n"))
    '" two↵"'
    """
    dots = "…" if len(tokens) > LONGEST else ""
    text = "".join(tokens[-LONGEST:]).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return f'"{dots}{text.replace(chr(10), "↵")}"'


def _change(was: Sequence[str], now: Sequence[str]) -> str:
    """What stands between the beginning and the end that both sides share."""
    shorter = min(len(was), len(now))
    head = next((place for place in range(shorter) if was[place] != now[place]), shorter)
    room = shorter - head
    tail = next((place for place in range(room) if was[-1 - place] != now[-1 - place]), room)
    gone, put = was[head : len(was) - tail], now[head : len(now) - tail]
    if gone and put and "".join(gone) == "".join(put):
        return f"with {shown(put[:1])}{''.join(f' and {shown((token,))}' for token in put[1:])} for {shown(gone)}"
    if gone and put:
        return f"with {shown(put)} for {shown(gone)}"
    return f"with {shown(put)} put in" if put else f"without {shown(gone)}"
