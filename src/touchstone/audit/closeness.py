"""Whether an artefact equals its recomputation: exactly, or within what another processor changes.

Only the bounds of what was trained, a detector or a probe, depend on what a record says of a processor or of code.
docs/verify.md has the bounds and their measurement.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from touchstone.audit.budget_checks import check_rows
from touchstone.audit.metric_comparison import compare_metrics
from touchstone.audit.row_closeness import DECIDED, STEPS, check_decisions, check_order, compare_arrays
from touchstone.numerics.precision import EPSILON
from touchstone.records.metric_tables import Metrics
from touchstone.records.nouns import Array, Detector, ExampleSet, LeftOut, Margins, Outputs, Scores

CANCELLED = 0.5  # steps of float32 at a row's largest gradient for any label, before squaring
SCORED = 2e-4  # of the calibration spread, or of a larger score: some detectors read the layers of a network
SEARCHED = 1e-3  # of a margin: a search takes many steps, and each starts from what the last one left
FITTED = 1e-3  # of the calibration spread, or of a larger score: scores of a detector that was fitted elsewhere
TRAINED = 0.05  # the same of a detector that was trained on anomalies: many steps, each from what the last one left
TRAININGS_DECIDE = 0.1  # of the rows: how many scores of such a detector may change sides of a value


class Closeness(NamedTuple):
    """How well an artefact equals its recomputation.

    Attributes:
        exact: Whether they are equal to the last bit.
        ties: How many predictions are within the tolerance of a tie, so that rounding may have chosen either class.
        ordered: Whether the order of the scores was checked; not that of many within a few steps of float32.
        loose: Whether it is close only by the bound for what was trained on another processor, as its record says.
    """

    exact: bool
    ties: int = 0
    ordered: bool = True
    loose: bool = False


def compare(stated: Any, computed: Any, detectors: tuple[Detector, Detector] | None = None) -> Closeness:
    """Check a noun against its recomputation.

    Args:
        stated: As the pack states it.
        computed: As it was recomputed.
        detectors: Of scores: the detector as the pack states it, and with the thresholds that its tensors give.

    Raises:
        ValueError: Says what differs.
    """
    if detectors is not None:
        _check_flags(stated, computed, *detectors)
    if identical(stated, computed):
        return Closeness(exact=True)
    if isinstance(computed, LeftOut):
        raise ValueError(f"it cannot be computed: {computed.reason}")
    ties, ordered = 0, True
    match stated:
        case Metrics():
            compare_metrics(stated, computed)
        case Outputs():
            ties = _compare_outputs(stated, computed)
        case Scores():
            _compare_identity(stated, computed)
            spread = detectors[1].spread if detectors else 0.0
            ordered = _compare_scores("scores", stated.scores, computed.scores, spread, SCORED, DECIDED)
        case Detector():
            compare_calibration(stated, computed)
        case ExampleSet():
            _compare_identity(stated, computed)
            if stated.source != computed.source:
                raise ValueError(f"its source is {stated.source!r}, recomputed {computed.source!r}")
            compare_arrays("images", stated.images, computed.images)
        case Margins():
            ordered = _compare_margins(stated, computed)
        case _:
            raise ValueError(f"{type(stated).__name__} are compared by their bytes only, and these differ")
    return Closeness(exact=False, ties=ties, ordered=ordered)


def nearer(stated: Any, first: Any, second: Any) -> Any:
    """Merge two recomputations: take each number from the one that is nearer to the stated number.

    Args:
        stated: A noun, as the pack states it.
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


def identical(stated: Any, computed: Any) -> bool:
    """Return whether two values are equal to the last bit; notes are not compared.

    `budget_checks.check_flat_share` compares those that claims are judged by.
    """
    if type(stated) is not type(computed):
        return False
    if isinstance(stated, np.ndarray):
        return bool(stated.dtype == computed.dtype and np.array_equal(stated, computed))
    if isinstance(stated, dict):
        return stated.keys() == computed.keys() and all(identical(stated[name], computed[name]) for name in stated)
    if is_dataclass(stated):
        names = [field.name for field in fields(stated) if field.name != "notes"]
        return all(identical(getattr(stated, name), getattr(computed, name)) for name in names)
    return bool(stated == computed)


# --- nouns ------------------------------------------------------------------------------------------------------------


def _compare_identity(stated: Any, computed: Any) -> None:
    check_rows("example_ids", stated.example_ids, computed.example_ids)
    check_rows("labels", stated.labels, computed.labels)


def _compare_outputs(stated: Outputs, computed: Outputs) -> int:
    _compare_identity(stated, computed)
    flipped = int((stated.predictions != computed.predictions).sum())
    arrays: dict[str, tuple[Array, Array | None]] = {"logits": (stated.logits, computed.logits)}
    if (stated.unquantised_logits is None) != (computed.unquantised_logits is None):
        raise ValueError("its logits of float images are there in only one of pack and recomputation")
    if stated.unquantised_logits is not None:
        arrays["logits of float images"] = (stated.unquantised_logits, computed.unquantised_logits)
    for group in ("features", "gradient_norms"):
        first, second = getattr(stated, group), getattr(computed, group)
        if first.keys() != second.keys():
            raise ValueError(f"its {group} are {sorted(first)}, recomputed {sorted(second)}")
        arrays |= {f"{group}.{name}": (first[name], second[name]) for name in first}
    besides = _rounded_away(computed.gradient_norms)
    try:
        for name, pair in arrays.items():
            compare_arrays(name, *pair, besides=besides.get(name, 0.0))
    except ValueError as error:
        if flipped:
            raise ValueError(f"{flipped} of its predictions are other classes than recomputed; {error}") from None
        raise
    check_decisions("its predictions are other classes than recomputed", flipped, len(stated.logits))
    top = np.sort(computed.logits, axis=1)[:, -2:]
    allowed = 2 * STEPS * EPSILON * np.abs(computed.logits).max(axis=1)
    return int((top[:, -1] - top[:, 0] <= allowed).sum()) if computed.logits.shape[1] > 1 else 0


