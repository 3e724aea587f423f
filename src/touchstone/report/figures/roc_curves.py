"""Figure: how many anomalous inputs each detector catches at each rate of false alarms."""

from __future__ import annotations

from matplotlib.figure import Figure

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations.statistics.estimators import point
from touchstone.evaluations.statistics.places import Place
from touchstone.evaluations.statistics.rows import grouped, only, place
from touchstone.records.nouns import Cell
from touchstone.report import drawing, palette
from touchstone.report.figures._roc_lines import roc_line
from touchstone.report.figures._words import auroc_words
from touchstone.report.names import called, label_of

LINE = 0.2  # inches of a line below a panel


def roc_curves(
    scores: list[Cell],
    *,
    id_examples: str,
    classifier: str | None = None,
    seed: NonNegativeInt = 0,
    resamples: PositiveInt = 200,
    only_detectors: list[str] | None = None,
) -> Figure:
    """Return one panel per anomalous set, one line per detector in its 95 % band, and below it the AUROCs, best first.

    Args:
        scores: of each detector on `id_examples`, which are in distribution, and on other or attacked sets.
        id_examples: the in-distribution set.
        classifier, seed: of the network; None takes the first classifier.
        resamples: bootstrap samples of a band.
        only_detectors: those to show, at most six of which can be distinguished; None shows all.

    Raises:
        ValueError: there are no scores on `id_examples` and another set.
    """
    entry = classifier or scores[0].entry
    shown = [cell for cell in scores if (cell.entry, cell.seed) == (entry, seed) and not cell.translator]
    shown = [cell for cell in shown if only_detectors is None or cell.detector in only_detectors]
    groups = grouped(shown, place)
    id_cells = groups.pop(id_examples, [])
    if not id_cells or not groups:
        raise ValueError(f"no scores of {entry}.{seed} on {id_examples} and another set")
    detectors = sorted({cell.detector for cell in shown})
    figure, panels = drawing.panels(len(groups), columns=3, height=2.8 + LINE * len(detectors))
    areas = {name: _areas(id_cells, cells) for name, cells in groups.items()}
    for axes, (name, cells) in zip(panels, groups.items(), strict=True):
        for detector in sorted(areas[name], key=lambda detector: -areas[name][detector]):
            populations = (
                only((cell for cell in some if cell.detector == detector), f"{detector} on {name}").noun.scores
                for some in (id_cells, cells)
            )
            label = f"{auroc_words(areas[name][detector])} {label_of(detector)}"
            dashes = palette.LINES[detectors.index(detector) % len(palette.LINES)]
            look = palette.line(detector, detectors) | {"marker": "", "linestyle": dashes}
            roc_line(axes, *populations, label=label, look=look, resamples=resamples)
        drawing.roc_axes(axes, _images(name), "in-distribution inputs flagged")
    figure.supylabel("anomalous inputs caught (share)", fontsize=9)
    drawing.headline(figure, f"{_takeaway(areas)} ({called(entry)}, seed {seed})")
    largest = "; ".join(
        f"on {_images(name)} {called(detector)} has {auroc_words(value)}, the most"
        for name, (detector, value) in _best(areas).items()
    )
    return drawing.described(
        figure, f"ROC curves of {len(detectors)} detectors on {called(entry)}, seed {seed}. AUROC: {largest}."
    )


def _images(name: str) -> str:
    """Return what people call a set, or what was done to its images."""
    return " of ".join(map(called, Place.parse(name).changes[::-1])) or called(name)


def _areas(id_cells: list[Cell], cells: list[Cell]) -> dict[str, float]:
    """Return {detector: its AUROC} of the anomalous inputs in `cells`."""
    own = {cell.detector: cell.noun.scores for cell in id_cells}
    return {cell.detector: point("auroc", own[cell.detector], cell.noun.scores) for cell in cells}


def _best(areas: dict[str, dict[str, float]]) -> dict[str, tuple[str, float]]:
    """Return {set: the detector with the greatest AUROC there, and that}."""
    return {name: max(own.items(), key=lambda item: item[1]) for name, own in areas.items()}


def _takeaway(areas: dict[str, dict[str, float]]) -> str:
    """Return how well the best detector does on the set that is hardest to detect."""
    best = _best(areas)
    name = min(best, key=lambda name: best[name][1])
    detector, value = best[name]
    where = f"Hardest to detect is {_images(name)}: there" if len(best) > 1 else f"On {_images(name)}"
    return f"{where} the best detector, {called(detector)}, has AUROC {auroc_words(value)}"
