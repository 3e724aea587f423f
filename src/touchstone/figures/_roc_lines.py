"""A ROC curve in its 95 % band, as every figure of ROC curves draws one."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from touchstone.report import drawing
from touchstone.statistics import intervals
from touchstone.statistics.estimators import roc

Array = NDArray[Any]


def roc_line(
    axes: Axes, id_scores: Array, ood_scores: Array, *, label: str, look: dict[str, Any], resamples: int
) -> Line2D:
    """Return the line drawn on `axes` in its band: ID inputs flagged (across), anomalous ones caught (up), both shares.

    id_scores (N,), ood_scores (M,): higher is more anomalous. The band is the pointwise 95 % one of `resamples`
    stratified bootstrap samples, always the same ones. look: colour and style of the line, as `palette` gives them.
    """
    band = intervals.roc_band(id_scores, ood_scores, resamples=resamples, seed=0)
    axes.fill_between(*band, color=look["color"], alpha=0.14, linewidth=0)
    (line,) = axes.plot(*drawing.thinned(*roc(id_scores, ood_scores)), label=label, **look)
    return line
