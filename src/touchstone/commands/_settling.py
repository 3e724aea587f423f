"""What would decide each inconclusive number of a finished study, in seeds and images, or why nothing would."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from touchstone.audit.chain import report_tables
from touchstone.claims import paper_files
from touchstone.claims.judging import StudyClaims, judge
from touchstone.claims.verdicts import Part, Verdict, is_difference, required
from touchstone.claims.words import INCONCLUSIVE, NO_VERDICT, NOT_RUN
from touchstone.commands._larger_sets import LargerSets
from touchstone.commands._row_inputs import RowInputs
from touchstone.commands._size_costs import Prices
from touchstone.evaluations.statistics import power, seed_intervals
from touchstone.evaluations.statistics.wording import plain
from touchstone.pipeline.planning.plan import Plan
from touchstone.records.metric_tables import METRIC_COLUMNS, MetricRow, row_of
from touchstone.report import packing

NO_SEEDS_HELP = "only an upper bound: a stronger attack would decide it, no seeds and no images"
SEED_BY_SEED = "judged seed by seed: each further network is one more that has to pass"
NO_ESTIMATE = "no estimate: its ends are the least and the greatest network, whatever their number"
OWN_ENTRIES = (
    "entries: each of its {now} networks is an entry of its own, such as a split of the classes, so there are no seeds to"
    " add; {needed} would do, in a study of your own that adds entries (docs/verdicts.md)"
)
ONE_NUMBER = (
    "entries: it is one number over {networks} networks, each an entry of its own, and no mean over seeds, so there are no"
    " seeds to add; more entries would do, in a study of your own (docs/verdicts.md)"
)
UNDEFINED = (
    "too few seeds: {run} networks were run, but the number is not defined for {lacking} of them, and it takes {fewest} for"
    " which it is"
)
CHANGED = "changed: the study's settings no longer name what it was measured on; run the study again first"


@dataclass(frozen=True)
class Settling:
    """What would decide one open number.

    Attributes:
        claim: its id.
        number: what is open, in words.
        bound: what the number has to meet, in words.
        breaks: whether meeting it breaks the claim.
        distance: the assumed distance of the truth from the bound, which the paper's folder fixes.
        seeds, images: the present ones.
        dataset: the set of the images.
        seeds_needed, images_needed: those that decide it; None if none do.
        counts: {subset: its images} of the sets that have to grow.
        minutes: of jobs, on the machine of the run records; None if they do not say.
        chance: that the design decides it.
        why_not: why nothing would decide it; "" if something does.
    """

    claim: str
    number: str
    bound: str
    breaks: bool
    distance: float
    seeds: int
    images: int | None
    dataset: str
    seeds_needed: int | None = None
    images_needed: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    minutes: float | None = None
    chance: float | None = None
    why_not: str = ""

    @property
    def size(self) -> tuple[float, int, int]:
        """A sort key: what is decided last comes last."""
        return bool(self.why_not) - 0.5 * self.is_enough, self.seeds_needed or 0, self.images_needed or 0

    @property
    def is_enough(self) -> bool:
        """Whether nothing would decide the number because its size is large enough already."""
        return self.why_not.startswith(power.ENOUGH)


def settlings(plan: Plan, *, priced: bool = True) -> list[Settling]:
    """Return what would decide each open number of a finished study, claim by claim.

    Args:
        plan: of the study.
        priced: whether the run records of this machine choose the cheapest size. Otherwise it has the fewest seeds.

    Raises:
        ValueError: the report is missing, or measures none of the claims.
    """
    name = plan.study.name
    rows = read_rows(name)
    verdicts = judge(paper_files.book(plan.study["papers"]), StudyClaims(**plan.questions.claims()), rows)
    if all(verdict.word in (NOT_RUN, NO_VERDICT) for verdict in verdicts):
        raise ValueError(f"the report of {name} measures none of its claims; run the study: touchstone run {name}")
    designs = _Designs(plan, rows, priced=priced)
    return [designs.settling(verdict.claim.id, part) for verdict, part in _open_numbers(verdicts)]


def read_rows(study: str) -> list[MetricRow]:
    """Return the rows that a finished study measured.

    Raises:
        ValueError: the report is missing.
    """
    path = Path("reports") / study / packing.METRICS
    if not path.is_file():
        raise ValueError(f"{path} is missing; run the study first: touchstone run {study}")
    lines = report_tables.numbers(path, path.read_bytes())
    own = (line for line in lines if line["evaluation"] != packing.OF_CLAIMS)
    return [row_of([line[column] for column in METRIC_COLUMNS]) for line in own]


def _open_numbers(verdicts: Iterable[Verdict]) -> Iterator[tuple[Verdict, Part]]:
    """Yield the inconclusive numbers of inconclusive criteria, and those that leave open whether a claim is broken."""
    for verdict in verdicts:
        asked: list[tuple[MetricRow, object]] = []
        for part in sorted(verdict.parts, key=lambda part: part.breaks):  # a break may ask what the criterion asks
            if part.word == INCONCLUSIVE and (part.breaks or verdict.word == INCONCLUSIVE):
                question = part.quantity.row, part.bound
                if question not in asked:
                    yield verdict, part
                asked.append(question)


class _Designs:
    """The sizes that decide the numbers of a study."""

    def __init__(self, plan: Plan, rows: list[MetricRow], *, priced: bool) -> None:
        self._inputs = RowInputs(plan)
        self._sets = LargerSets(plan.study["examples"], rows)
        self._prices = Prices(plan) if priced else None
        self._seeds: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        for row in rows:
            self._seeds[row.evaluation, row.entry].update(row.seeds if row.seed is None else (row.seed,))

    def settling(self, claim: str, part: Part) -> Settling:
        """Return what decides a number."""
        row = part.quantity.row
        words = plain(part.name), plain(required(part)), part.breaks
        now = Settling(claim, *words, part.condition.distance, len(part.seeds), row.images, row.dataset)
        why_not = self._excluded(part, row)
        return replace(now, why_not=why_not) if why_not else replace(now, **self._answer(part, row))

    def _excluded(self, part: Part, row: MetricRow) -> str:
        """Return why no size is computed for a number; "" if one is."""
        if part.stuck is not None and not is_difference(part.quantity):
            return NO_SEEDS_HELP
        if part.decider:
            return SEED_BY_SEED
        if why_not := self._without_seeds(row) or self._undefined(row):
            return why_not
        known = row.images is not None and row.image_variance is not None
        return "" if known or part.condition.comparison == power.EQUAL else NO_ESTIMATE

    def _without_seeds(self, row: MetricRow) -> str:
        """Return why a number over several networks is no mean over seeds; "" if it is one, or of one network."""
        if row.seeds or row.seed is not None:
            return ""
        try:
            networks = len(self._inputs.networks(row))
        except KeyError:  # no task makes one of its files
            return CHANGED
        return ONE_NUMBER.format(networks=networks) if networks > 1 else ""

    def _undefined(self, row: MetricRow) -> str:
        """Return that too few of the networks that were run have a number; "" if enough have it, or all that were run."""
        having = len(row.seeds) or 1
        run = len(self._seeds[row.evaluation, row.entry])
        if having >= power.FEWEST_SEEDS or run <= having:
            return ""
        return UNDEFINED.format(run=run, lacking=run - having, fewest=power.FEWEST_SEEDS)

    def _answer(self, part: Part, row: MetricRow) -> dict[str, Any]:
        """Return the fields of a Settling that a design, or the lack of one, fills in."""
        condition = part.condition
        method = seed_intervals.PLAIN if condition.comparison == power.EQUAL else row.method  # power.py says why not
        now = (max(len(row.seeds), 1), row.images or row.n)
        spread = seed_intervals.Spread(
            *now, row.seed_variance or 0.0, row.image_variance or 0.0, row.residual_variance or 0.0
        )
        question = power.Question(method, condition.comparison, part.bound or 0.0, condition.distance)
        price = self._prices.of(row) if self._prices else None
        cost = None if price is None else lambda seeds, images: price.seconds(now, (seeds, images))
        sets = self._inputs.sets(row)
        design = power.smallest(spread, question, self._sets.images(row, sets), cost)
        if isinstance(design, str):
            return {"why_not": design}
        if why_not := self._not_extensible(row, design.seeds):
            return {"why_not": why_not}
        return {
            "seeds_needed": design.seeds,
            "images_needed": design.images,
            "counts": self._sets.enlarged(row, sets, design.images),
            "minutes": None if cost is None else cost(design.seeds, design.images) / 60,
            "chance": design.chance,
        }

    def _not_extensible(self, row: MetricRow, needed: int) -> str:
        """Return why a mean cannot have so many seeds; "" if it can."""
        if needed <= len(row.seeds):
            return ""
        try:
            extensible = self._inputs.extensible(row)
        except KeyError:  # no task makes one of its files
            return CHANGED
        return "" if extensible else OWN_ENTRIES.format(now=len(row.seeds), needed=needed)
