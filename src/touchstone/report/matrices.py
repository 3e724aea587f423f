"""Tables of detectors by anomalous set: AUROC, clean and attacked; detectors trained on anomalies apart."""

from __future__ import annotations

from collections.abc import Collection

from touchstone.evaluations.statistics.places import place_of
from touchstone.evaluations.statistics.rows import MEAN
from touchstone.records.metric_rows import NONE
from touchstone.records.metric_tables import MetricRow
from touchstone.report.tables import Line, Number, Numbers, Table

LEARNED = "learned"  # stands for several detectors, each trained on its kind of anomaly (evaluations/open_set)
KINDS = ("that saw no anomalies", "that was trained on anomalies")  # unsupervised and supervised
UPPER_BOUNDS = "; where OOD images are left without a gradient of the score, attackers were stuck: upper bounds"
SIDES = {"auroc_clean": "clean", "auroc_both": "both attacked"}


def matrices(numbers: Numbers, supervised: Collection[str] = ()) -> list[Table]:
    """Return the tables that open a chapter about detectors.

    Args:
        numbers: the rows of one evaluation.
        supervised: the detectors trained on anomalies, which are never ranked with the others.

    Returns:
        Every detector on every set, those of each kind in one table; then the detectors by the side that is attacked.
    """
    tables = (_matrix(numbers, supervised, kind) for kind in KINDS)
    return [*(table for table in tables if table is not None), *_attacked(numbers)]


def _matrix(numbers: Numbers, supervised: Collection[str], kind: str) -> Table | None:
    rows = _aurocs(numbers, supervised, kind)
    if not rows:
        return None
    sets = _sets(rows)
    best = {row.line for row in _best(rows).values()}
    lines: dict[str, dict[str, MetricRow]] = {}
    for row in rows:
        lines.setdefault(row.entry, {})[row.examples] = row

    def number(row: MetricRow | None) -> Number | None:
        return numbers.maybe(row, best=row is not None and row.line in best)

    caption = f"AUROC of each detector {kind} against each anomalous set; the greatest per classifier and set is marked"
    cells = [Line((entry,), tuple(number(line.get(name)) for name in sets)) for entry, line in lines.items()]
    return Table(caption, ("classifier + detector",), tuple(sets.values()), tuple(cells))


def _aurocs(numbers: Numbers, supervised: Collection[str], kind: str) -> list[MetricRow]:
    learned = {*supervised, LEARNED}
    return [row for row in numbers.of("auroc") if KINDS[row.detector in learned] == kind]


def _sets(rows: list[MetricRow]) -> dict[str, str]:
    """Return {anomalous set: its heading}; the heading of an attacked set says what the attacker knew."""
    threats = {row.examples: row.threat for row in rows}
    return {name: name if threat.knows == NONE else f"{name}, {threat.knows}" for name, threat in threats.items()}


def _best(rows: list[MetricRow]) -> dict[tuple[str, str], MetricRow]:
    """Return {(classifier, set): the row of its greatest AUROC}, the last of equal ones."""
    return {(row.classifier, row.examples): row for row in sorted(rows, key=lambda row: row.value)}


def _attacked(numbers: Numbers) -> list[Table]:
    """Return each detector by the side that is attacked, on the mean of the OOD sets; then on each of them."""
    rows = numbers.of(*SIDES)
    if not rows:
        return []
    places = [(row.dataset, place_of(row).how) for row in rows]
    sets = dict.fromkeys(name for name, attack in places if attack)
    mean = MEAN if MEAN in sets else next(iter(sets), MEAN)
    clean = {(row.entry, row.examples): row for row in rows if row.measured == "auroc_clean"}
    flat = {(row.entry, row.examples): row for row in numbers.of("no_score_gradient")}
    cells = {(row.entry, row.examples, row.measured): row for row in rows}
    attacks = [(row.entry, attack, row.threat) for row, (_, attack) in zip(rows, places, strict=True) if attack]
    sides, each = [], []
    for entry, attack, threat in dict.fromkeys(attacks):
        _, *attacked = (cells.get((entry, f"{mean}/{attack}", metric)) for metric in SIDES)
        line = [clean.get((entry, mean)), *attacked]
        line += [flat.get((entry, f"{mean}/{attack}"))] if flat else []
        words = (entry, attack, threat.kind if threat.is_white_box else threat.knows)
        sides.append(Line(words, tuple(numbers.maybe(row) for row in line)))
        both = [cells.get((entry, f"{name}/{attack}", "auroc_both")) for name in sets]
        each.append(Line(words, tuple(numbers.maybe(row) for row in both)))
    heads = ("classifier + detector", "attack", "attacker")
    place = "mean of the OOD sets" if mean == MEAN else mean
    return [
        Table(
            f"AUROC by the side that is attacked ({place}; each set is below)" + (UPPER_BOUNDS if flat else ""),
            heads,
            (*SIDES.values(), *(("OOD images left without a gradient",) if flat else ())),
            tuple(sides),
        ),
        Table("AUROC with both sides attacked, on each OOD set", heads, tuple(sets), tuple(each)),
    ]
