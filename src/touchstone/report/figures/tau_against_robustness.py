"""Figure: does the logit margin rank inputs by their distance to the boundary if the network is robust?"""

from __future__ import annotations

import math
from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from touchstone.contracts import PositiveFloat
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, marks, palette
from touchstone.report.figures._curves import error_bars, overall
from touchstone.report.figures._words import percent
from touchstone.report.names import called, label_of

OTHERS, MOST = palette.COLOURS["blue"], palette.COLOURS["vermilion"]
LETTER, LINE = 5.8, 11.0  # points of a name: the width of a letter, the height
DISTANCES = (11, 17, 24, 32, 42, 54, 68, 84)  # points from a mark to its name
ANGLES = tuple(
    math.radians(turn) for turn in (90, 270, 0, 180, 45, 135, 225, 315, 20, 160, 200, 340, 70, 110, 250, 290)
)
Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, bottom, right, top


def tau_against_robustness(
    metrics: list[MetricRow], *, eps: PositiveFloat = 0.1, norm: str = "linf", bound: float | None = None
) -> Figure:
    """Return one point per classifier: Kendall's tau of input and logit margin against robust accuracy at `eps`.

    The most robust one has a colour of its own.

    Bars are 95 % intervals. Robust accuracy is computed from the margins that were found, so it is an upper bound.

    Args:
        metrics: rows of a margins evaluation.
        eps: of the robust accuracy, in pixels.
        norm: of the margins.
        bound: of tau that a claim about the most robust network asks for, drawn as a line; None draws none.

    Raises:
        ValueError: no classifier has both.
    """
    wanted = {"kendall_tau": "tau", f"robust_accuracy_at_{eps:g}": "robust"}
    shown = (row for row in metrics if row.measured in wanted and row.examples.endswith(f"/{norm}"))
    points: dict[str, dict[str, MetricRow]] = {}
    for (entry, name), row in overall(shown, lambda row: (row.entry, wanted[row.measured])).items():
        points.setdefault(entry, {})[name] = row
    whole = {entry: rows for entry, rows in points.items() if len(rows) == len(wanted)}
    if not whole:
        raise ValueError(f"no classifier with both tau and robust accuracy at eps {eps:g}")
    figure, (axes,) = drawing.panels(1, height=3.9)
    order = sorted(whole, key=lambda entry: whole[entry]["robust"].value)
    for entry in order:
        rows, colour = whole[entry], MOST if entry == order[-1] else OTHERS
        across, up = (error_bars(rows[name]) for name in ("robust", "tau"))
        drawn = axes.errorbar(
            rows["robust"].value, rows["tau"].value, xerr=across, yerr=up, color=colour, marker="o",
            linestyle="none", markersize=6, capsize=2, elinewidth=0.7,
            label=label_of(entry),
        )  # fmt: skip
        marks.shows(drawn.lines[0], rows["tau"])
    axes.set(xlabel=f"robust accuracy at {norm} eps {eps:g}", ylabel="Kendall's tau of input and logit margins")
    bars = [_bars(rows) for rows in whole.values()]
    floor = min(bottom for _, (_, bottom, _, _) in bars) - 0.04
    axes.set(xlim=(-0.03, 1.03), ylim=(floor, 1.02))
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    if bound is not None:
        axes.axhline(bound, color=drawing.INK, linestyle=":", linewidth=1)
    drawing.headline(figure, _takeaway(whole))
    figure.draw_without_rendering()  # places the axes
    places = _label_places(
        {entry: _in_points(axes, (rows["robust"].value, rows["tau"].value)) for entry, rows in whole.items()},
        [
            (*_in_points(axes, (left, low)), *_in_points(axes, (right, high)))
            for cross in bars
            for left, low, right, high in cross
        ],
        (*_in_points(axes, (-0.03, floor)), *_in_points(axes, (1.03, 1.02))),
    )
    for entry, shift in places.items():
        point = whole[entry]["robust"].value, whole[entry]["tau"].value
        leader = {"arrowstyle": "-", "color": drawing.FAINT, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
        axes.annotate(
            label_of(entry), point, shift, textcoords="offset points", ha="center", va="center", fontsize=9,
            arrowprops=leader, bbox={"boxstyle": "square,pad=0.05", "fill": False, "linewidth": 0},
        )  # fmt: skip
    taus = "; ".join(
        f"{called(entry)} {rows['tau'].value:.2f} at {percent(rows['robust'].value)}" for entry, rows in whole.items()
    )
    return drawing.described(figure, f"Kendall's tau against robust accuracy, per classifier: {taus}.")


def _takeaway(whole: dict[str, dict[str, MetricRow]]) -> str:
    """Return how the logit margin ranks in the most robust network, and where it ranks best."""
    robust, ranked = (max(whole, key=lambda entry: whole[entry][name].value) for name in ("robust", "tau"))

    tau, accuracy = ({entry: rows[name].value for entry, rows in whole.items()} for name in ("tau", "robust"))
    if robust == ranked:
        return (
            f"The logit margin ranks best in the most robust network, {called(robust)}"
            f" (robust accuracy {percent(accuracy[robust])}): tau {tau[robust]:.2f}"
        )
    return (
        f"In the most robust network, {called(robust)} ({percent(accuracy[robust])} robust), the logit margin ranks with a"
        f" tau of {tau[robust]:.2f}; it ranks best in {called(ranked)} ({percent(accuracy[ranked])}): {tau[ranked]:.2f}"
    )


def _bars(rows: dict[str, MetricRow]) -> tuple[Box, Box]:
    """Return both intervals of a point as boxes without area."""
    robust, tau = rows["robust"], rows["tau"]
    left, right, bottom, top = (
        row.value if end is None else end for row in (robust, tau) for end in (row.low, row.high)
    )
    return (left, tau.value, right, tau.value), (robust.value, bottom, robust.value, top)


def _in_points(axes: Axes, point: Point) -> Point:
    across, up = axes.transData.transform(point) * 72 / axes.figure.dpi
    return float(across), float(up)


def _label_places(points: dict[str, Point], bars: Iterable[Box], limits: Box) -> dict[str, Point]:
    """Return {name: where its middle is from its point}: the nearest place where it covers nothing.

    Args:
        points: {name: its mark}, in points of type as everything here.
        bars: what a name must not cover besides marks and other names.
        limits: of the axes, which no name leaves.
    """
    taken = [*bars, *((across - 4, up - 4, across + 4, up + 4) for across, up in points.values())]
    names: dict[str, Point] = {}
    for name, (across, up) in sorted(points.items(), key=lambda item: item[1]):
        half = len(label_of(name)) * LETTER / 2

        def box(shift: Point, across: float = across, up: float = up, half: float = half) -> Box:
            x, y = across + shift[0], up + shift[1]
            return x - half, y - LINE / 2, x + half, y + LINE / 2

        shifts = [
            (math.cos(angle) * (distance + half * abs(math.cos(angle))), math.sin(angle) * distance)
            for distance in DISTANCES
            for angle in ANGLES
        ]
        names[name] = next((one for one in shifts if _is_free(box(one), taken, limits)), shifts[0])
        taken.append(box(names[name]))
    return names


def _is_free(box: Box, taken: Iterable[Box], limits: Box) -> bool:
    inside = box[0] >= limits[0] and box[1] >= limits[1] and box[2] <= limits[2] and box[3] <= limits[3]
    return inside and not any(
        box[0] < right and left < box[2] and box[1] < top and bottom < box[3] for left, bottom, right, top in taken
    )
