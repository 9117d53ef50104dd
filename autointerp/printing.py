"""Results as a person reads them in a terminal: a few lines for each feature, a table at the end."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autointerp.measures.lines import Spent
from autointerp.measures.printing import spent_in_words
from autointerp.measures.tallies import kind_of
from autointerp.pool import Failed, Outcome
from autointerp.results import attack_json
from autointerp.scoring import features_interval
from dsl.nodes import PREDICTED, Explanation
from dsl.records import Counterexample, Example, Thresholds
from dsl.render import render
from probes.attack import Attack
from probes.bank import to_json
from probes.bank_file import Bank
from probes.probing import Funnel
from probes.reason import notes, reason
from probes.subject import TokenIds

WIDE = 132
"""Columns of tables where stdout is no terminal: a file has room."""

out = Console(  # names and reasons are nobody's markup
    highlight=False, soft_wrap=True, markup=False, emoji=False, width=None if sys.stdout.isatty() else WIDE
)

SHOWN = 5
"""Counterexamples of one attack that are printed."""

CONTROLS = ("token_lookup", "token_lookup_full", "best_by_dev", "shuffled")


def print_outcome(outcome: Outcome) -> None:
    """One feature: what it is explained by, how that was decided, and how well it stands."""
    if isinstance(outcome, Failed):
        out.print(Text(f"{outcome.feature}  failed: {outcome.reason}", style="red"))
        return
    line: Mapping[str, Any] = outcome.line
    scores, debate = line["scores"], line["debate"]
    out.print(Text(line["feature"], style="bold") + Text(f"  {_outcome_in_words(debate)}", style="dim"))
    out.print(Text(f"  {line['explanation']}", style="green"))
    lookup = scores["baselines"]["token_lookup"] or {}
    figures = [f"held-out F1 {_number(scores['token_f1'])} (token lookup {_number(lookup.get('token_f1'))})"]
    figures.append(f"AUPRC {_number(scores['auprc'])} (token lookup {_number(lookup.get('auprc'))})")
    if line["probes"]:
        figures.append(f"{len(line['counterexamples'])} counterexamples in {line['probes'][-1]['probes']} probes")
    out.print(Text(f"  {' · '.join(figures)}"))
    if said := _language_models_in_words(debate):
        out.print(Text(f"  {said}", style="dim"))
    if failed := _failures_in_words(debate):
        out.print(Text(f"  {failed}", style="red"))
    out.print()


def print_summary(lines: Sequence[Mapping[str, Any]], seed: int) -> None:
    """Means over features with bootstrap intervals: the explanation beside its controls."""
    if not lines:
        return
    table = Table(title=f"{len(lines)} features, held-out documents; mean [95% interval]", title_justify="left")
    for heading in ("", "F1", "AUPRC"):
        table.add_column(heading, justify="left" if not heading else "right")
    rows = {"explanation": [line["scores"] for line in lines]}
    rows |= {name: [line["scores"]["baselines"].get(name) for line in lines] for name in CONTROLS}
    for name, scored in rows.items():
        cells = [mean_in_words([_value(one, key) for one in scored], seed) for key in ("token_f1", "auprc")]
        if any(cells):
            table.add_row(name.replace("_", " "), *cells)
    out.print(table)
    for key, name in (("token_f1", "F1"), ("auprc", "AUPRC")):
        pairs = [
            (_value(line["scores"], key), _value(line["scores"]["baselines"]["token_lookup"], key)) for line in lines
        ]
        lead = [ours - theirs for ours, theirs in pairs if ours is not None and theirs is not None]
        if len(lead) > 1:
            wins = sum(difference > 0 for difference in lead)
            out.print(
                f"{name} above token lookup by {mean_in_words(lead, seed)}, higher on {wins} of {len(lead)} features"
            )
    outcomes = [line["debate"]["outcome"] for line in lines]
    counted = ", ".join(f"{outcomes.count(kind)} {kind}" for kind in ("chosen", "consensus", "abstained"))
    found = sum(len(line["counterexamples"]) for line in lines)
    out.print(f"{counted}; {found} counterexamples stand")
    out.print(repairs_in_words([repair for line in lines for repair in line["debate"]["repairs"]]))


def print_attack(explanation: Explanation, attack: Attack, thresholds: Thresholds) -> None:
    """The funnel, generator by generator, and the best counterexamples beside what they were edited from."""
    out.print(funnel_table(explanation, attack.funnel, f"{attack.probes} probes"))
    for one in attack.counterexamples[:SHOWN]:
        out.print(_counterexample(one, thresholds))
    if not attack.counterexamples:
        out.print(f"unfalsified in {attack.probes} probes")
    elif len(attack.counterexamples) > SHOWN:
        out.print(f"and {len(attack.counterexamples) - SHOWN} more")


def funnel_table(explanation: Explanation, funnels: Mapping[str, Funnel], caption: str) -> Table:
    """A row a generator: how far its texts came; those that could not run at the end, each with its reason."""
    table = Table(
        title=render(explanation), title_justify="left", title_style="green", box=box.SIMPLE_HEAD, padding=0,
        caption_justify="left",
    )  # fmt: skip
    table.add_column("generator", no_wrap=True)
    columns = ("generated", "valid", "run", "disagreeing", "confirmed", "shrunk", "unique")
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, funnel in funnels.items():
        if funnel.skipped is None:
            table.add_row(name, *(str(getattr(funnel, column)) for column in columns))
    skipped = [f"{name} did not run: {funnel.skipped}" for name, funnel in funnels.items() if funnel.skipped]
    table.caption = "\n".join([caption, *skipped])
    return table


def print_replay(bank: Bank, texts: Sequence[Counterexample], standing: Sequence[bool], held: Sequence[bool]) -> None:
    """Which counterexamples of a bank stand against an explanation, and whether they still are what they were."""
    for one, stands in zip(texts, standing, strict=True):
        if stands:
            out.print(_counterexample(one, bank.thresholds))
    out.print(f"{sum(standing)} of {len(texts)} stand, {len(texts) - sum(standing)} are mended")
    if not all(held):
        lost = len(held) - sum(held)
        out.print(Text(f"{lost} no longer contradict what they were found against: the model has changed", style="red"))


def replay_line(
    bank: Bank,
    explanation: Explanation,
    texts: Sequence[Counterexample],
    standing: Sequence[bool],
    held: Sequence[bool],
    prefix: TokenIds,
) -> dict[str, object]:
    """The JSON line of `autointerp probe --replay`."""
    return {
        "feature": bank.feature,
        "explanation": render(explanation),
        "canonical": render(explanation),
        "found_against": render(bank.explanation),
        "standing": sum(standing),
        "mended": len(texts) - sum(standing),
        "changed": len(held) - sum(held),
        "counterexamples": [
            {**to_json(one, prefix), "stands": stands} for one, stands in zip(texts, standing, strict=True)
        ],
    }


def attack_line(feature: str, explanation: Explanation, attack: Attack, prefix: TokenIds) -> dict[str, object]:
    """The JSON line of `autointerp probe`."""
    canonical = render(explanation)
    return {
        "feature": feature,
        "explanation": canonical,
        "canonical": canonical,
        "counterexamples": [to_json(one, prefix) for one in attack.counterexamples],
        "probes": attack_json(attack),
    }


def print_prediction(feature: str, number: int, example: Example, predicted: Sequence[float]) -> None:
    """One example: what is predicted in reverse (strongly) or underlined (weakly)."""
    text = Text(f"{feature} {number}  ", style="dim")
    for token, value in zip(example.context.tokens, predicted, strict=True):
        style = "reverse not dim" if value >= PREDICTED else "underline not dim" if value > 0 else "not dim"
        text.append(shown(token), style=style)
    out.print(text)


def mean_in_words(values: Sequence[float | None], seed: int) -> str:
    """`0.41 [0.35, 0.47]`, of the values that there are; empty where there are none."""
    found = [value for value in values if value is not None]
    if not found:
        return ""
    mean = features_interval(found, np.random.default_rng(seed))
    return f"{mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}]"


def _counterexample(one: Counterexample, thresholds: Thresholds) -> Text:
    """Why it is one, then both sides with the token in question marked."""
    text = Text(f"\n{reason(one, thresholds)}", style="bold")
    text.append(f"  {one.generator}{''.join(f', {note}' for note in notes(one))}\n", style="dim not bold")
    if one.original is not None and one.original_position is not None:
        text.append_text(_example("was", one.original, one.original_position))
    elif one.contrast is not None:
        text.append_text(_example("but", one.contrast, one.position))
    text.append_text(_example("now", one.example, one.position))
    return text


def _example(label: str, example: Example, position: int) -> Text:
    text = Text(f"  {label} {example.activations[position]:8.3f}  ", style="not bold")
    for number, token in enumerate(example.context.tokens):
        text.append(shown(token), style="reverse not bold" if number == position else "not bold")
    text.append("\n")
    return text


def shown(token: str) -> str:
    """The text of a token as it is printed: on one line, bytes that are no character as U+FFFD."""
    return token.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\n", "↵")


def repairs_in_words(repairs: Sequence[Mapping[str, Any]]) -> str:
    """How many were accepted, and what those mended of what they were shown and of what was held back.

    A repair that only names what it was shown mends much of the one and little of the other.
    """
    accepted = [repair for repair in repairs if repair["accepted"]]
    words = f"{len(accepted)} of {len(repairs)} repairs accepted"
    for part in ("shown", "held_back"):
        total = sum(repair[part] for repair in accepted)
        if total:
            mended = sum(repair[f"fixed_{part}"] for repair in accepted)
            words += f"; of counterexamples {part.replace('_', ' ')} they mend {mended} of {total}"
    return words


def _outcome_in_words(debate: Mapping[str, Any]) -> str:
    sides = len(debate["sides"])
    words = f"{debate['outcome']} of {sides} sides" if sides > 1 else str(debate["outcome"])
    repairs = sum(repair["accepted"] for repair in debate["repairs"])
    return words + (f", repaired{f' {repairs} times' if repairs > 1 else ''}" if repairs else "")


def _language_models_in_words(debate: Mapping[str, Any]) -> str:
    """What the feature cost in calls of language models; empty where there were none."""
    usage = debate["measures"]["usage"]
    parts = {"debaters": usage["debaters"], "judge": [usage["judge"]], "repairs": debate["repair_usage"]}
    spent = {name: sum(map(Spent.model_validate, some), Spent()) for name, some in parts.items()}
    said = [f"{name} {spent_in_words(some)}" for name, some in spent.items() if some.calls]
    return f"language models: {' · '.join(said)}" if said else ""


def _failures_in_words(debate: Mapping[str, Any]) -> str:
    """Who forfeited, and which views the judge did not answer, with the kinds of reasons; empty where all is well."""
    said = [f"{forfeit['debater']} forfeited: {kind_of(forfeit['reason'])}" for forfeit in debate["forfeits"]]
    votes = [vote for part in debate["rounds"] for vote in part.get("votes", ())]
    unanswered = Counter(kind_of(vote["reason"]) for vote in votes if not vote["answered"])
    if unanswered:
        why = ", ".join(f"{count} {kind}" for kind, count in sorted(unanswered.items()))
        said.append(f"{unanswered.total()} of {len(votes)} views not answered: {why}")
    return "; ".join(said)


def _value(scored: Mapping[str, Any] | None, key: str) -> float | None:
    score = None if scored is None else scored.get(key)
    return None if score is None else float(score["value"])


def _number(score: Mapping[str, float] | None) -> str:
    return "none" if score is None else f"{score['value']:.3f}"
