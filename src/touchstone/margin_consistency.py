"""Margin consistency: does the order of one margin give that of the other, and does one threshold per eps then suffice?"""

from __future__ import annotations

import numpy as np

from touchstone.evaluation import Array, checked


def orders_agree(inputs: Array, proxies: Array) -> bool:
    """Return whether a pair of rows never stands in another order by `inputs` (N,) than by `proxies` (N,).

    The definition, for all pairs: inputs[a] <= inputs[b] exactly when proxies[a] <= proxies[b]. Infinite input margins
    (not found) tie. papers.md 3.b; Ngnawe et al. 2024, definition 1.
    """
    inputs, proxies = checked(inputs, "inputs"), checked(proxies, "proxies")
    return bool(np.array_equal(inputs[:, None] <= inputs, proxies[:, None] <= proxies))


def threshold_at(inputs: Array, proxies: Array, eps: float) -> float | None:
    """Return a threshold with which proxy <= threshold exactly where input margin <= eps; None where there is none."""
    inputs, proxies = checked(inputs, "inputs"), checked(proxies, "proxies")
    brittle = inputs <= eps
    least = float(proxies[brittle].max(initial=-np.inf))
    return least if least < float(proxies[~brittle].min(initial=np.inf)) else None


def separates_at_every_eps(inputs: Array, proxies: Array) -> bool:
    """Return whether at every eps >= 0 some threshold on the proxy tells brittle rows from the others without error.

    The theorem of Ngnawe et al. 2024: where no two input margins are equal, this holds exactly when `orders_agree`. With
    equal ones it is the weaker of the two, since rows that turn brittle together may have any order among themselves.
    """
    inputs = checked(inputs, "inputs")
    levels = np.unique(inputs[np.isfinite(inputs)])  # between two levels the brittle rows are the same
    return all(threshold_at(inputs, proxies, float(eps)) is not None for eps in levels)
