"""Figure: how accuracy falls as attacks get a larger budget."""

from __future__ import annotations

from collections import defaultdict

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from touchstone.contracts import PositiveFloat
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, palette
from touchstone.report.figures._curves import Curve, draw, label_ends, legend_below, means_first, overall
from touchstone.report.figures._words import attack_name, in_sentence, percent
from touchstone.report.names import called, label_of

Panels = dict[tuple[str, str], dict[str, Curve]]  # (clean set, family of attacks) -> classifier -> curve

CROWD = 7  # the most lines whose names fit beside their ends


def accuracy_against_eps(
    metrics: list[MetricRow],
    *,
    examples: str | None = None,
    entries: list[str] | None = None,
    about: list[str] | None = None,
    training_eps: PositiveFloat | None = None,
) -> Figure:
    """Return one panel per set and attack, one line per classifier: accuracy over eps, from clean at eps 0.

    Attacks of one component are one line: at equal eps the one that leaves least. Those with a single eps are left out
    if another has several. Bands are 95 % intervals.

    Args:
        metrics: rows of a robustness evaluation.
        examples: the clean set to show; None shows all.
        entries: the classifiers to show; None shows all.
        about: the classifiers that the title compares; None chooses among all that are shown.
        training_eps: of the networks: the title compares them there, and a dotted line marks it. None, or an eps without
            an attack, compares them where they differ most.

    Raises:
        ValueError: no row has an eps, or none is of a classifier in `about`.
    """
    rows = [row for row in metrics if entries is None or row.entry in entries]
    curves = _curves([row for row in rows if examples is None or row.dataset == examples])
    if not curves:
        raise ValueError("no robust_accuracy row with an eps, so there is no curve to draw")
    longest = max(len(curve) for lines in curves.values() for curve in lines.values())
    curves = {panel: lines for panel, lines in curves.items() if longest < 3 or max(map(len, lines.values())) > 2}
    figure, panels = drawing.panels(len(curves), columns=2, height=2.9, sharey=True)
    figure.set_figwidth(drawing.WIDTH)
    titles = _titles(curves)
    marked = any(training_eps in curve for lines in curves.values() for curve in lines.values())
    shown = {entry for lines in curves.values() for entry in lines}
    for axes, (panel, lines) in zip(panels, curves.items(), strict=True):
        for entry, curve in lines.items():
            draw(axes, curve, label_of(entry), palette.line(entry, shown), alpha=0.18)
        if marked and training_eps:
            axes.axvline(training_eps, color=drawing.FAINT, linestyle=":", linewidth=1, zorder=0)
        about_eps = "; dotted: of training" if marked else ""
        axes.set(title=titles[panel], xlabel=f"eps (pixels, from 0 to 1{about_eps})", ylabel="accuracy")
        axes.set(ylim=(-0.02, 1.02))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        if len(shown) <= CROWD:
            label_ends(axes, {entry: (max(curve), curve[max(curve)].value) for entry, curve in lines.items()}, shown)
    if len(shown) > CROWD:  # too many lines for names beside them
        legend_below(figure, panels, ncols=5, handlelength=3)
    drawing.headline(figure, _takeaway(curves, about, training_eps))
    return drawing.described(figure, _words(curves))


def _curves(rows: list[MetricRow]) -> Panels:
    """Return {(clean set, family of attacks): {classifier: curve}}, of means over seeds if there are any."""
    unattacked = (row for row in rows if row.measured == "clean_accuracy" and row.examples == row.dataset)
    clean = overall(unattacked, lambda row: (row.entry, row.examples))
    curves: dict[tuple[str, str], dict[str, Curve]] = defaultdict(lambda: defaultdict(dict))
    for row in means_first(rows):
        eps = row.threat.eps
        if row.measured == "robust_accuracy" and eps is not None:
            curve = curves[row.dataset, str(row.threat.family)][row.entry]
            before = curve.get(eps)
            if before is None or ((row.seed is None) == (before.seed is None) and row.value < before.value):
                curve[eps] = row
            if (row.entry, row.dataset) in clean:
                curve.setdefault(0.0, clean[row.entry, row.dataset])
    return curves


def _titles(curves: Panels) -> dict[tuple[str, str], str]:
    """Return what each panel is called: its attack, and its set if the panels have several."""
    several = len({name for name, _ in curves}) > 1
    return {
        (name, family): (f"{label_of(name)}: " if several else "") + _attack(lines)
        for (name, family), lines in curves.items()
    }


def _attack(lines: dict[str, Curve]) -> str:
    return attack_name([row.threat for curve in lines.values() for eps, row in curve.items() if eps > 0])


def _takeaway(curves: Panels, about: list[str] | None, training_eps: float | None) -> str:
    """Return which classifier loses most from the first attack to the last; of one attack, who keeps most and who least.

    They are compared at the eps of training, otherwise where they differ most.
    """
    sets = {name for name, _ in curves}
    if len(curves) > 1 and len(sets) == 1 and (words := _fall(curves, about, training_eps)):
        return words
    panel = list(curves.values())[-1]
    lines = {entry: curve for entry, curve in panel.items() if about is None or entry in about}
    if not lines:
        raise ValueError(f"no classifier of {about} has a curve in the last panel")
    places = set.intersection(*(set(curve) for curve in lines.values())) or set(next(iter(lines.values())))

    def ends(eps: float) -> tuple[str, str]:
        values = sorted((curve[eps].value, entry) for entry, curve in lines.items() if eps in curve)
        return values[0][1], values[-1][1]

    def gap(eps: float) -> float:
        worst, best = ends(eps)
        return lines[best][eps].value - lines[worst][eps].value

    trained = training_eps in places
    eps = training_eps if trained and training_eps else max(sorted(places - {0.0} or places), key=gap)
    worst, best = ends(eps)
    most, least = lines[best][eps], lines[worst][eps]
    where = f"{_attack(panel)}, at {'the training ' if trained else ''}eps {eps:g}"
    words = f"{where}: {called(best)} is right on {percent(most.value)}"
    if worst == best:
        return words
    apart = most.low is not None and least.high is not None and most.low > least.high
    return f"{words}, {called(worst)} on {percent(least.value)}{'' if apart else '; their intervals overlap'}"


def _fall(curves: Panels, about: list[str] | None, training_eps: float | None) -> str:
    """Return what the classifier that loses most keeps under the first attack and under the last; "" if none has both."""
    first, *_, last = curves.values()
    both = {
        (entry, eps): (first[entry][eps], row)
        for entry, curve in last.items()
        for eps, row in curve.items()
        if eps > 0 and (about is None or entry in about) and eps in first.get(entry, {})
    }
    trained = {place: rows for place, rows in both.items() if place[1] == training_eps}
    both = trained or both
    if not both:
        return ""
    entry, eps = max(both, key=lambda place: both[place][0].value - both[place][1].value)
    kept = ", on ".join(
        f"{percent(row.value)} under {in_sentence(attack_name([row.threat]))}" for row in both[entry, eps]
    )
    return f"At {'the training ' if trained else ''}eps {eps:g}, {called(entry)} is right on {kept}"


def _words(curves: Panels) -> str:
    titles = _titles(curves)
    parts = [
        f"{called(entry)} goes from {percent(curve[min(curve)].value)} at eps {min(curve):g} to"
        f" {percent(curve[max(curve)].value)} at eps {max(curve):g} ({titles[panel]})"
        for panel, lines in curves.items()
        for entry, curve in lines.items()
    ]
    return "Accuracy against eps. " + "; ".join(parts) + "."
