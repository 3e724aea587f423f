"""FGSM on logistic regression, compared with what its weights predict."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.rows import only, row, rows_of, with_means
from touchstone.evaluations.statistics.threats import network, white_box
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell, Checkpoint

METRICS = ("closed_form_error", "error_minus_closed_form", "greatest_loss_difference")


def closed_form(checkpoints: list[Cell], examples: list[Cell], outputs: list[Cell]) -> list[MetricRow]:
    """Compare FGSM on logistic regression with its closed form.

    Args:
        checkpoints: of the classifiers; all but logistic regressions are skipped.
        examples: the clean sets.
        outputs: on white-box FGSM versions of them, before rounding to 8 bits.

    Returns:
        Rows per logistic regression and FGSM set, then means over seeds. If FGSM clips to [0, 1], the exact worst case
        inside [0, 1] replaces eps ||w||_1. Differences on the same images have no interval. Metrics:

        - closed_form_error: the share of images with y (w.x + b) <= eps ||w||_1, with its exact binomial interval.
        - error_minus_closed_form: the measured error minus that.
        - greatest_loss_difference: the largest difference, in nats, between an image's cross-entropy and zeta(eps
          ||w||_1 - y (w.x + b)).

    Raises:
        ValueError: there is no such set.

    References:
        Goodfellow et al. 2015, section 5, with its sign corrected; docs/papers/fgsm.md, "Linear models".
    """
    rows = [one for cell in outputs if _asked(cell, checkpoints) for one in _rows(cell, checkpoints, examples)]
    if not rows:
        raise ValueError("no outputs of logistic_regression on images that FGSM made with full knowledge of it")
    return with_means(rows)


class _Plane(NamedTuple):
    """w.x + b of a logistic regression in pixels, with its normalisation folded in."""

    weights: Array
    bias: float

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> _Plane:
        pixels = int(np.prod(checkpoint.input_shape[1:]))
        mean, std = (np.repeat(np.array(values, np.float64), pixels) for values in (checkpoint.mean, checkpoint.std))
        weights = checkpoint.weights["linear.weight"][0].astype(np.float64) / std
        return cls(weights, float(checkpoint.weights["linear.bias"][0]) - float(weights @ mean))

    def __call__(self, images: Array) -> Array:
        return np.asarray(images @ self.weights + self.bias)


def _network_of(cell: Cell, checkpoints: list[Cell]) -> Cell:
    matching = (checkpoint for checkpoint in checkpoints if checkpoint.entry and network(checkpoint) == network(cell))
    return only(matching, f"checkpoint of {network(cell)}")


def _asked(cell: Cell, checkpoints: list[Cell]) -> bool:
    settings = cell.settings
    if not white_box(cell) or not settings["use"].endswith("fgsm") or settings.get("target", "none") != "none":
        return False
    return bool(_network_of(cell, checkpoints).noun.architecture["use"].endswith("logistic_regression"))


def _rows(cell: Cell, checkpoints: list[Cell], examples: list[Cell]) -> list[MetricRow]:
    of, outputs, eps = _network_of(cell, checkpoints), cell.noun, float(cell.settings["eps"])
    clean_sets = (c for c in examples if c.examples == cell.examples and not c.attack and not c.translator)
    clean = only(clean_sets, f"clean {cell.examples}")
    plane, same = _Plane.of(of.noun), rows_of(clean.noun.example_ids, outputs.example_ids, clean.file)
    images = clean.noun.images[same].reshape(len(same), -1).astype(np.float64)
    signs = np.where(outputs.labels == 1, 1.0, -1.0)
    moved = images - eps * signs[:, None] * np.sign(plane.weights)
    worst = signs * plane(moved.clip(0, 1) if cell.settings.get("clip", True) else moved)
    # The first of two equal logits is predicted, which is class 0.
    exact = np.where(signs > 0, worst <= 0, worst < 0)
    logits = outputs.unquantised_logits.astype(np.float64)
    measured = logits.argmax(axis=1) != outputs.labels
    losses = np.logaddexp(0, -signs * (logits[:, 1] - logits[:, 0]))
    off = float(np.abs(losses - np.logaddexp(0, -worst)).max())
    difference = float(measured.mean() - exact.mean())
    measurements = [
        ("closed_form_error", intervals.binomial(int(exact.sum()), len(exact)), "fraction"),
        ("error_minus_closed_form", Interval(difference, None, None), "difference of fractions"),
        ("greatest_loss_difference", Interval(off, None, None), "nats"),
    ]
    files = [cell, of, clean]
    return [
        row(name, interval, cell=cell, n=len(exact), unit=unit, files=files) for name, interval, unit in measurements
    ]
