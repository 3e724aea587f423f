"""A ROC curve in its 95 % band, as every figure of ROC curves draws one."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from numpy.typing import NDArray

from touchstone.evaluations.statistics import rank_intervals
from touchstone.evaluations.statistics.estimators import roc
from touchstone.report import drawing

Array = NDArray[Any]


def roc_line(
    axes: Axes, id_scores: Array, ood_scores: Array, *, label: str, look: dict[str, Any], resamples: int
) -> None:
    """Draw a ROC curve in its band: the share of ID inputs flagged (across), of anomalous ones caught (up).

    Args:
        axes: where to draw it.
        id_scores, ood_scores: (N,) and (M,); higher is more anomalous.
        label: its words in the legend.
        look: colour and style of the line, as `palette` gives them.
        resamples: stratified bootstrap samples of the pointwise 95 % band, always the same ones.
    """
    band = rank_intervals.roc_band(id_scores, ood_scores, resamples=resamples, seed=0)
    axes.fill_between(*band, color=look["color"], alpha=0.14, linewidth=0)
    axes.plot(*drawing.thinned(*roc(id_scores, ood_scores)), label=label, **look)
