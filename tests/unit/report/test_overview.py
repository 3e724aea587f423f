"""The picture at the head of the page: what its headline says of shares and of AUROCs."""

from types import SimpleNamespace

import pytest

import synthetic_study
from touchstone.claims.contrasts import Contrast
from touchstone.claims.measurements import Quantity
from touchstone.report.overview import AWARE, UNAWARE, overview, takeaway

STUDY = vars(synthetic_study)


def contrast(paper, unaware, aware, measured, names=("does not attack", "knows all")):
    row = STUDY["metric_row"](measured, 0.5, 0.5, 0.5)
    parts = (
        SimpleNamespace(name=name, bound=0.0, quantity=Quantity(value, value, value, row))
        for name, value in zip(names, (unaware, aware), strict=True)
    )
    return Contrast(paper, "what is drawn", *parts, None, False)


def test_the_headline_names_what_falls_and_what_holds():
    contrasts = [
        contrast("Worst", 0.79, 0.04, "robust_accuracy_mean"),
        contrast("Detector", 0.96, 0.7, "auroc_both_mean"),  # more than half of what is above chance
        contrast("Training", 0.8, 0.7, "robust_accuracy_mean"),
    ]

    words = "Worst and Detector lose more than half under the strongest attack; Training keeps half or more"
    assert takeaway(contrasts) == words
    assert takeaway(contrasts[2:]) == "Training keeps half or more under the strongest attack"
    assert takeaway(contrasts[:1]) == "Worst loses more than half under the strongest attack"


def test_the_headline_says_of_no_upper_bound_that_it_is_kept():
    kept, stuck = (
        contrast("Training", 0.8, 0.7, "robust_accuracy_mean"),
        contrast("ALOE", 0.99, 0.98, "auroc_both_mean"),
    )
    bound = stuck._replace(upper_bound=True)
    fallen = contrast("Worst", 0.99, 0.2, "auroc_both_mean")._replace(upper_bound=True)

    words = "Training keeps half or more under the strongest attack; of ALOE only an upper bound is known"
    assert takeaway([kept, bound]) == words
    assert takeaway([bound]) == "Of ALOE only an upper bound is known under the strongest attack"
    assert takeaway([fallen]) == "Worst loses more than half under the strongest attack"  # the truth is lower still


@pytest.mark.parametrize(
    ("unaware", "aware", "measured", "words"),
    [
        (0.996, 0.003, "robust_accuracy_mean", ["99.6 %", "0.3 %"]),
        (1.0, 0.0, "robust_accuracy_mean", ["100 %", "0 %"]),
        (0.9964, 0.4962, "auroc_both_mean", ["0.996", "0.496"]),
        (0.99996, 0.5, "auroc_both_mean", ["> 0.999", "0.50"]),
        (0.9997, 0.0002, "robust_accuracy_mean", ["> 99.9 %", "< 0.1 %"]),
    ],
)
def test_no_number_is_rounded_to_all_to_none_or_to_chance(unaware, aware, measured, words):
    assert [text.split(":")[0] for text in attackers(contrast("Worst", unaware, aware, measured))] == words


def attackers(one):
    """Return the lines of a figure of one system that say what its attackers do."""
    return list(coloured(one).values())


def coloured(one):
    """Return {colour of a dot: the line behind it}."""
    texts = [text for text in overview([one]).axes[0].texts if text.get_text()]
    dots = {place: text.get_color() for place, text in enumerate(texts) if text.get_text() == "\N{BLACK CIRCLE}"}
    return {colour: texts[place + 1].get_text() for place, colour in dots.items()}


def test_each_dot_has_its_attacker_below_it_in_its_colour():
    one = contrast("Some", 0.9, 0.5, "robust_accuracy", ("takes one step", "runs a suite: of attacks"))

    assert coloured(one) == {UNAWARE: "90 %: takes one step", AWARE: "50 %: runs a suite"}


def test_dots_of_equal_values_are_apart():
    (axes,) = overview([contrast("Some", 0.9, 0.9, "robust_accuracy")]).axes

    dots = [line.get_ydata()[0] for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert len(set(dots)) == 2
