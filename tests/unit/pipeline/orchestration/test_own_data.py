"""What is wrong with files of the user's own is told before a run, with file, line and key."""

from pathlib import Path

import pytest
from PIL import Image

from touchstone.pipeline.orchestration import own_data
from touchstone.settings.files import ParamsError
from touchstone.settings.study import Study

READ = {"height": None, "width": None, "colour": "as_stored", "broken": "refuse"}
READ |= {"use": "data/own_images", "of": None, "inside": None, "labelled": True, "part": "all", "limit": None}
READ |= {"classes": None, "split_seed": 0, "source": "mine"}
TEXT = """\
data:
  sources:
    mine: {use: own_files, location: mine}
  train:
    pictures: {use: own_images, inside: x, limit: 9}
    few: {use: subset, count: 9}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Four pictures of two classes."""
    monkeypatch.chdir(tmp_path)
    for name in ("cat/1", "cat/2", "dog/1", "dog/2"):
        path = Path("mine", f"{name}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(path)
    Path("mine.yaml").write_text(TEXT)


def mistakes(source=None, few=None, train=None, **settings):
    sources = {"mine": {"use": "sources/own_files", "location": "mine"} | (source or {})}
    examples = {"pictures": READ | settings}
    if few:
        examples["few"] = {"use": "data/subset", "of": "pictures"} | few
    networks = {"net": {"train": "digits"}} if train else {}
    examples |= {"digits": train} if train else {}
    study = {"sources": sources, "examples": examples, "classifiers": networks}
    try:
        own_data.check(Study("mine", study, files=("mine.yaml",)))
    except ParamsError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("settings", "line", "reason"),
    [
        ({}, 0, ""),
        ({"limit": 4, "few": {"skip": 2, "count": 2}}, 0, ""),
        ({"inside": "cat", "labelled": False}, 0, ""),
        ({"limit": 5}, 5, "data.train.pictures.limit: pictures has 4 images, and this takes 5; take fewer"),
        ({"part": "test", "limit": 3}, 5, "data.train.pictures.limit: pictures has 2 images, and this takes 3"),
        ({"few": {"skip": 2, "count": 3}}, 6, "data.train.few.count: pictures has 4 images, and this takes 3 after the first 2"),
        ({"inside": "cat"}, 5, "data.train.pictures: mine/cat: no classes: 1.png and others are in no class folder"),
        ({"inside": "cats"}, 5, "data.train.pictures.inside: mine contains no cats; it contains cat, dog. Did you mean cat?"),
        ({"source": {"location": "gone"}}, 3, "data.sources.mine.location: there is nothing at gone"),
        ({"source": {"use": "sources/mnist", "local_folder": "gone"}}, 3, "data.sources.mine: there is nothing at gone"),
    ],
)  # fmt: skip
def test_own_pictures_are_looked_at(settings, line, reason):
    told = mistakes(**settings)

    assert told.startswith(f"mine.yaml:{line}: {reason}") if reason else not told


def test_pictures_without_classes_may_show_none():
    assert mistakes(inside="cat").endswith("named for its class, or write labelled: false if they show none")
    assert mistakes(inside="cat", labelled=False) == ""


def test_a_part_of_too_few_pictures_is_empty():
    Path("mine/cat/1.png").unlink()
    Path("mine/cat/2.png").unlink()

    reason = "the part calibration of the 2 images of mine is empty; add images, or write part: all"
    assert mistakes(part="calibration") == f"mine.yaml:5: data.train.pictures.use: {reason}"
    assert mistakes(part="test") == ""


def test_files_that_were_copied_before_may_have_gone():
    Path("mine").rename("away")
    assert "there is nothing at mine" in mistakes()

    Path("data/raw").mkdir(parents=True)
    Path("away").rename("data/raw/mine")
    assert not mistakes()
    assert "this takes 5" in mistakes(limit=5)


def test_a_file_of_arrays_is_not_read():
    Path("mine/images.npz").write_bytes(b"none")

    assert not mistakes(limit=5)


