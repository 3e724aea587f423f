"""Figure: does the logit margin rank inputs by their distance to the boundary if the network is robust?"""

from __future__ import annotations

from matplotlib.figure import Figure

from touchstone.contracts import PositiveFloat
from touchstone.figures._curves import error_bars, means_first
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, marks, palette

# Points of type from a mark to its name, beyond the ends of its interval.
SHIFTS = (15, -15, 27, -27, 39, -39, 51, -51, 63, -63)
TOP = 0.99  # of the axis, for names
LETTER, LINE, HIGH = 0.0115, 0.045, 240  # of a name in shares of the axes: width, height; the axis in points of type


def tau_against_robustness(metrics: list[MetricRow], *, eps: PositiveFloat = 0.1, norm: str = "linf") -> Figure:
    """Return one point per classifier: Kendall's tau of input and logit margin against robust accuracy at `eps`.

    Bars are 95 % intervals. Robust accuracy is computed from the margins that were found, so it is an upper bound.

    Args:
        metrics: rows of a margins evaluation.
        eps: of the robust accuracy, in pixels.
        norm: of the margins.

    Raises:
        ValueError: no classifier has both.
    """
    wanted = {"kendall_tau": "tau", f"robust_accuracy_at_{eps:g}": "robust"}
    points: dict[str, dict[str, MetricRow]] = {}
    for row in means_first(metrics):
        name = wanted.get(row.measured)
        if name and row.examples.endswith(f"/{norm}"):
            points.setdefault(row.entry, {}).setdefault(name, row)
    whole = {entry: rows for entry, rows in points.items() if len(rows) == len(wanted)}
    if not whole:
        raise ValueError(f"no classifier with both tau and robust accuracy at eps {eps:g}")
    figure, (axes,) = drawing.panels(1, height=4.0)
    figure.set_figwidth(drawing.WIDTH)
    order = sorted(whole, key=lambda entry: whole[entry]["robust"].value)
    for entry in order:
        rows, look = whole[entry], palette.line(entry, whole)
        across, up = (error_bars([rows[name]]) for name in ("robust", "tau"))
        drawn = axes.errorbar(
            rows["robust"].value, rows["tau"].value, xerr=across, yerr=up, color=look["color"],
            marker=look["marker"], linestyle="none", markersize=6, capsize=2, elinewidth=0.7, alpha=0.85, label=entry,
        )  # fmt: skip
        marks.shows(drawn.lines[0], rows["tau"])
    axes.set(
        xlabel=f"robust accuracy at {norm} eps {eps:g} (share)", ylabel="Kendall's tau: input margins, logit margins"
    )
    axes.set(xlim=(-0.03, 1.03), ylim=(min(0, *axes.get_ylim()), 1.02))
    for entry, (point, shift) in _label_places(
        {entry: (rows["robust"].value, rows["tau"].value) for entry, rows in whole.items()}
    ).items():
        axes.annotate(
            entry, point, (0, shift), textcoords="offset points", ha="center", va="center", fontsize=8,
            color=palette.line(entry, whole)["color"], annotation_clip=False,
        )  # fmt: skip
    robust = max(whole, key=lambda entry: whole[entry]["robust"].value)
    title = f"In the most robust network, {robust}, the logit margin ranks with tau {whole[robust]['tau'].value:.2f}"
    axes.set_title(title, fontweight="bold", fontsize=10)
    taus = "; ".join(f"{entry} {rows['tau'].value:.2f} at {rows['robust'].value:.0%}" for entry, rows in whole.items())
    return drawing.described(figure, f"Kendall's tau against robust accuracy, per classifier: {taus}.")


def _label_places(points: dict[str, tuple[float, float]]) -> dict[str, tuple[tuple[float, float], float]]:
    """Return {name: (its point, points of type above it)}: above, below or farther off, where no other name is."""
    # The middle of a name or a mark and half its width, in shares of both axes.
    taken: list[tuple[float, float, float]] = [(across, up, 0.0) for across, up in points.values()]
    places: dict[str, tuple[tuple[float, float], float]] = {}
    for name, (across, up) in sorted(points.items(), key=lambda item: item[1]):
        half = len(name) * LETTER / 2

        def free(shift: float, across: float = across, up: float = up, half: float = half) -> bool:
            height = up + shift / HIGH
            return height < TOP and all(abs(across - x) > half + wide or abs(height - y) > LINE for x, y, wide in taken)

        shift = next((shift for shift in SHIFTS if free(shift)), SHIFTS[0])
        taken.append((across, up + shift / HIGH, half))
        places[name] = ((across, up), shift)
    return places
