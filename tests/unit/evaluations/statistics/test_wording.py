import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from touchstone.evaluations.statistics import rows
from touchstone.evaluations.statistics.wording import (
    NARROW,
    RANGE,
    bracketed,
    limit,
    more_digits,
    of_line,
    plain,
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
        (0.9996, "rank correlation", ">\u202f0.999"),
        (-0.0003, "rank correlation", "0.000"),
        (-0.00003, "pixels", "0.0000"),
        (0.9996, "ratio", "1.000"),
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
    assert bracketed(-0.0001, 0.9999, "ratio") == "[0.000, 1.000]"


def test_the_least_and_the_greatest_network_do_not_look_like_an_interval():
    assert bracketed(0.4, 0.6, "fraction", method=RANGE) == "[40.0 to 60.0]"


def test_plain_text_has_common_spaces_alone():
    assert plain(written(0.5, "fraction")) == "50.0 %"


def test_a_range_has_one_name_in_rows_and_in_words():
    assert rows.RANGE == RANGE


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
        ((0.95, 0.0500001), [0.05, 0.9], "difference", 4),
        ((0.95, 0.05 + 1e-12), [0.05, 0.9], "difference", 0),  # equal but for rounding
        ((0.99992,), [0.9995], "", 1),  # "> 0.999" does not say that it reaches 0.9995
        ((0.9997,), [0.9998], "", 1),
        ((1234567.0,), [1234568.0], "passes", 1),
        ((1.0,), [0.5], "passed", 0),
        ((5.0,), [5.0], "images", 0),
        ((0.9496,), [], "fraction", 0),
    ],
)
def test_a_number_near_its_bound_has_as_many_digits_as_show_the_side_of_it(values, bounds, unit, more):
    assert more_digits(values, bounds, unit) == more


def test_further_digits_follow_the_usual_ones():
    assert written(0.9496, "fraction", 1) == "94.96\u202f%"
    assert bracketed(-0.0054, 0.0102, "difference of fractions", 1) == "[-0.54, +1.02]"


UNITS = [
    "",
    "fraction",
    "difference of fractions",
    "difference",
    "difference of tau",
    "difference of pixels",
    "pixels",
    "passes",
    "images",
    "passed",
]


def read(text):
    """The least number that a reader may take a printed one for; a number just above 0.999 is above it."""
    number = text.split(NARROW)[1 if text.startswith(">") else 0]
    return {"yes": 1.0, "no": 0.0}.get(number) if number in ("yes", "no") else float(number.strip("[],"))


def relation(value, bound):
    return 0 if abs(value - bound) <= 1e-9 else 1 if value > bound else -1


@st.composite
def numbers(draw):
    """A value, its ends and a bound in some unit, often very near to each other, or to 0 and 1."""
    unit = draw(st.sampled_from(UNITS))
    bound = round(draw(st.floats(-1 if "difference" in unit else 0, 1)), draw(st.integers(0, 7)))
    near = st.builds(lambda size, sign: bound + sign * 10**-size, st.floats(0.1, 6), st.sampled_from([-1, 1]))
    end = st.one_of(near, st.just(bound), st.floats(-1, 1), st.sampled_from([0.0, 1.0, 0.99992, 1e-5]))
    low, value, high = sorted(min(max(draw(end), -1 if "difference" in unit else 0), 1) for _ in range(3))
    return unit, value, low, high, bound


@settings(max_examples=500, deadline=None)
@example(("", 6e-05, 0, 6e-05, 6e-05))  # a bound that is written with an exponent
@given(numbers())
def test_what_is_printed_stands_to_its_bound_as_the_exact_numbers_do(drawn):
    unit, value, low, high, bound = drawn
    scale = 100 if "fraction" in unit else 1

    more = more_digits([value, low, high], [bound], unit)

    asked = read(limit(bound, unit))
    ends = bracketed(low, high, unit, more).strip("[]").split(", ")
    for exact, text in zip((value, low, high), (written(value, unit, more), *ends), strict=True):
        assert relation(read(text), asked) == relation(scale * exact, scale * bound), (text, asked)
    line = {"value": repr(value), "low": repr(low), "high": repr(high), "unit": unit, "limits": repr(bound)}
    printed = of_line(line, "value")
    least, most = printed.rpartition("[")[2].strip("[]").split(", ")
    assert relation(read(least), asked) == relation(scale * low, scale * bound), printed
    assert relation(read(most), asked) == relation(scale * high, scale * bound), printed


def test_an_end_just_below_the_bound_of_an_inconclusive_claim_is_shown_to_be_below():
    ends = {"value": "0.0405320", "low": "-0.000196", "high": "0.08126", "unit": "difference"}

    assert of_line(ends | {"limits": "0.0"}, "value") == "+0.0405 [-0.0002, +0.0813]"
    assert of_line(ends | {"limits": "-0.001 0.0"}, "value") == "+0.0405 [-0.0002, +0.0813]"
    assert of_line(ends, "value") == "+0.041 [0.000, +0.081]"  # no claim, so no bound


def test_a_share_of_points_and_a_percentage_beside_its_bound():
    share = {"value": "0.5", "low": "0.49996", "high": "0.6", "unit": "fraction", "limits": "0.5"}

    assert of_line(share, "value") == "50.000 % [49.996, 60.000]"
