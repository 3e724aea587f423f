"""Assertions on robustness for a test suite of your own: `from touchstone.testing import assert_robust`."""

from __future__ import annotations

from typing import Any

from touchstone.api import inputs
from touchstone.api.arguments import share
from touchstone.api.defence_result import DefenceResult
from touchstone.api.defences import evaluate_defence, rejects
from touchstone.api.evaluation_result import EvaluationResult, shortfall
from touchstone.api.inputs import Images, Labels
from touchstone.api.robust_accuracy import evaluate
from touchstone.contracts import Model


def assert_robust(
    model: Model,
    images: Images,
    labels: Labels | None = None,
    *,
    at_least: float,
    eps: float = 8 / 255,
    **settings: Any,
) -> EvaluationResult | DefenceResult:
    """Attack a model or a defence, and fail unless its robust accuracy is at least as high as asked.

    It also fails if a check says that the attacks were too weak for this model, because nothing is known then. The seed is
    fixed, so the answer changes only with the model, the images or the settings. Of a defence, what is left counts if the
    attacker knows everything.

    Args:
        model: images to logits (N, K), as for `touchstone.evaluate`, or to a pair of logits and rejections or scores, as for
            `touchstone.evaluate_defence`.
        images: (N, C, H, W) in [0, 1]; a tensor, an array, or a loader of batches (images, labels).
        labels: (N,); omitted with a loader.
        at_least: the robust accuracy that is asked, above 0 and at most 1. Leave room below what was measured once: of
            200 images, each is half a point.
        eps: radius of the attacks (L-inf), as a share of the pixel range.
        settings: of that function, such as steps, restarts and queries. Fewer are faster, and weaker. A defence that
            returns scores needs `calibration`.

    Returns:
        What that function returned.

    Raises:
        AssertionError: If the robust accuracy is lower, or if a check of the attacks failed.
        ValueError: If `at_least` is out of range, or as for `touchstone.evaluate`.

    Examples:
        A test of a network whose robust accuracy must be at least 40 %:

        >>> from touchstone.testing import assert_robust
        >>> def test_robust_accuracy():
        ...     assert_robust(load_network(), load_images(), load_labels(), at_least=0.4, eps=8 / 255)
    """
    __tracebackhide__ = True
    at_least = share("at_least", at_least, "0.4")
    if not 0 < at_least <= 1:
        raise ValueError(f"at_least must be above 0 and at most 1, got {at_least:g}")
    try:
        pixels, classes = inputs.pair("images", images, labels, model)
        attack = evaluate_defence if rejects(model, pixels) else evaluate
        result = attack(model, pixels, classes, eps=eps, **settings)
    except (TypeError, ValueError) as error:
        # pytest would show every frame of touchstone, with the images in each
        raise error.with_traceback(None) from error.__cause__
    if problem := shortfall(result.robust_accuracy.value, result.failed_checks, at_least):
        raise AssertionError(f"{problem}. {result}")
    return result
