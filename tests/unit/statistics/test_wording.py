import pytest

from touchstone.statistics import intervals, rows, seed_intervals
from touchstone.statistics.wording import (
    METHODS,
    RANGE,
    bracketed,
    limit,
    more_digits,
    plain,
    what_brackets_are,
    written,
)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.12345, "fraction", "12.3\u202f%"),
        (0.1, "difference of fractions", "+10.0\u202fpoints"),
        (-0.1, "difference of fractions", "-10.0\u202fpoints"),
        (-0.0001, "difference of fractions", "0.0\u202fpoints"),
        (0.029, "difference", "+0.029"),
        (-0.0001, "difference", "0.000"),
        (0.99992, "", ">\u202f0.999"),
        (1.0, "", "1.000"),
        (0.9999, "fraction", ">\u202f99.9\u202f%"),
        (0.12345, "pixels", "0.1235"),
        (0.98765, "", "0.988"),
        (0.5, "rank correlation", "0.500"),
        (360.0, "images", "360"),
    ],
)
def test_values_are_written_in_their_unit(value, unit, text):
    assert written(value, unit) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.85, "fraction", "85\u202f%"),
        (0.005, "fraction", "0.5\u202f%"),
        (0.4, "difference of fractions", "+40\u202fpoints"),
        (0.0, "difference of fractions", "0\u202fpoints"),
        (0.05, "difference", "+0.05"),
        (0.02, "rank correlation", "0.02"),
    ],
)
def test_a_bound_has_no_more_digits_than_it_was_given(value, unit, text):
    assert limit(value, unit) == text


def test_an_interval_names_its_unit_no_second_time_and_an_open_end_is_a_question_mark():
    assert bracketed(0.4, 0.6, "fraction") == "[40.0, 60.0]"
    assert bracketed(None, -0.1, "difference of fractions") == "[?, -10.0]"
    assert bracketed(None, None, "fraction") == ""
    assert bracketed(0.9999, 1.0, "") == "[0.999, 1.000]"  # around "> 0.999"


def test_plain_text_has_common_spaces_alone():
    assert plain(written(0.5, "fraction")) == "50.0 %"


def test_every_method_has_words():
    assert set(METHODS) == {*seed_intervals.METHODS, intervals.EXACT, intervals.PERCENTILE}
    assert rows.RANGE == RANGE


def test_brackets_are_named_by_the_method_of_their_row():
    assert what_brackets_are("score") == "95 % interval in brackets (score interval)"
    assert what_brackets_are("range") == "least and greatest seed in brackets"
    assert what_brackets_are("") == "95 % interval in brackets"


@pytest.mark.parametrize(
    ("values", "bounds", "unit", "more"),
    [
        ((0.9496, 0.9), [0.95], "fraction", 1),  # 94.96 % misses 95 %
        ((0.95, 0.9), [0.95], "fraction", 0),  # 95 % is 95 %
        ((0.1 + 0.2, 0.9), [0.3], "fraction", 0),  # but for rounding of the machine
        ((0.944, 0.9), [0.95], "fraction", 0),
        ((0.0102, -0.0054), [-0.005], "difference of fractions", 1),  # -.54 points are below -.5
        ((0.0064, -0.00038), [0.0], "difference of fractions", 1),
        ((0.95004,), [0.95], "", 2),
        ((0.95, 0.0500001), [0.05, 0.9], "difference", 3),  # no more than that
        ((5.0,), [5.0], "images", 0),
        ((0.9496,), [], "fraction", 0),
    ],
)
def test_a_number_near_its_bound_has_as_many_digits_as_show_the_side_of_it(values, bounds, unit, more):
    assert more_digits(values, bounds, unit) == more


def test_further_digits_follow_the_usual_ones():
    assert written(0.9496, "fraction", 1) == "94.96\u202f%"
    assert bracketed(-0.0054, 0.0102, "difference of fractions", 1) == "[-0.54, +1.02]"
