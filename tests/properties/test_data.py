"""Every component of data/ gives a whole ExampleSet on the 1/255 grid, the same one each time."""

import importlib
import inspect
import itertools
import random
import runpy
import types
import typing
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from touchstone.data.ingest.example_notes import prepared
from touchstone.digests import folder_digest, sha256
from touchstone.plugins import module_of
from touchstone.records.damage import DamagedFile
from touchstone.records.encoding import encode
from touchstone.records.nouns import ExampleSet

ARCHIVES = runpy.run_path(str(Path(__file__).parents[1] / "raw_archives.py"))
PACKAGE = Path(__file__).parents[2] / "src/touchstone"
COMPONENTS = sorted(path.stem for path in (PACKAGE / "data").glob("[a-z]*.py"))
SOURCES = sorted(path.stem for path in (PACKAGE / "data/sources").glob("[a-z]*.py"))
NOTES = {"mean_intensity", "sparsity", "licence", "origin"}
SMALL = {
    "count": 12,
    "size": 16,
    "limit": 12,
    "negative": 1,
    "positive": 3,
    "rows": [101],
    "known": 3,
    "seen": 2,
}  # of these settings, instead of their defaults


def load(folder, name):
    return getattr(importlib.import_module(module_of(f"{folder}/{name}")), name)


def parameters(folder, name):
    return inspect.signature(load(folder, name)).parameters


def pictures_by_class(folder):
    for row, level in enumerate(np.random.default_rng(5).integers(0, 256, (24, 12, 12), np.uint8)):
        (folder / "ab"[row % 2]).mkdir(exist_ok=True)
        Image.fromarray(level).save(folder / "ab"[row % 2] / f"{row}.png")
    return folder


def published(folder):
    """Write an archive that somebody publishes, and return what a study says of it."""
    with zipfile.ZipFile(folder / "published.zip", "w") as archive:
        archive.write(__file__, "page.txt")
    digest = sha256((folder / "published.zip").read_bytes())
    return {"url": "http://localhost/published.zip", "sha256": digest, "licence": "CC0", "citation": "Nobody"}


@pytest.fixture(scope="module")
def raw_folders(tmp_path_factory):
    """The raw folder of each source; one that can be told a local folder gets small archives in its own format."""
    local = tmp_path_factory.mktemp("local")
    pictures = str(pictures_by_class(tmp_path_factory.mktemp("pictures")))
    folders = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, table in ARCHIVES["write"](local).items():
            patch.setattr(importlib.import_module(f"touchstone.data.sources.{name}"), "ARCHIVES", table)
        for name in SOURCES:
            folders[name] = tmp_path_factory.mktemp(name)
            told = {"local_folder": str(local), "location": pictures if name == "own_files" else __file__} | published(
                local
            )
            asked = parameters("sources", name)
            load("sources", name)(folders[name], **{key: value for key, value in told.items() if key in asked})
    return folders


@pytest.fixture(scope="session")
def examples():
    levels = np.random.default_rng(3).integers(0, 256, (14, 1, 28, 28))
    ids = np.random.default_rng(4).permutation(14) + 100
    return prepared(levels / 255, np.arange(14) % 4, ids, "letters", licence="CC0", origin="here")


def values(annotation):
    """Return every value to try for a setting that has no default."""
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    match typing.get_origin(annotation) or annotation:
        case typing.Literal:
            return list(typing.get_args(annotation))
        case typing.Union | types.UnionType:
            return [None]
        case x if x is list:
            return [[0, 2]]
        case x if x is bool:
            return [True, False]
        case _:
            return [1]


