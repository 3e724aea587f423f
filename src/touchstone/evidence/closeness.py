"""Whether an artefact equals its recomputation: exactly, or within what another processor changes."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from touchstone.evidence.budget_checks import check_rows
from touchstone.records.metric_tables import METRIC_COLUMNS, MetricRow, Metrics
from touchstone.records.nouns import Array, Detector, ExampleSet, LeftOut, Margins, Outputs, Scores

# Of an array's largest value. Between code paths of one processor, logits move by 1e-6; on GPUs with TF32 by 1e-3.
TOLERANCES = {"cpu": 1e-4, "cuda": 5e-3}
FITTED = 0.05  # of a fitted detector's spread or of a tensor's largest value: what fitting elsewhere may change
NUMBERS = ("value", "low", "high", "base_rate", "seed_variance", "image_variance", "residual_variance")
SEARCHED = 10  # times the tolerance of a forward pass: between processors, margins of digits moved by 1.5e-4
ROUNDING = 1e-7  # of a metric: sums in another order


class Closeness(NamedTuple):
    """How well an artefact equals its recomputation.

    Attributes:
        exact: Whether they are equal to the last bit.
        ties: How many predictions are within the tolerance of a tie, so that rounding may have chosen either class.
    """

    exact: bool
    ties: int = 0


def compare(stated: Any, computed: Any, tolerance: float) -> Closeness:
    """Check a noun against its recomputation.

    Args:
        stated: As the evidence states it.
        computed: As it was recomputed.
        tolerance: Of its numbers, relative to the largest of an array.

    Raises:
        ValueError: Says what differs.
    """
    if _identical(stated, computed):
        return Closeness(exact=True)
    if isinstance(computed, LeftOut):
        raise ValueError(f"it cannot be computed: {computed.reason}")
    ties = 0
    match stated:
        case Metrics():
            compare_rows(stated.rows, computed.rows)
            if stated.left_out != computed.left_out:
                raise ValueError(f"it leaves out {list(stated.left_out)}, recomputed {list(computed.left_out)}")
        case Outputs():
            ties = _compare_outputs(stated, computed, tolerance)
        case Scores():
            _compare_identity(stated, computed)
            _close("scores", stated.scores, computed.scores, tolerance)
        case Detector():
            _compare_detectors(stated, computed, tolerance)
        case ExampleSet():
            _compare_identity(stated, computed)
            if stated.source != computed.source:
                raise ValueError(f"its source is {stated.source!r}, recomputed {computed.source!r}")
            _close("images", stated.images, computed.images, tolerance)
        case Margins():
            _compare_margins(stated, computed, tolerance)
        case _:
            raise ValueError(f"verify cannot compare {type(stated).__name__}")
    return Closeness(exact=False, ties=ties)


def nearer(stated: Any, first: Any, second: Any) -> Any:
    """Merge two recomputations: take each number from the one that is nearer to the stated number.

    Args:
        stated: A noun, as the evidence states it.
        first: A recomputation of it. Everything but floating-point arrays comes from this one.
        second: Another recomputation.
    """
    if isinstance(first, np.ndarray):
        alike = first.dtype.kind == "f" and first.shape == getattr(stated, "shape", None) == second.shape
        with np.errstate(invalid="ignore"):  # of infinite margins
            return np.where(abs(second - stated) < abs(first - stated), second, first) if alike else first
    if isinstance(first, dict):
        return {name: nearer(stated.get(name), value, second[name]) for name, value in first.items()}
    if is_dataclass(first) and not isinstance(first, type):
        names = [field.name for field in fields(first)]
        return replace(
            first, **{name: nearer(*(getattr(each, name) for each in (stated, first, second))) for name in names}
        )
    return first


def _identical(stated: Any, computed: Any) -> bool:
    """Return whether two values are equal to the last bit; notes are not compared.

    `budget_checks.check_flat_shares` computes those that claims are judged by.
    """
    if type(stated) is not type(computed):
        return False
    if isinstance(stated, np.ndarray):
        return bool(stated.dtype == computed.dtype and np.array_equal(stated, computed))
    if isinstance(stated, dict):
        return stated.keys() == computed.keys() and all(_identical(stated[name], computed[name]) for name in stated)
    if is_dataclass(stated):
        names = [field.name for field in fields(stated) if field.name != "notes"]
        return all(_identical(getattr(stated, name), getattr(computed, name)) for name in names)
    return bool(stated == computed)


def _compare_margins(stated: Margins, computed: Margins, tolerance: float) -> None:
    _compare_identity(stated, computed)
    for what in ("norm", "method"):
        if getattr(stated, what) != getattr(computed, what):
            raise ValueError(f"its {what} is {getattr(stated, what)!r}, recomputed {getattr(computed, what)!r}")
    check_rows("predictions", stated.predictions, computed.predictions)
    check_rows("rows with a margin", stated.found, computed.found)
    _close("margins", stated.margins[stated.found], computed.margins[computed.found], SEARCHED * tolerance)


def _compare_identity(stated: Any, computed: Any) -> None:
    check_rows("example_ids", stated.example_ids, computed.example_ids)
    check_rows("labels", stated.labels, computed.labels)


def _close(what: str, stated: Array, computed: Array | None, tolerance: float) -> None:
    """Check that no value of an array moved by more than a tolerance. A stated NaN is never within it."""
    if computed is None or stated.shape != computed.shape:
        raise ValueError(f"its {what} have the shape {stated.shape}, recomputed {getattr(computed, 'shape', None)}")
    if not stated.size or np.array_equal(stated, computed):
        return
    scale = max(float(np.abs(computed).max()), np.finfo(np.float64).tiny)
    with np.errstate(over="ignore"):  # of an array of zeros, whatever is stated is infinitely far
        moved = np.abs(stated.astype(np.float64) - computed) / scale
    if not (worst := float(moved.max())) <= tolerance:  # of an array with NaN, max and argmax are those of NaN
        row = int(np.unravel_index(int(moved.argmax()), moved.shape)[0])
        count = int((~(moved.reshape(len(moved), -1) <= tolerance)).any(axis=1).sum())
        raise ValueError(
            f"its {what} are not what is computed here: {count} of {len(moved)} rows differ, row {row} by"
            f" {worst:.2g} of the largest value"
        )


def _compare_outputs(stated: Outputs, computed: Outputs, tolerance: float) -> int:
    _compare_identity(stated, computed)
    flipped = np.flatnonzero(stated.predictions != computed.predictions)
    arrays: dict[str, tuple[Array, Array | None]] = {"logits": (stated.logits, computed.logits)}
    if (stated.unquantised_logits is None) != (computed.unquantised_logits is None):
        raise ValueError("its logits of float images are there in only one of evidence and recomputation")
    if stated.unquantised_logits is not None:
        arrays["logits of float images"] = (stated.unquantised_logits, computed.unquantised_logits)
    for group in ("features", "gradient_norms"):
        first, second = getattr(stated, group), getattr(computed, group)
        if first.keys() != second.keys():
            raise ValueError(f"its {group} are {sorted(first)}, recomputed {sorted(second)}")
        arrays |= {f"{group}.{name}": (first[name], second[name]) for name in first}
    try:
        for name, pair in arrays.items():
            _close(name, *pair, tolerance)
    except ValueError as error:
        if len(flipped):
            raise ValueError(f"{len(flipped)} of its predictions are other classes than recomputed; {error}") from None
        raise
    top = np.sort(computed.logits, axis=1)[:, -2:]
    allowed = 2 * tolerance * float(np.abs(computed.logits).max())
    return int((top[:, -1] - top[:, 0] <= allowed).sum()) if computed.logits.shape[1] > 1 else 0


def _compare_detectors(stated: Detector, computed: Detector, tolerance: float) -> None:
    if stated.settings != computed.settings or stated.supervised != computed.supervised:
        raise ValueError("its settings are not those that it is fitted with")
    if stated.thresholds.keys() != computed.thresholds.keys():
        raise ValueError(
            f"its thresholds are for {sorted(stated.thresholds)}, recomputed for {sorted(computed.thresholds)}"
        )
    allowed = FITTED if computed.state else tolerance
    for rate, threshold in stated.thresholds.items():
        expected = computed.thresholds[rate]
        if not abs(threshold - expected) <= allowed * max(computed.spread, abs(expected) * tolerance):
            raise ValueError(
                f"its threshold for a false-positive rate of {rate} is {threshold:.6g}; the calibration images give"
                f" {expected:.6g}"
            )
    if not abs(stated.spread - computed.spread) <= allowed * computed.spread:
        raise ValueError(f"its spread is {stated.spread:.6g}; the calibration images give {computed.spread:.6g}")
    if stated.state.keys() != computed.state.keys():
        raise ValueError(f"its tensors are {sorted(stated.state)}, recomputed {sorted(computed.state)}")
    for name, values in stated.state.items():
        _close(f"fitted {name}", values, computed.state[name], FITTED)


def compare_rows(stated: list[MetricRow], computed: list[MetricRow]) -> None:
    """Check metric rows against recomputed ones, in the same order.

    Raises:
        ValueError: Names the first row and column that differ, and how many rows do.
    """
    problems = [
        problem for pair in zip_longest(stated, computed) if (problem := _difference(*pair))
    ]  # fmt: skip
    if problems:
        more = f"; {len(problems):,} rows differ" if len(problems) > 1 else ""
        raise ValueError(f"{problems[0]}{more}")


def _difference(stated: MetricRow | None, computed: MetricRow | None) -> str:
    row = computed or stated
    assert row is not None
    seed = "" if row.seed is None else f", seed {row.seed}"
    about = f"{row.metric} of {row.entry} on {row.examples}{seed}"
    if stated is None:
        return f"{about} is missing"
    if computed is None:
        return f"{about} is not measured by the study"
    for column in METRIC_COLUMNS:
        first, second = getattr(stated, column), getattr(computed, column)
        numbers = column in NUMBERS and first is not None and second is not None
        if first != second and not (numbers and abs(first - second) <= ROUNDING * max(1.0, abs(second))):
            return f"{about}: {column} is {_shown(first)}, recomputed {_shown(second)}"
    return ""


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
