"""A debater that is a language model: it thinks, quotes and tries in turns, then writes an explanation in the grammar.

What it said counts only where the model said it: a call that failed is the problem of that attempt, in words, and a
further attempt goes on from where the conversation broke.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.conversation import Conversation, NoAnswerError
from agents.discussion import Discussion, Limits, moves
from agents.explaining import explain
from agents.lm import Free, Grammar, LanguageModel, Usage
from agents.moves import choices, handles, handles_grammar, longest_turn, read_turn, turn_grammar
from agents.picking import pick_quotes
from agents.quotes import Quote, QuoteRequest
from agents.room import Room
from agents.showing import show_counterexample
from agents.transcript import Argument, JudgeView, Proposal, Scratchpad
from agents.trying import TryText
from dsl.decoding import Bounds, longest_output
from dsl.lexicon import Lexicon
from dsl.nodes import Explanation
from dsl.records import Counterexample, Evidence
from prompts import barred, inline, load, one_line

__all__ = ["LMDebater", "Limits"]


class LMDebater:
    """Implements `Debater`, `Respondent` and `Metered` with a language model, for one feature at a time.

    `lexicon` expands the short forms of explanations. `try_text` runs texts on the feature; without it none can be
    tried. Of `candidates` explanations sampled at once the one of highest F1 on the evidence is handed in. A model that
    shows no firing token in any quote, in a further attempt either, forfeits; with `picks` its quotes are picked for it
    instead, as those of a search are.

    >>> LMDebater(lm, lexicon).propose(evidence, random.Random(0)).explanation  # doctest: +SKIP
    Explanation(strong=Tokens(strings=(' pizza',)))
    """

    def __init__(
        self,
        lm: LanguageModel,
        lexicon: Lexicon | None,
        try_text: TryText | None = None,
        limits: Limits | None = None,
        *,
        candidates: int = 1,
        temperature: float = 1.0,
        picks: bool = False,
    ) -> None:
        if candidates < 1:
            raise ValueError(f"{candidates} candidates; at least one explanation is asked for")
        self.name = lm.name
        self._lm, self._lexicon, self._try_text, self._limits = lm, lexicon, try_text, limits or Limits()
        self._candidates, self._temperature, self._picks = candidates, temperature, picks
        self._room = Room(lm, lexicon, self._limits.words)
        self._case: _Case | None = None
        self._spent = Usage()

    @property
    def spent(self) -> Usage:
        """All calls so far, those of repairs and rebuttals too."""
        return self._spent

    def propose(self, evidence: Evidence, rng: random.Random, problem: str = "") -> Proposal:
        """An explanation and three of the quotes that verified; with a `problem`, the same conversation goes on.

        Where the conversation has become too long for that, it starts over with the problem told.
        """
        case = self._case
        if not problem or case is None or case.evidence != evidence or not self._goes_on(case):
            opened = self._opened(evidence)
            if isinstance(opened, str):
                return _failed(opened)
            if problem:
                opened.notes.append("starts over: there was no room for a further attempt")
            problem = "" if case is not None and case.broken else problem
            self._case = case = opened
        case.said = ""
        try:
            return self._proposed(case, problem, rng)
        except NoAnswerError as error:
            case.broken = True
            case.notes.append(inline(str(error)))
            return case.proposal(case.said, (), "", str(error))
        finally:
            self._spent += case.talk.usage
            case.talk.usage = Usage()

    def repair(
        self,
        evidence: Evidence,
        argument: Argument,
        counterexamples: Sequence[Counterexample],
        rng: random.Random,
    ) -> Proposal:
        """A mended explanation, after one line of thought about the counterexamples; quotes are picked for it.

        It reads the examples as it read them for its proposal, where they are the same.
        """
        before = self._case
        shown = before.evidence if before is not None and _alike(before.evidence, evidence) else evidence
        told = counterexamples[-self._limits.counterexamples :]
        cases = [show_counterexample(number, found, shown.thresholds) for number, found in enumerate(told, start=1)]
        ask = load("debater_repair").fill(rule=one_line(argument.canonical), counterexamples="\n".join(cases))
        bounds, turn = self._room.bounds(shown), self._room.turn
        reserve = longest_turn((), turn) + longest_output(bounds) + self._room.verdict
        opened = self._room.open(shown, bounds, ask, reserve, self._temperature)
        if isinstance(opened, str):
            return _failed(opened)
        talk, notes = opened
        if len(told) < len(counterexamples):
            notes.append(f"shown the last {len(told)} of {len(counterexamples)} counterexamples")
        try:
            thought = talk.ask(Grammar(turn_grammar((), turn)), longest_turn((), turn), rng)
            note, _ = read_turn(thought.text)
            notes.append(f"THINK {note}")
            talk.say(f"THINK {inline(note)}")
            said, choice = explain(talk, shown, bounds, self._lexicon, "Good.", rng, self._candidates)
        except NoAnswerError as error:
            notes.append(inline(str(error)))
            return Proposal("", (), "", Scratchpad(tuple(notes)), talk.usage, str(error))
        finally:
            self._spent += talk.usage
        quotes = pick_quotes(evidence, said, rng) if isinstance(said, Explanation) else ()
        return Proposal(said, quotes, "", Scratchpad((*notes, *choice)), talk.usage)

    def further_quotes(
        self, evidence: Evidence, own: Argument, view: JudgeView, rng: random.Random, question: str = ""
    ) -> Sequence[QuoteRequest]:
        """Quotes against its rivals, or in answer to a question; it sees the view, its own evidence, and nothing else.

        Those that verified come first, then what it asked for and did not get. What verified before a call failed is
        handed in; that it failed stands in `spent`.
        """
        limits = replace(self._limits, turns=max(1, self._limits.again), quotes=self._limits.handles)
        ask = load("debater_rebuttal").fill(
            label=next((each.label for each in view.arguments if each.explanation == own.canonical), "not among them"),
            arguments=_sides(view),
            question=f'The judge asks: "{question}"\n\n' if question else "",
            count=str(limits.quotes),
            moves=moves("DONE"),
            turns=str(limits.turns),
        )
        room = self._room
        opened = room.open(evidence, room.bounds(evidence), ask, room.for_turns(0) + room.verdict, self._temperature)
        if isinstance(opened, str):
            return ()
        talk, _ = opened
        discussion = Discussion(talk, evidence, limits, room.turn, room.verdict, ending="DONE", taken=own.quotes)
        try:
            discussion.run(0, rng)
        except NoAnswerError:
            pass  # counted in what was spent
        finally:
            self._spent += talk.usage
        refused = (request for request, _ in discussion.refused)  # so that they are counted
        return (*(_requested(quote, evidence) for quote in discussion.quotes), *refused)

    def _proposed(self, case: _Case, problem: str, rng: random.Random) -> Proposal:
        """From wherever the conversation stands to the end of the argument."""
        discussion, reason = case.discussion, "Go on."
        if problem and not case.broken:
            case.talk.tell(load("debater_problem").fill(problem=barred(problem)))
            if not discussion.firing:
                discussion.grant(self._limits.again)
                case.ready = False
        case.broken = False
        if not case.ready:
            reason = discussion.run(self._room.after_turns(case.bounds), rng)
            case.ready = True
        said, choice = explain(case.talk, case.evidence, case.bounds, self._lexicon, reason, rng, self._candidates)
        case.said = said
        case.notes.extend(choice)
        if self._picks and problem and not discussion.firing and isinstance(said, Explanation):
            quotes = pick_quotes(case.evidence, said, rng, self._limits.handles)
            case.notes.append("its quotes were picked for it")
            return case.proposal(said, quotes)
        chosen = self._chosen(case, rng)
        argument = self._argument(case, chosen, rng)
        quotes = tuple(_requested(discussion.quotes[number - 1], case.evidence) for number in chosen)
        return case.proposal(said, quotes, argument)

    def _chosen(self, case: _Case, rng: random.Random) -> tuple[int, ...]:
        """The quotes to hand in, by number: asked for only where there is a choice."""
        discussion, most = case.discussion, self._limits.handles
        ways = choices(len(discussion.quotes), discussion.firing, most)
        if len(ways) == 1:
            if len(ways[0]) < most:
                case.notes.append(f"hands in {len(ways[0])} quotes: no more verified")
            return ways[0]
        shown = [f"Q{number}: {discussion.shown(quote)}" for number, quote in enumerate(discussion.quotes, start=1)]
        case.talk.tell(load("debater_handles").fill(quotes="\n".join(shown), count=str(most), example=handles(ways[0])))
        longest = max(len(handles(way)) for way in ways)
        reply = case.talk.ask(Grammar(handles_grammar(ways)), longest, rng)
        case.talk.say(reply.text)
        case.notes.append(f"hands in {reply.text}")
        return next(way for way in ways if handles(way) == reply.text)

    def _argument(self, case: _Case, chosen: Sequence[int], rng: random.Random) -> str:
        """At most so many words; without them where the model does not answer, for the explanation stands."""
        most = self._limits.words
        quotes = f"Your quotes are {handles(chosen)}." if chosen else "You have no quotes."
        case.talk.tell(load("debater_argument").fill(quotes=quotes, words=str(most)))
        try:
            reply = case.talk.ask(Free(), self._room.argument, rng)
        except NoAnswerError as error:
            case.notes.append(f"no argument: {inline(str(error))}")
            return ""
        words = reply.text.split()
        if reply.cut or len(words) > most:
            case.notes.append(f"the argument went on after {min(len(words), most)} words")
        argument = " ".join(words[:most])
        case.talk.say(inline(argument))
        return argument

    def _opened(self, evidence: Evidence) -> _Case | str:
        """A conversation up to its first turn, or why there can be none."""
        room, limits = self._room, self._limits
        bounds, tries = room.bounds(evidence), limits.tries if self._try_text is not None else 0
        ask = load("debater_turns").fill(
            moves=moves("EXPLAIN", tries), turns=str(limits.turns), words=str(limits.words)
        )
        reserve = room.for_turns(limits.turns) + room.after_turns(bounds)
        opened = room.open(evidence, bounds, ask, reserve, self._temperature)
        if isinstance(opened, str):
            return opened
        talk, notes = opened
        discussion = Discussion(talk, evidence, limits, room.turn, room.verdict, try_text=self._try_text, notes=notes)
        return _Case(evidence, bounds, talk, discussion)

    def _goes_on(self, case: _Case) -> bool:
        return case.talk.has_room(self._room.for_another_attempt(case.bounds))


@dataclass(slots=True)
class _Case:
    """One feature's conversation. `ready` says that the turns are over, `broken` that the last call failed."""

    evidence: Evidence
    bounds: Bounds
    talk: Conversation
    discussion: Discussion
    said: Explanation | str = ""
    ready: bool = False
    broken: bool = False

    @property
    def notes(self) -> list[str]:
        return self.discussion.notes

    def proposal(
        self, said: Explanation | str, quotes: tuple[QuoteRequest, ...], argument: str = "", failure: str = ""
    ) -> Proposal:
        """With what was noted and refused since the last one."""
        lines, refused = tuple(self.notes), tuple(self.discussion.refused)
        self.notes.clear()
        self.discussion.refused.clear()
        return Proposal(said, quotes, argument, Scratchpad(lines), self.talk.usage, failure, refused)


def _failed(reason: str) -> Proposal:
    return Proposal("", (), "", Scratchpad((reason,)), failure=reason)


def _requested(quote: Quote, evidence: Evidence) -> QuoteRequest:
    return QuoteRequest(quote.text(evidence), quote.example, quote.start, quote.stop)


def _sides(view: JudgeView) -> str:
    """The sides as the judge sees them, with all that was quoted for them."""
    lines: list[str] = []
    for argument in view.arguments:
        answers = [answer for turn in view.rounds for answer in turn.answers if answer.label == argument.label]
        quotes = [*argument.quotes, *(quote for answer in answers for quote in answer.quotes)]
        lines += [f"{argument.label}: {one_line(argument.explanation)}", *(f'- "{quote}"' for quote in quotes)]
    return "\n".join(lines)


def _alike(one: Evidence, other: Evidence) -> bool:
    """Whether they hold the same examples, in whatever order."""
    return one.feature == other.feature and Counter(one.examples) == Counter(other.examples)
