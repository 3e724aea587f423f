"""What is known of sets before any file is read is what their components say and do."""

import numpy as np
import pytest

from touchstone import registry
from touchstone.data import digits, gtsrb, svhn
from touchstone.data.ingest import cifar, idx
from touchstone.data.ingest.pixels import tiles
from touchstone.data.ingest.splits import rows_of_part
from touchstone.settings import known_sets
from touchstone.settings.known_sets import GENERATED, KEEPING, PUBLISHED, TILED, UNLABELLING, Known, known

SELECTING = ("class_split", "held_out_classes", "two_classes")
SPLITS = {  # rows, shares
    "digits": (digits.ROWS, digits.SHARES),
    "mnist": (idx.TRAINING_ROWS, idx.SHARES),
    "fashion_mnist": (idx.TRAINING_ROWS, idx.SHARES),
    "cifar10": (cifar.TRAINING_ROWS, cifar.SHARES),
    "cifar100": (cifar.TRAINING_ROWS, cifar.SHARES),
    "svhn": (svhn.TRAINING_ROWS, svhn.SHARES),
}


def components(name):
    """The names of the components of data/ to which jobs pass this."""
    every = [registry.component("data", each) for each in registry.names("data")]
    return {each.name for each in every if name in each.call.data}


def entry(use, **settings):
    """An entry of examples with every default."""
    component = registry.component("data", use)
    defaults = {key: setting.default for key, setting in component.settings.items()}
    return {"use": f"data/{use}", "source": None, "of": None, **defaults, **settings}


def test_every_component_of_data_is_known():
    assert components("folder") == {*PUBLISHED, *TILED, "own_images"}
    assert components("examples") == {*KEEPING, *UNLABELLING, *SELECTING}
    assert components("generator") - components("examples") - components("folder") == {*GENERATED}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_set_has_the_parts_and_the_source_that_its_component_names(name):
    part = registry.component("data", name).settings.get("part")

    assert tuple(PUBLISHED[name].rows) == (part.type.words if part else ("",))
    assert (PUBLISHED[name].side is None) == ("size" in registry.component("data", name).settings)
    assert PUBLISHED[name].source in registry.names("sources")


@pytest.mark.parametrize("name", SPLITS)
def test_the_parts_have_as_many_images_as_the_split_gives_them(name):
    rows, shares = SPLITS[name]
    labels = np.zeros(rows, np.int64)

    assert {part: PUBLISHED[name].rows[part] for part in shares} == {
        part: len(rows_of_part(labels, shares, part, seed=0)) for part in shares
    }


def test_the_parts_of_gtsrb_have_whole_tracks():
    tracks = np.zeros(gtsrb.TRAINING_ROWS // 30, np.int64)

    assert all(
        PUBLISHED["gtsrb"].rows[part] == 30 * len(rows_of_part(tracks, gtsrb.SHARES, part, seed=0))
        for part in gtsrb.SHARES
    )


@pytest.mark.parametrize("settings", [{}, {"size": 32}, {"scale": 1.0}, {"stride": 9}, {"size": 300, "scale": 0.9}])
@pytest.mark.parametrize("name", TILED)
def test_photographs_give_as_many_tiles_as_are_known(name, settings):
    photographs = TILED[name]
    wanted = {"size": 28, "stride": None, "scale": 0.5, **settings}
    pictures = [np.zeros((photographs.height, photographs.width), np.float32)] * photographs.number
    sources = {"files": {"use": f"sources/{photographs.source}"}}

    number = len(tiles(pictures, count=None, **wanted)[0])
    assert known_sets.rows_of_part(entry(name, source="files", **settings), sources) == number


def test_what_is_made_of_a_set_is_known_by_what_makes_it():
    sources = {"theirs": {"use": "sources/sklearn_digits"}, "mine": {"use": "sources/own_files"}}
    examples = {
        "digits": entry("digits", source="theirs", part="test"),
        "own_digits": entry("digits", source="mine", part="test", limit=50),
        "pictures": entry("own_images", source="mine"),
        "small_pictures": entry("own_images", source="mine", height=28, width=20, colour="rgb", labelled=False),
        "some": entry("subset", of="digits", count=100),
        "dark": entry("natural_shift", of="some", shift="darker"),
        "pair": entry("two_classes", of="dark", negative=3, positive=7),
        "ones": entry("held_out_classes", of="digits", classes=[1], keep=True),
        "others": entry("held_out_classes", of="digits", classes=[1], keep=False),
        "met": entry("class_split", of="digits", split=0, part="met"),
        "unknown": entry("class_split", of="digits", split=0, part="unknown"),
        "unnamed": entry("without_classes", of="digits"),
        "noise": entry("uniform_noise", count=40, channels=3),
    }
    gray = (1, 28, 28)

    assert {name: known(name, examples, sources) for name in examples} == {
        "digits": Known(359, frozenset(range(10)), gray),
        "own_digits": Known(50, frozenset(range(10)), gray),
        "pictures": Known(None, None, None),
        "small_pictures": Known(None, frozenset({-1}), (3, 28, 20)),
        "some": Known(100, frozenset(range(10)), gray),
        "dark": Known(100, frozenset(range(10)), gray),
        "pair": Known(100, frozenset({0, 1}), gray),
        "ones": Known(359, frozenset({1}), gray),
        "others": Known(359, frozenset(range(10)) - {1}, gray),
        "met": Known(359, frozenset({4, 5}), gray),
        "unknown": Known(359, frozenset({-1}), gray),
        "unnamed": Known(359, frozenset({-1}), gray),
        "noise": Known(40, frozenset({-1}), (3, 28, 28)),
    }
