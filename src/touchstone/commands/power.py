"""`touchstone power STUDY`: print what would settle each inconclusive claim of a finished study, or why nothing would."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from touchstone.commands._command_line import add_study
from touchstone.pipeline.settings.study import load

if TYPE_CHECKING:  # they import scipy or the plan, and the completion script imports this file only for its arguments
    from touchstone.claims.verdicts import Part, Verdict
    from touchstone.commands._extension_costs import Prices
    from touchstone.pipeline.planning.plan import Plan
    from touchstone.records.metric_tables import MetricRow


NO_SEEDS_HELP = "only an upper bound: a stronger attack or a certificate would settle it, no seeds and no images"
SEED_BY_SEED = "judged seed by seed: each further network is one more that has to pass"
NO_ESTIMATE = "no estimate: its ends are the least and the greatest network, whatever their number"
EXTENDED = "extended once already: this study is its second look, and a third would confirm too much"
ONE_POPULATION = "data/subset"  # the component whose sets can grow to the set that they are part of


@dataclass(frozen=True)
class Settling:
    """What would settle one open number.

    Attributes:
        claim: its id.
        number: what is open, in words.
        asked: its bound, in words.
        distance: from the bound, which the paper's folder fixes.
        seeds, images: the present ones.
        dataset: the set of the images.
        seeds_needed, images_needed: those that settle it; None if none do.
        minutes: of jobs, on the machine of the run records; None if they do not say.
        chance: that the design settles it.
        why_not: why nothing would settle it; "" if something does.
    """

    claim: str
    number: str
    asked: str
    distance: float
    seeds: int
    images: int | None
    dataset: str
    seeds_needed: int | None = None
    images_needed: int | None = None
    minutes: float | None = None
    chance: float | None = None
    why_not: str = ""

    @property
    def size(self) -> tuple[bool, int, int]:
        """A sort key: what settles last comes last."""
        return bool(self.why_not), self.seeds_needed or 0, self.images_needed or 0


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `power`."""
    add_study(parser)
    parser.add_argument("--json", action="store_true", help="print every open number as JSON")


def main(options: argparse.Namespace) -> int:
    """Print a line per inconclusive claim of a finished study; nothing is recomputed."""
    from touchstone.pipeline.planning.plan import Plan

    found = settlings(Plan(load(options.study)))
    if options.json:
        print(json.dumps([asdict(each) for each in found], indent=1))
        return 0
    by_claim: dict[str, list[Settling]] = {}
    for each in found:
        by_claim.setdefault(each.claim, []).append(each)
    if not by_claim:
        print("No claim of the study is inconclusive.")
        return 0
    Console().print(_table(by_claim))
    print(_notes(by_claim))
    return 0


def settlings(plan: Plan, claim: str = "") -> list[Settling]:
    """Return what would settle each open number of a finished study, claim by claim.

    Args:
        plan: of the study.
        claim: the only one to answer for; all if it is empty.

    Raises:
        ValueError: the report is missing, or from before its numbers told what they vary by.
    """
    from touchstone.claims import paper_files
    from touchstone.claims.judging import StudyClaims, judge
    from touchstone.commands._extension_costs import Prices

    rows = read_rows(plan.study.name)
    verdicts = judge(paper_files.book(plan.study["papers"]), StudyClaims(**plan.questions.claims()), rows)
    wanted = [verdict for verdict in verdicts if claim in ("", verdict.claim.id)]
    sizes = Sizes(plan.study["examples"], rows)
    prices = None if plan.study["study"].get("second_look") else Prices(plan)
    return [_settling(verdict.claim.id, part, sizes, prices) for verdict, part in _open_numbers(wanted)]


def read_rows(study: str) -> list[MetricRow]:
    """Return the rows that a finished study measured.

    Raises:
        ValueError: the report is missing, or from before its numbers told what they vary by.
    """
    from touchstone.records.metric_tables import METRIC_COLUMNS, row_of
    from touchstone.report import packing
    from touchstone.report.claim_table import EVALUATION

    path = Path("reports") / study / packing.METRICS
    again = f"run the study first: touchstone run {study}"
    if not path.is_file():
        raise ValueError(f"{path} is missing; {again}")
    lines = packing.rows_of(path.read_bytes())
    absent = [column for column in METRIC_COLUMNS if lines and column not in lines[0]]
    if absent:
        raise ValueError(f"{path}: has no {', '.join(absent)}, so it is of an earlier version; {again}")
    return [row_of([line[column] for column in METRIC_COLUMNS]) for line in lines if line["evaluation"] != EVALUATION]


def _open_numbers(verdicts: Iterable[Verdict]) -> Iterator[tuple[Verdict, Part]]:
    """Yield the inconclusive numbers of inconclusive criteria, and those that leave open whether a claim is broken."""
    from touchstone.claims.verdicts import INCONCLUSIVE

    for verdict in verdicts:
        for part in () if verdict.judged_by else verdict.parts:
            if part.word == INCONCLUSIVE and (part.breaks or verdict.word == INCONCLUSIVE):
                yield verdict, part


