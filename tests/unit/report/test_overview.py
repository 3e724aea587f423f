"""The picture at the head of the page: what its headline says of shares and of AUROCs."""

from types import SimpleNamespace

import pytest

import synthetic_study
from touchstone.claims.contrasts import Contrast
from touchstone.claims.measurements import Quantity
from touchstone.report.overview import AWARE, UNAWARE, overview, takeaway

STUDY = vars(synthetic_study)


def contrast(paper, unaware, aware, measured, names=("does not attack", "knows all"), without=None, system=None):
    row = STUDY["metric_row"](measured, 0.5, 0.5, 0.5)
    values = zip((*names, "without it"), (unaware, aware, without), strict=True)
    parts = [
        SimpleNamespace(name=name, bound=0.0, quantity=Quantity(value, value, value, row))
        for name, value in values
        if value is not None
    ]
    return Contrast(system or paper, "what is drawn", *(*parts, None)[:3], False)


def between(part, low, high):
    return SimpleNamespace(**vars(part) | {"quantity": part.quantity._replace(low=low, high=high)})


@pytest.mark.parametrize(
    ("tested", "attacked", "fate"),
    [
        ((0.05, 0.05), (0.0, 0.0), "gains nothing even as the paper tests it"),
        ((0.05, 0.3), (0.0, 0.0), "the intervals leave it open"),  # it may gain .2
        ((0.5, 0.9), (0.2, 0.29), "loses more than half of its gain"),  # of the .4 that it gains at least
        ((0.5, 0.9), (0.2, 0.45), "the intervals leave it open"),  # half of .4, or less than half of .8
        ((0.5, 0.9), (0.51, 0.6), "keeps half or more of its gain"),
    ],
)
def test_what_the_interval_of_the_gain_leaves_open_is_not_told_as_certain(tested, attacked, fate):
    one = contrast("Some", 0.1, 0.1, "robust_accuracy_mean", without=0.1)
    one = one._replace(unaware=between(one.unaware, *tested), aware=between(one.aware, *attacked))

    assert fate in takeaway([one])


def test_the_headline_names_what_falls_and_what_holds():
    contrasts = [
        contrast("Worst", 0.79, 0.04, "robust_accuracy_mean", without=0.01),
        contrast("Detector", 0.96, 0.7, "auroc_both_mean", without=0.5),
        contrast("Training", 0.8, 0.7, "robust_accuracy_mean", without=0.01),
    ]

    kept = "Training keeps half or more of its gain"
    assert (
        takeaway(contrasts)
        == f"Under the strongest attack tried, Worst and Detector lose more than half of their gain; {kept}"
    )
    assert takeaway(contrasts[2:]) == f"Under the strongest attack tried, {kept}"
    assert takeaway(contrasts[:1]) == "Under the strongest attack tried, Worst loses more than half of its gain"


def test_the_gain_is_counted_from_the_mark_without_the_method():
    fallen = contrast("Some", 0.9, 0.7, "robust_accuracy", without=0.6)
    kept = contrast("ALOE", 0.9, 0.5, "auroc_union", without=0.01)
    nothing = contrast("None", 0.6, 0.59, "robust_accuracy", without=0.6)

    assert takeaway([fallen]).endswith("Some loses more than half of its gain")
    assert takeaway([kept]).endswith("ALOE keeps half or more of its gain")
    assert takeaway([nothing]).endswith("None gains nothing even as the paper tests it")


def test_a_gain_is_never_counted_from_zero_or_chance():
    one, other = contrast("Some", 0.9, 0.1, "robust_accuracy"), contrast("Other", 0.9, 0.8, "auroc_both_mean")

    assert takeaway([one, other]) == (
        "Under the strongest attack tried, of Some and Other it is not known what is left without the method"
    )


def test_an_interval_on_both_sides_of_half_of_the_gain_leaves_it_open():
    one = contrast("Some", 0.9, 0.8, "robust_accuracy", without=0.6)
    one.aware.quantity = one.aware.quantity._replace(low=0.7, high=0.9)  # half is .75

    assert takeaway([one]) == "Under the strongest attack tried, of Some the intervals leave it open"


