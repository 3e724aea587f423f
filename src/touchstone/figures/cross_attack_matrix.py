"""Figure: detectors by what they were trained on, against what they are tested on."""

from __future__ import annotations

from matplotlib.figure import Figure

from touchstone.figures import _heat_maps
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell
from touchstone.report import drawing
from touchstone.statistics.places import place_of
from touchstone.statistics.wording import bracketed


def cross_attack_matrix(metrics: list[MetricRow], detectors: list[Cell], *, classifier: str | None = None) -> Figure:
    """Return a heat map of AUROC: a row per supervised detector, named by what it was trained on, a column per anomaly.

    Attacked inputs count if the attack succeeded, provided there are enough of them; the attack's success rate is under
    its name. The 95 % intervals are in small type. Frames mark what a row was trained on.

    Args:
        metrics: rows of a cross_attack evaluation.
        detectors: those of the same networks; their settings name the anomalies that they were trained on.
        classifier: the one to show; None shows the first.

    Raises:
        ValueError: no detector of the classifier is supervised.
    """
    entry = classifier or next((cell.entry for cell in detectors), "")
    trained = {
        cell.detector: list(cell.settings["anomalous"])
        for cell in detectors
        if cell.entry == entry and cell.noun.supervised
    }
    if not trained:
        raise ValueError(f"no detector on {entry} was trained on an anomaly")
    every, successes = (_heat_maps.overall(metrics, name) for name in ("auroc", "auroc_successes"))
    rates = _heat_maps.overall(metrics, "success_rate")
    values, framed, columns, sources = {}, set(), {}, {}
    for (name, examples), row in every.items():
        if row.classifier != entry or row.detector not in trained:
            continue
        tested = place_of(row).last
        rate = rates.get((entry, examples))
        columns[tested] = f"{tested}\n{rate.value:.0%} succeed" if rate else tested
        place = row.detector, columns[tested]
        sources[place] = successes.get((name, examples), row)
        values[place] = _heat_maps.interval_of(sources[place])
        if _family(tested) in map(_family, trained[row.detector]):
            framed.add(place)
    rows = [name for name in trained if any(place[0] == name for place in values)]
    figure, (axes,) = _heat_maps.figure_of({"": rows}, list(columns))
    names = {name: "\n".join(_lines(trained[name])) for name in rows}
    words = ("trained on", "tested on")
    _heat_maps.draw(
        axes,
        values,
        rows,
        list(columns.values()),
        title=f"AUROC on {entry}",
        small=_heat_maps.what_ends_are(sources.values()),
        words=words,
        names=names,
        outlined=framed,
        frames="frames mark what a detector was trained on",
        sources=sources,
    )
    results = "; ".join(
        f"trained on {', '.join(trained[name])}: "
        + ", ".join(
            f"{tested} {share.value:.2f} {bracketed(share.low, share.high, '')}".rstrip()
            for tested, place in columns.items()
            if (share := values.get((name, place)))
        )
        for name in rows
    )
    return drawing.described(
        figure, f"AUROC of supervised detectors by what they were trained and tested on. {results}."
    )


def _family(name: str) -> str:
    """Return what a set for fitting and one for testing have in common: "uniform_fit" and "uniform"."""
    return name.removesuffix("_fit")


def _lines(names: list[str]) -> list[str]:
    return [", ".join(names[start : start + 2]) for start in range(0, len(names), 2)]