class Sizes:
    """How many images there are of a number, as far as the rows of the study tell."""

    def __init__(self, examples: dict[str, dict[str, Any]], rows: list[MetricRow]) -> None:
        self._examples, self._rows = examples, rows

    @cached_property
    def _counted(self) -> dict[str, int]:
        """The images of each set, from the numbers that are measured on all images of one set."""
        counted: dict[str, int] = {}
        for row in self._rows:
            if row.base_rate is None and row.examples == row.dataset:
                counted[row.dataset] = max(row.n, counted.get(row.dataset, 0))
        return counted

    def of(self, row: MetricRow) -> int:
        """Return how many images a number could be drawn from; the present ones if its set cannot grow.

        A number of two populations, such as an AUROC against other images, is bounded by the one that does not grow.
        """
        images, name = row.images or row.n, row.dataset
        block = self._examples.get(name, {})
        if images < row.n or block.get("use") != ONE_POPULATION:
            return images
        present = int(block["count"])
        return max(images, images * self._counted.get(block["of"], present) // present)


def _settling(claim: str, part: Part, sizes: Sizes, prices: Prices | None) -> Settling:
    """Return what would settle one number; without prices, because its study was extended once, nothing does."""
    from touchstone.claims.verdicts import required
    from touchstone.statistics.wording import plain

    row, condition = part.quantity.row, part.condition
    words = plain(part.name), plain(required(part))
    now = Settling(claim, *words, condition.distance, len(part.seeds), row.images, row.dataset)
    return replace(now, why_not=EXTENDED) if prices is None else replace(now, **_answer(part, row, sizes, prices))


def _answer(part: Part, row: MetricRow, sizes: Sizes, prices: Prices) -> dict[str, Any]:
    """Return the fields of a Settling that a design, or the lack of one, fills in."""
    from touchstone.statistics import crossed, power

    if part.stuck is not None:
        return {"why_not": NO_SEEDS_HELP}
    if part.decider:
        return {"why_not": SEED_BY_SEED}
    if part.condition.comparison == power.EQUAL:
        method = crossed.PLAIN  # power.py says why not
    elif row.images is None or row.image_variance is None:
        return {"why_not": NO_ESTIMATE}
    else:
        method = row.method
    now = (max(len(row.seeds), 1), row.images or row.n)
    spread = crossed.Spread(*now, row.seed_variance or 0.0, row.image_variance or 0.0, row.residual_variance or 0.0)
    question = power.Question(
        method, part.condition.comparison, part.bound or 0.0, part.condition.distance, power.SECOND_LOOK
    )
    price = prices.of(row)
    cost = None if price is None else lambda seeds, images: price.seconds(now, (seeds, images))
    design = power.smallest(spread, question, sizes.of(row), cost)
    if isinstance(design, str):
        return {"why_not": design}
    return {
        "seeds_needed": design.seeds,
        "images_needed": design.images,
        "minutes": None if cost is None else cost(design.seeds, design.images) / 60,
        "chance": design.chance,
    }


# --- in the terminal ----------------------------------------------------------------------------------------------


def _table(by_claim: dict[str, list[Settling]]) -> Table:
    """Return a line per claim, about the number that is settled last."""
    table = Table("claim", "open", "distance", "seeds", "images", "minutes", "or why nothing would", box=box.SIMPLE)
    for claim, numbers in by_claim.items():
        last = max(numbers, key=lambda each: each.size)
        others = f" (and {len(numbers) - 1} more)" if len(numbers) > 1 else ""
        minutes = "" if last.why_not else "?" if last.minutes is None else f"{last.minutes:.1f}"
        table.add_row(
            claim,
            Text(f"{last.number}, asked {last.asked}{others}"),
            f"{last.distance:g}",
            _from_to(last.seeds, last.seeds_needed),
            _from_to(last.images, last.images_needed),
            minutes,
            Text(last.why_not),
        )
    return table


def _from_to(now: int | None, needed: int | None) -> str:
    known = "?" if now is None else f"{now:,}"
    return known if needed in (None, now) else f"{known} -> {needed:,}"


def _notes(by_claim: dict[str, list[Settling]]) -> str:
    """Return how to read the table, and how many claims could be settled."""
    from touchstone.statistics.power import POWER, SECOND_LOOK

    settled = sum(not any(each.why_not for each in numbers) for numbers in by_claim.values())
    return (
        f"{len(by_claim)} inconclusive claims; more seeds or images would settle {settled}: with a chance of {POWER:.0%},"
        f" by a second look with a {100 * SECOND_LOOK:g} % interval, if the truth is as far from the bound as the distance"
        f" says. Minutes are those of the jobs together."
    )
