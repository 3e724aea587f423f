"""The picture at the head of the page: what its headline says of shares and of AUROCs."""

from types import SimpleNamespace

import pytest

from touchstone.claims.contrasts import Contrast
from touchstone.claims.measurements import Quantity
from touchstone.report.overview import takeaway


def contrast(paper, unaware, aware, measured):
    row = SimpleNamespace(measured=measured)
    parts = (SimpleNamespace(quantity=Quantity(value, value, value, row)) for value in (unaware, aware))
    return Contrast(paper, "what is drawn", *parts, None, False)


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        ("robust_accuracy_mean", "Worst falls from 79 % to 4 % under the strongest attack"),
        ("auroc_both_mean", "Worst's AUROC falls from 0.79 to 0.04 under the strongest attack"),
    ],
)
def test_the_headline_is_about_the_greatest_fall_and_writes_an_auroc_as_such(measured, words):
    contrasts = [contrast("Other", 0.9, 0.8, "auroc_both_mean"), contrast("Worst", 0.79, 0.04, measured)]

    assert takeaway(contrasts) == words


@pytest.mark.parametrize(
    ("unaware", "aware", "measured", "words"),
    [
        (0.996, 0.003, "robust_accuracy_mean", "from 99.6 % to 0.3 %"),
        (1.0, 0.0, "robust_accuracy_mean", "from 100 % to 0 %"),
        (0.9964, 0.4962, "auroc_both_mean", "from 0.996 to 0.496"),
        (0.99996, 0.5, "auroc_both_mean", "from 0.99996 to 0.50"),
    ],
)
def test_no_number_is_rounded_to_all_to_none_or_to_chance(unaware, aware, measured, words):
    assert words in takeaway([contrast("Worst", unaware, aware, measured)])


def test_small_falls_are_no_headline():
    assert takeaway([contrast("Some", 0.9, 0.85, "robust_accuracy_mean")]).startswith("No system loses 10%")
