"""Which sets are of one family, on made-up entries."""

import pytest

from touchstone.settings.families import family, sources_of

EXAMPLES = {
    "train": {"use": "data/digits", "source": "digits"},
    "test": {"use": "data/digits", "source": "digits"},
    "some": {"use": "data/subset", "of": "test"},
    "six": {"use": "data/held_out_classes", "of": "train"},
    "four": {"use": "data/held_out_classes", "of": "test"},
    "scrambled": {"use": "data/phase_scrambled", "of": "train"},
    "scrambled_test": {"use": "data/phase_scrambled", "of": "some"},
    "walls": {"use": "data/texture_patches", "source": "textures"},
    "floors": {"use": "data/whole_textures", "source": "textures"},
    "few_walls": {"use": "data/subset", "of": "walls"},
    "few_noise": {"use": "data/subset", "of": "noise"},
    "hazy_walls": {"use": "data/corruption", "of": "few_walls"},
    "own_things": {"use": "data/own_images", "source": "things"},
    "own_rooms": {"use": "data/own_images", "source": "rooms"},
    "more_rooms": {"use": "data/own_images", "source": "rooms", "inside": "more"},
    "noise": {"use": "data/uniform_noise"},
    "more_noise": {"use": "data/uniform_noise", "seed": 1},
}


def related(one, other):
    known = sources_of({"six"}, EXAMPLES)
    return bool(family(one, EXAMPLES, known).keys() & family(other, EXAMPLES, known).keys())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("noise", "more_noise"),
        ("few_noise", "more_noise"),
        ("walls", "floors"),
        ("few_walls", "floors"),
        ("hazy_walls", "walls"),
        ("scrambled", "scrambled_test"),
        ("own_rooms", "more_rooms"),
    ],
)
def test_one_component_one_source_or_one_origin_makes_a_family(one, other):
    assert related(one, other)
    assert related(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("few_noise", "few_walls"), ("scrambled", "test"), ("six", "four"), ("noise", "walls")),
        ("own_things", "own_rooms"),
    ],
)
def test_taking_rows_and_coming_from_what_is_known_make_none(one, other):
    assert not related(one, other)


def test_the_sources_of_sets_are_those_of_what_they_are_made_of():
    assert sources_of({"hazy_walls", "noise", "some"}, EXAMPLES) == {"textures", "digits"}