def settings_to_try(component):
    """Return settings that between them give each setting without a default each of its values, and a seed or so."""
    hints = typing.get_type_hints(component, include_extras=True)
    chosen = [p for p in inspect.signature(component).parameters.values() if p.kind is p.KEYWORD_ONLY]
    small = {p.name: SMALL[p.name] for p in chosen if p.name in SMALL}
    required = {p.name: values(hints[p.name]) for p in chosen if p.default is p.empty and p.name not in SMALL}
    first = {name: options[0] for name, options in required.items()}
    tries = [small | first]
    tries += [small | first | {name: option} for name, options in required.items() for option in options[1:]]
    return tries


def state():
    return repr(np.random.get_state()), random.getstate()


def run(component, given, settings):
    """Return the component's result on given data, with its own generator and the inputs' bytes unchanged."""
    data = dict(given)
    if "generator" in inspect.signature(component).parameters:
        data["generator"] = np.random.default_rng(7)
    before = [encode(value) if isinstance(value, ExampleSet) else folder_digest(value) for value in given.values()]
    globals_before = state()
    result = component(**data, **settings)
    assert state() == globals_before, "uses a global random generator"
    after = [encode(value) if isinstance(value, ExampleSet) else folder_digest(value) for value in given.values()]
    assert before == after, "changes what it was given"
    return result


def hold_to_contract(component, raw_folders, examples):
    """Raise AssertionError where a component breaks the contract of its folder."""
    names = list(inspect.signature(component).parameters.values())
    positional = [p.name for p in names if p.kind is not p.KEYWORD_ONLY]
    assert positional and set(positional) <= {"folder", "examples", "generator"}, f"takes {positional}"
    if "folder" in positional:
        settings = settings_to_try(component)[0]
        read = [name for name, folder in raw_folders.items() if can_read(component, folder, settings)]
        assert read, "reads the raw files of no source"
        assert len(read) < len(raw_folders), "reads the raw files of every source"
        inputs = [{"folder": raw_folders[name]} for name in read]
    else:
        inputs = [{"examples": examples} if "examples" in positional else {}]
    for given, settings in itertools.product(inputs, settings_to_try(component)):
        result, again = run(component, given, settings), run(component, given, settings)
        check_result(result, settings, examples if "examples" in positional else None)
        assert encode(result) == encode(again), "gives another result the second time"


def can_read(component, folder, settings):
    """Return whether the folder is its source's; any other folder must be refused as damaged."""
    data = {"generator": np.random.default_rng(0)} if "generator" in inspect.signature(component).parameters else {}
    try:
        component(folder=folder, **data, **settings)
    except DamagedFile as error:
        assert str(folder) in str(error), "does not name the file that it refuses"
        return False
    return True


def check_result(result, settings, examples):
    assert isinstance(result, ExampleSet), "gives no ExampleSet"
    images = result.images
    assert images.dtype == np.float32 and images.ndim == 4, "images are not float32 (N, C, H, W)"
    if "size" in settings:
        assert images.shape[2:] == (settings["size"],) * 2, "images are not of the size asked for"
    if "count" in settings:
        assert len(images) == settings["count"], "not as many as asked for"
    assert images.min() >= 0 and images.max() <= 1, "leaves [0, 1]"
    levels = np.rint(images * 255)
    assert np.array_equal(images, (levels / np.float32(255)).astype(np.float32)), "is not on the 1/255 grid"
    assert result.labels.min() >= -1, "has labels below -1"
    assert len(np.unique(result.example_ids)) == len(result), "ids are not unique"
    assert set(result.notes) >= NOTES, f"notes lack {sorted(NOTES - set(result.notes))}"
    assert abs(result.notes["mean_intensity"] - images.mean(dtype=float)) < 1e-5, "notes another mean intensity"
    assert abs(result.notes["sparsity"] - (images == 0).mean()) < 1e-5, "notes another sparsity"
    assert result.source, "names no source"
    if examples is not None:
        assert result.source.startswith(f"{examples.source}/"), "its source does not name the set it came from"
        labels = dict(zip(examples.example_ids.tolist(), examples.labels.tolist(), strict=True))
        names = result.notes.get("relabelled", range(max(labels.values()) + 1))  # the old label of each new one
        for row, label in zip(result.example_ids.tolist(), result.labels.tolist(), strict=True):
            assert label == -1 or (label < len(names) and names[label] == labels.get(row)), (
                "an id has another label than before"
            )
    assert images.std() > 0, "all pixels are equal"


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_data_component_keeps_the_contract(name, raw_folders, examples):
    hold_to_contract(load("data", name), raw_folders, examples)


