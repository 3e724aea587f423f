"""Figure: every detector on every anomalous set, supervised ones and the others apart."""

from __future__ import annotations

from matplotlib.figure import Figure

from touchstone.evaluations.statistics.places import place_of
from touchstone.evaluations.statistics.rows import MEAN
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell
from touchstone.report import drawing
from touchstone.report.figures import _heat_maps
from touchstone.report.figures._curves import overall
from touchstone.report.figures._words import auroc_words
from touchstone.report.names import called, label_of

SUCCEEDED = " that succeeded"  # of attacked images, behind the attack


def detector_matrix(
    metrics: list[MetricRow],
    detectors: list[Cell],
    *,
    classifier: str | None = None,
    trivial: list[str] = ["mean_intensity", "pixel_mahalanobis"],  # noqa: B006 - a literal that the registry reads
) -> Figure:
    """Return one heat map of AUROC per kind of detector: those trained on anomalies, and those that saw none.

    Attacked sets are shown by the attacks that succeeded, if that was measured. The 95 % intervals are in small type.
    Detectors are in the order of `mean_of_sets` if it is shown, otherwise of the first column.

    Args:
        metrics: rows of a detection evaluation, with means over seeds if there are several.
        detectors: those of the same networks; they say which are supervised.
        classifier: the one to show; None shows the first.
        trivial: detectors that look at pixels or at less, which are marked: a set on which they are near 1 is easy.

    Raises:
        ValueError: no row has an AUROC of a detector on the classifier.
    """
    entry = classifier or next((cell.entry for cell in detectors), "")
    shown = _shown(metrics, entry)
    small = _heat_maps.what_ends_are(shown.values())
    sets = list(dict.fromkeys(name for _, name in shown))
    names = {cell.detector: cell.noun.supervised for cell in detectors if cell.entry == entry}
    names = {name: supervised for name, supervised in names.items() if any(row == name for row, _ in shown)}
    if not names or not sets:
        raise ValueError(f"no AUROC of a detector on {entry}, so there is no matrix to draw")

    by = MEAN if MEAN in sets else sets[0]

    def rank(name: str) -> float:
        return shown[name, by].value if (name, by) in shown else -1.0

    kinds = {
        "trained on anomalies (supervised)": [name for name, supervised in names.items() if supervised],
        "trained on no anomalies": [name for name, supervised in names.items() if not supervised],
    }
    tables = {title: sorted(rows, key=rank, reverse=True) for title, rows in kinds.items() if rows}
    figure, panels = _heat_maps.figure_of(tables, sets)
    shown_as = {name: label_of(name) + " (trivial)" * (name in trivial) for name in names}
    shown_as |= {name: _set(name).removeprefix("the ") for name in sets}
    for axes, (title, rows) in zip(panels, tables.items(), strict=True):
        words = ("detector", f"anomalous set; rows are in the order of {_set(by)}; 0.5 is chance")
        title = f"AUROC on {called(entry)}, {title}"
        _heat_maps.draw(axes, shown, rows, sets, title=title, small=small, words=words, names=shown_as)
    best = {title: (_detector(rows[0], trivial), rank(rows[0])) for title, rows in tables.items()}
    drawing.headline(figure, f"{_where(by)}, " + " and ".join(_sentence(*one, kind) for kind, one in best.items()))
    about = "; ".join(
        f"{kind}: {name} has the greatest AUROC on {_set(by)}, {auroc_words(value)}"
        for kind, (name, value) in best.items()
    )
    return drawing.described(figure, f"AUROC of {len(names)} detectors on {len(sets)} anomalous sets. {about}.")


def _where(by: str) -> str:
    return "On average over the sets" if by == MEAN else f"On {_set(by)}"


def _set(name: str) -> str:
    """Return what a sentence calls a set as it is shown."""
    entry = name.removesuffix(SUCCEEDED)
    return called(entry) + name.removeprefix(entry)


def _detector(name: str, trivial: list[str]) -> str:
    return called(name) + ", a trivial one" * (name in trivial)


def _sentence(detector: str, value: float, kind: str) -> str:
    return f"the best detector {kind.split(' (')[0]} is {detector} (AUROC {auroc_words(value)})"


def _shown(metrics: list[MetricRow], entry: str) -> dict[tuple[str, str], MetricRow]:
    """Return {(detector, set as it is shown): the row of its AUROC}."""
    every, successes = (
        overall((row for row in metrics if row.measured == metric), lambda row: (row.entry, row.examples))
        for metric in ("auroc", "auroc_successes")
    )
    shown: dict[tuple[str, str], MetricRow] = {}
    for place, row in every.items():
        if row.classifier == entry:
            name = place_of(row).last + (SUCCEEDED if place in successes else "")
            shown[row.detector, name] = successes.get(place, row)
    return shown