def test_pictures_are_opened_and_counted():
    study = Study(
        "mine",
        {
            "sources": {"mine": {"use": "sources/own_files", "location": "mine"}},
            "examples": {"all": READ},
            "classifiers": {},
        },
    )
    assert own_data.check(study)["all"] == 4
    study["examples"]["all"] = READ | {"limit": 3}
    assert own_data.check(study)["all"] == 3
    Path("mine/cat/2.png").write_text("no picture")
    assert "data.train.pictures.use: mine/cat/2.png: " in mistakes()
    assert mistakes(broken="leave_out") == ""


def test_two_sources_of_one_folder_are_refused():
    sources = {
        name: {"use": "sources/own_files", "location": place} for name, place in (("mine", "mine"), ("twin", "./mine"))
    }
    with pytest.raises(ParamsError, match=r"twin\.location: has the files of mine; let sets of mine take parts of it"):
        own_data.check(Study("mine", {"sources": sources, "examples": {}, "classifiers": {}}, files=("mine.yaml",)))
    sources["twin"]["location"] = "mine/cat"
    own_data.check(Study("mine", {"sources": sources, "examples": {}, "classifiers": {}}, files=("mine.yaml",)))


DIGITS = {"use": "data/digits", "source": "sklearn_digits", "of": None, "part": "train", "size": 28, "limit": None}


@pytest.mark.parametrize(
    ("settings", "needed"),
    [
        ({}, "write height: 28, width: 28"),
        ({"colour": "rgb"}, "write height: 28, width: 28, colour: gray"),
        ({"height": 28, "width": 28}, ""),
    ],
)
def test_pictures_have_the_shape_of_those_that_networks_train_on(settings, needed):
    told = mistakes(train=DIGITS, **settings)

    assert told.endswith(needed)
    assert not needed or "and those of digits, on which networks train, are 1 x 28 x 28" in told


@pytest.mark.parametrize(
    ("kind", "size", "needed"), [("L", (5, 4), "write height and width"), ("RGB", (4, 4), "colour")]
)
def test_pictures_of_several_shapes_need_one(kind, size, needed):
    Image.new(kind, size).save("mine/dog/2.png")

    assert "cat/1.png is 1 x 4 x 4 and dog/2.png is " in (told := mistakes())
    assert needed in told
    assert mistakes(height=4, width=4, colour="gray") == ""


@pytest.mark.parametrize(
    ("folders", "settings", "reason"),
    [
        ("cat dog", {}, ""),
        ("bird cat dog", {}, "class 0 is bird in others and cat in pictures, by the order of their folders' names"),
        ("cat zebra", {}, "class 1 is zebra in others and dog in pictures, by the order of their folders' names"),
        ("bird cat dog", {"labelled": False}, ""),
        ("cat dog zebra", {}, ""),
        ("dress shirt", {}, ""),
        ("bird cat dog", {"classes": ["cat", "dog", "bird"]}, ""),
    ],
)
def test_the_names_of_the_folders_give_a_class_one_number_in_all_sources(folders, settings, reason):
    for name in folders.split():
        path = Path("theirs", name, "1.png")
        path.parent.mkdir(parents=True)
        Image.new("L", (4, 4)).save(path)
    sources = {name: {"use": "sources/own_files", "location": name} for name in ("mine", "theirs")}
    examples = {"pictures": READ, "others": READ | {"source": "theirs"} | settings}
    study = Study("mine", {"sources": sources, "examples": examples, "classifiers": {}}, files=("mine.yaml",))

    if not reason:
        assert own_data.check(study)
        return
    with pytest.raises(ParamsError, match=f"others.classes: {reason}; write the same classes for both"):
        own_data.check(study)


def test_numbers_as_names_of_folders_are_the_classes_in_every_source():
    for source, names in (("digits", "0 1 2"), ("more", "1 2 5")):
        for name in names.split():
            path = Path(source, name, "1.png")
            path.parent.mkdir(parents=True)
            Image.new("L", (4, 4)).save(path)
    sources = {name: {"use": "sources/own_files", "location": name} for name in ("digits", "more")}
    examples = {name: READ | {"source": name} for name in sources}
    study = Study("mine", {"sources": sources, "examples": examples, "classifiers": {}}, files=("mine.yaml",))

    assert own_data.check(study) == {"digits": 3, "more": 3}
