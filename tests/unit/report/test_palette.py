from collections import Counter
from itertools import pairwise

import pytest

from touchstone.report import palette


def test_a_method_keeps_its_look_whichever_others_are_shown():
    with palette.methods(["cnn", "mlp", "energy", "msp"]):
        alone = palette.line("energy", ["energy"])
        beside = palette.line("energy", ["msp", "energy", "mahalanobis"])

    assert alone == beside == {"color": "#009e73", "linestyle": "-", "marker": "^"}


def test_more_methods_than_colours_are_told_apart_by_their_lines():
    names = [f"method_{place}" for place in range(20)]

    with palette.methods(names):
        looks = {tuple(palette.line(name, names).items())[:2] for name in names}

    assert len(looks) == 20


def test_what_one_figure_shows_differs_in_colour_where_the_order_alone_would_not_see_to_it():
    names = [f"method_{place}" for place in range(20)]
    shown = names[1::6] + names[2:4]

    with palette.methods(names, [shown, names[:2]]):
        looks = {name: palette.line(name, names) for name in names}

    assert len({looks[name]["color"] for name in shown}) == len(shown) == 6
    assert len({(look["color"], look["linestyle"]) for look in looks.values()}) == 20


def test_a_method_that_no_report_named_comes_after_those_it_did():
    with palette.methods(["cnn"]):
        assert palette.line("other", ["other", "cnn"])["color"] == list(palette.COLOURS.values())[1]


def test_outside_a_report_the_figure_alone_decides():
    assert palette.line("b", ["b", "a"])["color"] == list(palette.COLOURS.values())[1]


def test_the_names_are_forgotten_even_after_an_error():
    with pytest.raises(RuntimeError), palette.methods(["a", "b"]):
        raise RuntimeError

    assert palette.line("b", ["b"])["color"] == palette.COLOURS["blue"]


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize("colour", [*palette.COLOURS.values(), *palette.POPULATIONS, palette.IN_DISTRIBUTION])
def test_every_colour_shows_on_light_and_on_dark_paper(colour):
    on_white = 1.05 / (luminance(colour) + 0.05)
    on_dark = (luminance(colour) + 0.05) / (luminance("#1c2025") + 0.05)

    assert on_white > 2 and on_dark > 2.9


def test_neighbouring_populations_differ_in_colour_and_line():
    for one, other in pairwise(palette.population(place) for place in range(9)):
        assert one["color"] != other["color"] and one["linestyle"] != other["linestyle"]


def test_every_method_of_a_large_study_has_a_look_of_its_own():
    names = [f"method_{place}" for place in range(66)]

    with palette.methods(names):
        looks = {(look["color"], look["marker"]) for look in (palette.line(name, names) for name in names)}

    assert len(looks) == 66


def test_a_group_larger_than_the_palette_shares_its_colours_evenly():
    group = [f"method_{place}" for place in range(12)]

    with palette.methods([*(f"other_{place}" for place in range(9)), *group], [group]):
        colours = Counter(palette.line(name, group)["color"] for name in group)

    assert set(colours.values()) == {2}