@pytest.mark.parametrize("name", [name for name in COMPONENTS if "folder" in parameters("data", name)])
def test_an_empty_folder_is_refused_with_its_name(name, tmp_path):
    component = load("data", name)

    with pytest.raises(DamagedFile, match=str(tmp_path)):
        component(tmp_path, **settings_to_try(component)[0])


# Mutants: one broken thing each.


def noise_set(generator, **changes):
    """Return a whole set, some of its fields then forced past the checks of ExampleSet."""
    made = prepared(generator.random((12, 1, 8, 8)), np.full(12, -1), np.arange(12), "m", licence="", origin="")
    for name, value in changes.items():
        object.__setattr__(made, name, value)
    return made


def off_grid(generator: np.random.Generator):
    return noise_set(generator, images=generator.random((12, 1, 8, 8)).astype(np.float32))


def out_of_range(generator: np.random.Generator):
    return noise_set(generator, images=np.full((12, 1, 8, 8), 2.0, np.float32))


def double_precision(generator: np.random.Generator):
    return noise_set(generator, images=np.zeros((12, 1, 8, 8)))


def twin_ids(generator: np.random.Generator):
    return noise_set(generator, example_ids=np.zeros(12, np.int64))


def no_source(generator: np.random.Generator):
    return noise_set(generator, source="")


def no_notes(generator: np.random.Generator):
    return noise_set(generator, notes={})


def globally_random(generator: np.random.Generator):
    np.random.rand()
    return noise_set(generator)


def unseeded(generator: np.random.Generator):
    return noise_set(np.random.default_rng())


def blank(generator: np.random.Generator):
    return noise_set(
        generator, images=np.zeros((12, 1, 8, 8), np.float32), notes=dict.fromkeys(NOTES, 0) | {"sparsity": 1}
    )


def wrong_size(generator: np.random.Generator, *, size: int = 28):
    return noise_set(generator)


def relabelled(examples: ExampleSet):
    return prepared(examples.images, examples.labels + 1, examples.example_ids, "letters/x", licence="", origin="")


def forgetful(examples: ExampleSet):
    return prepared(examples.images, examples.labels, examples.example_ids, "x", licence="", origin="")


def spoiling(examples: ExampleSet):
    examples.images[0, 0, 0, 0] = 1 - examples.images[0, 0, 0, 0]
    return prepared(examples.images, examples.labels, examples.example_ids, "letters/x", licence="", origin="")


def reads_anything(folder: Path):
    return noise_set(np.random.default_rng(0))


def reads_nothing(folder: Path):
    raise DamagedFile(f"{folder}: no")


@pytest.mark.parametrize(
    ("mutant", "words"),
    [
        (off_grid, "grid"),
        (out_of_range, "leaves"),
        (double_precision, "float32"),
        (twin_ids, "unique"),
        (no_source, "no source"),
        (no_notes, "notes lack"),
        (globally_random, "global random"),
        (unseeded, "another result"),
        (blank, "all pixels are equal"),
        (wrong_size, "size asked for"),
        (relabelled, "another label"),
        (forgetful, "does not name the set"),
        (spoiling, "changes what it was given"),
        (reads_anything, "of every source"),
        (reads_nothing, "of no source"),
    ],
)
def test_the_contract_rejects_a_broken_component(mutant, words, raw_folders, examples):
    own = examples.with_images(examples.images.copy())

    with pytest.raises(AssertionError, match=words):
        hold_to_contract(mutant, raw_folders, own)
