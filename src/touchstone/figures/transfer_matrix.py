"""Figure: how many images made to fool one classifier fool another."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from touchstone.figures import _heat_maps
from touchstone.figures._curves import means_first
from touchstone.records.metric_rows import TRANSFER, WHITE_BOX
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing
from touchstone.statistics.intervals import Interval
from touchstone.statistics.places import place_of

METRICS = ("robust_accuracy", "attacked_accuracy")  # the latter is of attacks without an eps
Accuracies = dict[tuple[str, str], MetricRow]  # (made to fool, classified by) -> its row


def transfer_matrix(metrics: list[MetricRow], *, attacks: list[str] | None = None) -> Figure:
    """Return one heat map per set and attack: error of each classifier (columns) on what fools each other (rows).

    On the diagonal the attack knew the classifier. The 95 % intervals are in small type.

    Args:
        metrics: rows of a robustness evaluation with victims, with means over seeds if there are several.
        attacks: those to show; None shows all.

    Raises:
        ValueError: no set was made to fool another classifier.
    """
    maps = _maps(metrics, attacks)
    if not maps:
        raise ValueError(
            "no robust_accuracy or attacked_accuracy row of a set that was made to fool another classifier"
        )
    figure, panels = drawing.panels(len(maps), columns=2, height=3.0)
    for axes, (name, rows) in zip(panels, maps.items(), strict=True):
        _draw(axes, name, rows)
    small = _heat_maps.what_ends_are(row for rows in maps.values() for row in rows.values())
    figure.supxlabel(f"in small type: {small}", fontsize=7.5)
    errors = [
        f"{name}: made to fool {fooled}, error of {by} {1 - row.value:.0%}"
        for name, rows in maps.items()
        for (fooled, by), row in rows.items()
    ]
    return drawing.described(figure, f"Error on images made to fool another classifier. {'; '.join(errors)}.")


def _maps(metrics: list[MetricRow], attacks: list[str] | None) -> dict[str, Accuracies]:
    maps: dict[str, Accuracies] = {}
    for row in means_first(metrics):
        attack = place_of(row).last
        if row.measured not in METRICS or (attacks is not None and attack not in attacks):
            continue
        threat = row.threat.seedless
        if threat.knows == WHITE_BOX or threat.knowledge == TRANSFER:
            victim = threat.of or row.entry
            maps.setdefault(f"{row.dataset}: {attack}", {}).setdefault((victim, row.entry), row)
    return {name: rows for name, rows in maps.items() if any(fooled != by for fooled, by in rows)}


def _draw(axes: Axes, name: str, rows: Accuracies) -> None:
    errors = {place: _heat_maps.complement(_heat_maps.interval_of(row)) for place, row in rows.items()}
    victims, names = (list(dict.fromkeys(pair[place] for pair in errors)) for place in (0, 1))
    nothing = Interval(np.nan, None, None)
    cells = [[errors.get((fooled, by), nothing) for by in names] for fooled in victims]
    values = np.array([[cell.value for cell in line] for line in cells])
    axes.pcolormesh(values, cmap="Blues", vmin=0, vmax=1.4, edgecolors="white", linewidth=1.5)
    for (down, across), error in np.ndenumerate(values):
        if np.isfinite(error):
            source = rows.get((victims[down], names[across]))
            cell = cells[down][across]
            _heat_maps.number(axes, across + 0.5, down + 0.5, cell, _heat_maps.DARK, size=8, percent=True, row=source)
    axes.set_xticks(np.arange(len(names)) + 0.5, names, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(len(victims)) + 0.5, victims)
    axes.set(title=name, xlabel="classified by", ylabel="made to fool", aspect="equal")
    axes.invert_yaxis()
    axes.grid(False)
