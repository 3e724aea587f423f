"""Which sets are of one family, on made-up entries."""

import pytest

from touchstone.settings.families import family, share_images, sources_of

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


def part(name, use="mnist", split_seed=0, limit=None):
    return {"use": f"data/{use}", "source": use, "part": name, "split_seed": split_seed, "limit": limit}


def subset(of, skip, count, split_seed=0):
    return {"use": "data/subset", "of": of, "skip": skip, "count": count, "split_seed": split_seed}


PARTS = {
    "train": part("train"),
    "few": part("train", limit=9),
    "validation": part("validation"),
    "test": part("test"),
    "test_again": part("test", split_seed=1),
    "other_validation": part("validation", split_seed=1),
    "digits_train": part("train", "digits"),
    "other_digits_test": part("test", "digits", split_seed=1),
    "half": subset("test", 0, 50),
    "rest": subset("test", 50, 50),
    "middle": subset("test", 25, 50),
    "mixed": subset("test", 50, 50, split_seed=1),
    "fives": {"use": "data/held_out_classes", "of": "half", "classes": [5], "keep": True},
    "fives_again": {"use": "data/held_out_classes", "of": "half", "classes": [5], "keep": True},
    "blurred": {"use": "data/corruption", "of": "test"},
    "upper": {"use": "data/texture_patches", "source": "textures", "part": "upper", "size": 28},
    "lower": {"use": "data/texture_patches", "source": "textures", "part": "lower", "size": 28},
    "all": {"use": "data/texture_patches", "source": "textures", "part": "all", "size": 28},
    "noise": {"use": "data/uniform_noise", "source": None},
    "flowers": part("all", "own_images") | {"inside": "flowers"},
    "flowers_again": part("all", "own_images") | {"inside": "flowers/"},
    "some_flowers": part("train", "own_images") | {"inside": "flowers"},
    "roses": part("all", "own_images") | {"inside": "flowers/rose"},
    "some_roses": part("train", "own_images") | {"inside": "flowers/rose"},
    "flowerpots": part("all", "own_images") | {"inside": "flowerpots"},
}


@pytest.mark.parametrize(
    ("one", "other", "surely"),
    [
        ("train", "few", True),
        ("train", "validation", False),
        ("train", "other_validation", True),  # of another split
        ("train", "test_again", False),  # the publisher's test images
        ("test", "test_again", True),
        ("digits_train", "other_digits_test", True),  # whose split draws the test images, too
        ("test", "half", True),
        ("half", "rest", False),
        ("half", "middle", True),
        ("half", "mixed", False),  # perhaps: the job that prepares them compares their images
        ("fives", "fives_again", True),
        ("fives", "half", True),
        ("test", "blurred", False),
        ("upper", "lower", False),
        ("upper", "all", True),
        ("noise", "noise", False),
        ("flowers", "flowers_again", True),
        ("flowers", "roses", True),  # a folder in the other
        ("flowers", "some_roses", True),
        ("some_flowers", "some_roses", False),  # perhaps: each is split by itself
        ("flowers", "flowerpots", False),
    ],
)
def test_sets_share_images_if_their_settings_say_so_for_certain(one, other, surely):
    assert share_images(one, other, PARTS) == share_images(other, one, PARTS) == surely