def test_the_headline_names_systems_of_one_paper_whose_fates_differ():
    fallen = contrast("FGSM", 0.9, 0.1, "robust_accuracy", without=0.05, system="FGSM training of a CNN")
    kept = contrast("FGSM", 0.9, 0.8, "robust_accuracy", without=0.05, system="FGSM training of an MLP")

    assert takeaway([fallen, kept]) == (
        "Under the strongest attack tried, FGSM training of a CNN loses more than half of its gain; "
        "FGSM training of an MLP keeps half or more of its gain"
    )
    both = (
        "FGSM training of a CNN and FGSM training of an MLP lose more than half of their gain"  # and no other training
    )
    assert takeaway([fallen, fallen._replace(system=kept.system)]).endswith(both)


def test_the_headline_says_of_no_upper_bound_that_it_is_kept():
    kept, stuck = (
        contrast("Training", 0.8, 0.7, "robust_accuracy_mean", without=0.1),
        contrast("ALOE", 0.99, 0.98, "auroc_both_mean", without=0.5),
    )
    bound = stuck._replace(upper_bound=True)
    fallen = contrast("Worst", 0.99, 0.2, "auroc_both_mean", without=0.1)._replace(upper_bound=True)

    start, unknown = "Under the strongest attack tried, ", "of ALOE only an upper bound is known"
    assert takeaway([kept, bound]) == f"{start}Training keeps half or more of its gain; {unknown}"
    assert takeaway([bound]) == start + unknown
    assert takeaway([fallen]) == f"{start}Worst loses more than half of its gain"  # the truth is lower still


@pytest.mark.parametrize(
    ("unaware", "aware", "measured", "words"),
    [
        (0.996, 0.003, "robust_accuracy_mean", ["99.6 %", "0.3 %"]),
        (1.0, 0.0, "robust_accuracy_mean", ["100 %", "0 %"]),
        (0.9964, 0.4962, "auroc_both_mean", [".996", ".496"]),
        (0.99996, 0.5, "auroc_both_mean", ["> .999", ".50"]),
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


def test_shares_and_aurocs_have_panels_of_their_own_and_chance_is_marked():
    shares, aurocs = overview([contrast("A", 0.9, 0.5, "auroc_union"), contrast("B", 0.9, 0.5, "robust_accuracy")]).axes

    assert (shares.get_xlabel(), aurocs.get_xlabel()) == ("share of attacked images", "AUROC")
    assert [text.get_text() for text in aurocs.get_xticklabels()] == ["0", ".25", ".5 chance", ".75", "1"]


def test_what_each_mark_is_stands_left_of_a_mark_at_0_and_is_drawn_there():
    (axes,) = overview([contrast("Some", 0.9, 0.0, "robust_accuracy", without=0.1)]).axes

    words = [text for text in axes.texts if text.get_text() == "\N{BLACK CIRCLE}"]
    assert all(text.xy[0] < axes.get_xlim()[0] and text.get_annotation_clip() is False for text in words)


def test_a_number_that_the_marks_need_stands_below_them_in_words():
    one = contrast("Some", 0.9, 0.5, "flagged_rate", without=0.1)
    also = SimpleNamespace(
        name="other images flagged, too", bound=None, quantity=one.unaware.quantity._replace(value=0.31)
    )
    priced = one._replace(also=also)

    assert any(text.get_text() == "31 %: other images flagged, too" for text in overview([priced]).axes[0].texts)
    assert not any("flagged, too" in text.get_text() for text in overview([one]).axes[0].texts)


def test_the_mark_without_the_method_is_written_out():
    (axes,) = overview([contrast("Some", 0.9, 0.5, "robust_accuracy", without=0.1)]).axes

    assert "10 %: without it" in [text.get_text() for text in axes.texts]


def test_dots_of_equal_values_are_apart():
    (axes,) = overview([contrast("Some", 0.9, 0.9, "robust_accuracy")]).axes

    dots = [line.get_ydata()[0] for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert len(set(dots)) == 2
