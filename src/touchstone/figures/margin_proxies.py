"""Figure: which number of a single forward pass best ranks inputs by their distance to the boundary?"""

from __future__ import annotations

from matplotlib.figure import Figure

from touchstone.figures import _heat_maps
from touchstone.figures._curves import means_first
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing

NAMES = {
    "kendall_tau": "logit margin",
    "kendall_tau_features": "exact feature margin",
    "kendall_tau_probability_margin": "probability margin",
    "kendall_tau_max_probability": "max probability",
    "kendall_tau_max_logit": "max logit",
    "kendall_tau_entropy": "minus entropy",
    "kendall_tau_energy": "minus energy",
    "kendall_tau_gini": "minus Gini",
}


def margin_proxies(metrics: list[MetricRow], *, norm: str = "linf") -> Figure:
    """Return a heat map of Kendall's tau of the input margin and each proxy for it, a column per classifier.

    Signs are fixed: a proxy whose tau is below 0 ranks inputs the wrong way round. The 95 % intervals are in small type.

    Args:
        metrics: rows of a margins evaluation.
        norm: of the margins.

    Raises:
        ValueError: no row is about a proxy.
    """
    shown: dict[tuple[str, str], MetricRow] = {}
    for row in means_first(metrics):
        if row.measured in NAMES and row.examples.endswith(f"/{norm}"):
            shown.setdefault((NAMES[row.measured], row.entry), row)
    if not shown:
        raise ValueError("no tau of any stand-in: the evaluation has to use margins")
    proxies = [name for name in NAMES.values() if any(proxy == name for proxy, _ in shown)]
    entries = list(dict.fromkeys(entry for _, entry in shown))
    values = {place: _heat_maps.interval_of(row) for place, row in shown.items()}
    figure, (axes,) = _heat_maps.figure_of({"": proxies}, entries)
    title, small = f"Kendall's tau with the {norm} margin", _heat_maps.what_ends_are(shown.values())
    words = ("stand-in", "classifier")
    _heat_maps.draw(axes, values, proxies, entries, title=title, small=small, words=words, sources=shown, lowest=-1)
    best = "; ".join(
        f"{entry} best by {name} ({values[name, entry].value:.2f})"
        for entry in entries
        for name in [max((one for one, of in values if of == entry), key=lambda one: values[one, entry].value)]
    )
    return drawing.described(figure, f"Kendall's tau of the input margin and each stand-in: {best}.")
