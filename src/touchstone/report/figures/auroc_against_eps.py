"""Figure: how well a detector separates OOD from ID inputs as an attacker of both gets a larger budget."""

from __future__ import annotations

from collections import defaultdict

from matplotlib.figure import Figure

from touchstone.contracts import PositiveFloat
from touchstone.evaluations.statistics.rows import MEAN
from touchstone.records.metric_rows import ADAPTIVE
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, marks, palette
from touchstone.report.figures._curves import Curve, draw, label_ends, means_first

CHANCE = 0.5
STUCK = 0.05  # the share of images without a gradient above which an AUROC is only an upper bound


def auroc_against_eps(
    metrics: list[MetricRow],
    *,
    detector: str | None = None,
    each_set: bool = False,
    training_eps: PositiveFloat | None = None,
) -> Figure:
    """Return AUROC over eps with both sides attacked adaptively: on the mean of the OOD sets, or a panel per set.

    One line per classifier, from clean at eps 0. Bands are 95 % intervals. Hollow marks are upper bounds: too many OOD
    images are left without a gradient of the score. The dotted line is chance.

    Args:
        metrics: rows of an attacked_detection evaluation.
        detector: the one to show; None shows the first.
        each_set: a panel per OOD set; otherwise only their mean, or the only set.
        training_eps: the eps of training, which a dotted line marks. None, or an eps without an attack, gives a title
            about the largest eps.

    Raises:
        ValueError: the detector has no such row.
    """
    shown = detector or next((row.detector for row in metrics if row.detector), "")
    curves = _curves(metrics, shown)
    if not curves:
        raise ValueError(f"no auroc_both row of {shown or 'any detector'}, so there is no curve to draw")
    if not each_set:
        name = MEAN if MEAN in curves else next(iter(curves))
        curves = {name: curves[name]}
    figure, panels = drawing.panels(len(curves), columns=3, height=2.3 if each_set else 3.4, sharex=True, sharey=True)
    figure.set_figwidth(drawing.WIDTH)
    stuck = _stuck(metrics, shown)
    entries = list(dict.fromkeys(entry for lines in curves.values() for entry in lines))
    for axes, (name, lines) in zip(panels, curves.items(), strict=True):
        for entry, curve in lines.items():
            look = palette.line(entry, entries)
            draw(axes, curve, entry, look, alpha=0.16)
            bounds = [eps for eps in curve if (entry, name, eps) in stuck]
            hollow = {"marker": look["marker"], "color": look["color"], "markerfacecolor": drawing.BACKDROP}
            values = [curve[eps].value for eps in bounds]
            (upper,) = axes.plot(bounds, values, linestyle="none", zorder=3, label=f"_{entry}", **hollow)
            marks.shows(upper, *(curve[eps] for eps in bounds))
        axes.axhline(CHANCE, color=drawing.FAINT, linewidth=0.9, linestyle=":")
        if training_eps in _attacked(lines):
            axes.axvline(training_eps, color=drawing.FAINT, linewidth=0.9, linestyle=":")
        axes.set(ylim=(-0.03, 1.03))
        if each_set:
            axes.set_title(name.replace("_", " "))
    if each_set:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=5)
    else:
        (lines,) = curves.values()
        label_ends(panels[0], {entry: (max(curve), curve[max(curve)].value) for entry, curve in lines.items()}, entries)
        drawing.headline(figure, _takeaway(lines, training_eps))
    trained = any(training_eps in _attacked(lines) for lines in curves.values())
    upright = "; upright dotted line: the training eps" if trained else ""
    figure.supxlabel(f"eps (pixels, from 0 to 1); hollow: an upper bound{upright}", fontsize=9)
    figure.supylabel(f"AUROC of {shown}, both sides attacked", fontsize=9)
    return drawing.described(figure, _words(shown, curves))


def _attacked(lines: dict[str, Curve]) -> set[float]:
    return {eps for curve in lines.values() for eps in curve if eps > 0}


def _takeaway(lines: dict[str, Curve], training_eps: float | None) -> str:
    """Return what the best and the worst network keep at the eps of training, and the most that any keeps at the next."""
    if training_eps is None or training_eps not in _attacked(lines):
        return f"AUROC under attack: {_most(lines, max(max(curve) for curve in lines.values()))}"
    there = {entry: curve[training_eps].value for entry, curve in lines.items() if training_eps in curve}
    order = sorted(there, key=lambda entry: -there[entry])
    named = dict.fromkeys((order[0], order[-1]))
    kept = ", ".join(f"{entry} keeps {there[entry]:.2f}" for entry in named)
    larger = [eps for eps in _attacked(lines) if eps > training_eps]
    words = f"AUROC under attack: at the training eps {training_eps:g}, {kept}"
    return f"{words}; {_most(lines, min(larger))}" if larger else words


def _most(lines: dict[str, Curve], eps: float) -> str:
    attacked_there = [curve[eps].value for curve in lines.values() if eps in curve]
    return f"at eps {eps:g}, no network keeps more than {max(attacked_there):.2f}"


def _stuck(rows: list[MetricRow], detector: str) -> set[tuple[str, str, float]]:
    """Return (classifier, set, eps) of the attacks that left too many OOD images without a gradient."""
    own = (row for row in rows if row.detector == detector and row.measured == "no_score_gradient")
    return {
        (row.classifier, row.dataset, row.threat.eps) for row in own if row.value > STUCK and row.threat.eps is not None
    }


def _curves(rows: list[MetricRow], detector: str) -> dict[str, dict[str, Curve]]:
    """Return {OOD set: {classifier: curve}}, of means over seeds if there are any."""
    curves: dict[str, dict[str, Curve]] = defaultdict(lambda: defaultdict(dict))
    for row in means_first(row for row in rows if row.detector == detector):
        eps = row.threat.eps
        if row.measured == "auroc_clean":
            curves[row.examples][row.classifier].setdefault(0.0, row)
        elif row.measured == "auroc_both" and eps is not None and row.threat.knowledge == ADAPTIVE:
            curves[row.dataset][row.classifier].setdefault(eps, row)
    return dict(curves)


def _words(detector: str, curves: dict[str, dict[str, Curve]]) -> str:
    parts = [
        f"{entry} from {curve[min(curve)].value:.2f} at eps {min(curve):g} to {curve[max(curve)].value:.2f} at eps"
        f" {max(curve):g} ({name})"
        for name, lines in curves.items()
        for entry, curve in lines.items()
    ]
    return f"AUROC of {detector} against eps, ID and OOD inputs both attacked. {'; '.join(parts)}."