def _rounded_away(norms: dict[str, Array]) -> dict[str, Array]:
    """Return by how much squared gradient norms may move because a label's gradient almost cancels, by their arrays' names.

    The gradient for the predicted label is one of p - 1, and of a sure network the p is within a few steps of 1. The
    gradient for a label that no input carries says how large it was before.
    """
    if not norms:
        return {}
    roots = {name: np.sqrt(values.astype(np.float64)) for name, values in norms.items()}
    lost = CANCELLED * EPSILON * np.max([values.max(axis=1, keepdims=True) for values in roots.values()], axis=0)
    return {f"gradient_norms.{name}": (values + lost) ** 2 - values**2 for name, values in roots.items()}


def _check_flags(stated: Scores, computed: Scores, detector: Detector, calibrated: Detector) -> None:
    """Check that the thresholds of a detector flag the same images as those of its calibration images."""
    if stated.scores.shape != computed.scores.shape:
        return  # said when their rows are compared
    turned = {
        int(((stated.scores > detector.thresholds[rate]) != (computed.scores > threshold)).sum()): rate
        for rate, threshold in calibrated.thresholds.items()
        if rate in detector.thresholds  # other rates are named where the detector is compared
    }
    if turned:
        most = max(turned)
        words = f"its images are flagged otherwise at a false-positive rate of {turned[most]}"
        check_decisions(words, most, len(stated.scores))


def _compare_margins(stated: Margins, computed: Margins) -> bool:
    _compare_identity(stated, computed)
    for what in ("norm", "method"):
        if getattr(stated, what) != getattr(computed, what):
            raise ValueError(f"its {what} is {getattr(stated, what)!r}, recomputed {getattr(computed, what)!r}")
    check_rows("predictions", stated.predictions, computed.predictions)
    check_rows("rows with a margin", stated.found, computed.found)
    first, second = stated.margins[stated.found], computed.margins[computed.found]
    compare_arrays("margins", first, second, SEARCHED)
    return check_order("margins", first, second)


def compare_calibration(stated: Detector, computed: Detector) -> None:
    """Check the settings, thresholds and spread of a detector against those that its tensors give.

    Args:
        stated: As the pack states it.
        computed: With the same tensors.

    Raises:
        ValueError: Says what differs.
    """
    if stated.settings != computed.settings or stated.supervised != computed.supervised:
        raise ValueError("its settings are not those that it is fitted with")
    if stated.thresholds.keys() != computed.thresholds.keys():
        raise ValueError(
            f"its thresholds are for {sorted(stated.thresholds)}, recomputed for {sorted(computed.thresholds)}"
        )
    largest = computed.spread
    for rate, threshold in stated.thresholds.items():
        expected = computed.thresholds[rate]
        largest = max(largest, abs(expected))
        if not abs(threshold - expected) <= SCORED * max(computed.spread, abs(expected)):
            raise ValueError(
                f"its threshold for a false-positive rate of {rate} is {threshold:.6g}; the calibration images give"
                f" {expected:.6g}"
            )
    if not abs(stated.spread - computed.spread) <= SCORED * largest:
        raise ValueError(f"its spread is {stated.spread:.6g}; the calibration images give {computed.spread:.6g}")


def compare_fits(what: str, stated: Array, fitted: Array, calibrated: Detector) -> bool:
    """Check the scores that two fits of a detector give the same images.

    Rounding decides the sign and the order of directions in which data does not vary, so the tensors of a fit elsewhere may
    be others. Their scores are not.

    Args:
        what: Their name.
        stated: By the stated tensors.
        fitted: By the tensors that are fitted here.
        calibrated: The detector, with the spread of its calibration scores.

    Returns:
        Whether their order was checked, as `Closeness.ordered`.

    Raises:
        ValueError: Says what differs.
    """
    words = f"{what}, by the detector that is fitted here,"
    bounds = (TRAINED, TRAININGS_DECIDE) if calibrated.supervised else (FITTED, DECIDED)
    return _compare_scores(words, stated, fitted, calibrated.spread, *bounds)


def _compare_scores(what: str, stated: Array, computed: Array, spread: float, share: float, decided: float) -> bool:
    """Check that no score moved by more than a share of the calibration spread, or of a larger score, nor their order."""
    moved = np.abs(stated - computed) / np.maximum(np.abs(computed), spread)
    if (differs := ~(moved <= share)).any():
        row = int(differs.argmax())
        raise ValueError(
            f"its {what} are not what is computed here: {differs.sum()} of {len(moved)} rows differ, row {row} by"
            f" {abs(stated[row] - computed[row]) / spread:.2g} of the spread of the calibration scores"
        )
    return check_order(what, stated, computed, decided)
