"""`touchstone power STUDY`: print what would decide each inconclusive claim of a finished study, or why nothing would."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from touchstone.commands._command_line import Command, refuse_together
from touchstone.commands._shared_arguments import study_argument

if TYPE_CHECKING:  # it imports scipy, which --help does not need
    from touchstone.commands._settling import Settling

Claims = dict[str, list["Settling"]]  # the open numbers of each claim
MARKUP = re.compile(r"[|*\[\]_]")
FEWEST = 30  # letters of a line, however narrow the terminal is


@click.command("power", cls=Command)
@study_argument()
@click.option("--json", "as_json", is_flag=True, help="print every open number as JSON")
@click.option("--markdown", is_flag=True, help="print a table that is the same on every machine, without minutes")
def main(study: str, as_json: bool, markdown: bool) -> int:
    """Print what would decide each inconclusive claim of a finished study, or why nothing would.

    Nothing is recomputed.

    \b
    Examples:
      touchstone power digits
      touchstone power digits --markdown
    """
    refuse_together({"--json": as_json, "--markdown": markdown})
    # They import scipy, which --help does not need.
    from touchstone.commands._settling import settlings
    from touchstone.pipeline.planning.plan import Plan
    from touchstone.settings.study import load

    # Run records are of one machine, and they choose the size.
    numbers = settlings(Plan(load(study)), priced=not markdown)
    if as_json:
        print(json.dumps([asdict(each) for each in numbers], indent=1))
        return 0
    by_claim: Claims = {}
    for each in numbers:
        by_claim.setdefault(each.claim, []).append(each)
    if not by_claim:
        print("No claim of the study is inconclusive.")
    elif markdown:
        print("\n".join(_markdown(by_claim)))
    else:
        print("\n".join(_lines(by_claim, shutil.get_terminal_size().columns)))
    return 0


def _lines(by_claim: Claims, width: int) -> Iterator[str]:
    """Yield each claim with the number that is decided last, an indented answer below it, and how to read them."""
    column = max(map(len, by_claim)) + 2
    for claim, numbers in by_claim.items():
        texts = (_open(numbers), _answer(_last(numbers)))
        below = "\n".join(textwrap.fill(text, max(width - column, FEWEST), break_long_words=False) for text in texts)
        yield claim.ljust(column) + textwrap.indent(below, " " * column).lstrip()
    yield ""
    yield textwrap.fill(_notes(by_claim), max(width, FEWEST))


def _markdown(by_claim: Claims) -> Iterator[str]:
    """Yield the lines of a table with a row per claim."""
    yield "| claim | what is open | what would decide it, or why nothing would |"
    yield "| --- | --- | --- |"
    for claim, numbers in by_claim.items():
        yield f"| {' | '.join(map(_cell, (claim, _open(numbers), _answer(_last(numbers)))))} |"


def _cell(text: str) -> str:
    return MARKUP.sub(r"\\\g<0>", text).replace("<", "&lt;")


def _last(numbers: list[Settling]) -> Settling:
    """Return the number of a claim that is decided last."""
    return max(numbers, key=lambda each: each.size)


def _open(numbers: list[Settling]) -> str:
    """Return what a claim leaves open: "error of the plain net, asked ≥ 70 % (and 1 more)"."""
    last = _last(numbers)
    others = f" (and {len(numbers) - 1} more)" if len(numbers) > 1 else ""
    return f"{last.number}, {last.bound if last.breaks else f'asked {last.bound}'}{others}"


def _answer(each: Settling) -> str:
    """Return the size that decides a number, or why none does, with how far the truth is taken to be from the bound."""
    truth = f"if the truth is {each.distance:g} from its bound: " if each.distance else ""
    if each.why_not:
        return f"{truth}{'' if each.is_enough else 'no size decides it; '}{each.why_not}"
    minutes = "" if each.minutes is None else f", {each.minutes:.1f} minutes"
    seeds, images = _from_to(each.seeds, each.seeds_needed), _from_to(each.images, each.images_needed)
    return f"{truth}{seeds} seeds, {images} images{minutes}"


def _from_to(now: int | None, needed: int | None) -> str:
    known = "?" if now is None else f"{now:,}"
    return known if needed in (None, now) else f"{known} -> {needed:,}"


def _notes(by_claim: Claims) -> str:
    """Return how many claims could be decided, and how to read the sizes."""
    from touchstone.evaluations.statistics.power import POWER
    from touchstone.evaluations.statistics.seed_intervals import CONFIDENCE

    decided = sum(not any(each.why_not for each in numbers) for numbers in by_claim.values())
    only_breaks = sum(all(each.breaks for each in numbers) for numbers in by_claim.values())
    broken = f" Whether an attacker breaks {only_breaks} more is open, too." if only_breaks else ""
    unknown = any(not each.why_not and each.minutes is None for numbers in by_claim.values() for each in numbers)
    return (
        f"Inconclusive claims: {len(by_claim) - only_breaks}.{broken} More seeds or images would decide {decided} of these"
        f" lines. A size decides a claim with a chance of {100 * POWER:g} %, by a {100 * CONFIDENCE:g} % interval, if the"
        f" truth is as far from its bound as its line says. Minutes are those of the jobs behind the number. Give this size"
        f" to a study of networks that no run has judged (docs/verdicts.md)."
        f"{' A size without minutes has the fewest seeds: no run records here time all its jobs.' if unknown else ''}"
    )
