"""Every source writes whole, equal bytes into its folder, and nothing anywhere else."""

import importlib
import inspect
import pickle
import random
import runpy
import time
from pathlib import Path

import numpy as np
import pytest

from touchstone.digests import file_digest, folder_digest

ARCHIVES = runpy.run_path(str(Path(__file__).parents[1] / "raw_archives.py"))
PASSED_ON = ("weights.pt", "train-labels-idx1-ubyte.gz")  # someone else's file as it is, read as data alone
SOURCES = sorted(path.stem for path in (Path(__file__).parents[2] / "src/touchstone/data/sources").glob("[a-z]*.py"))


@pytest.fixture(scope="module")
def local_folder(tmp_path_factory):
    """A folder of small archives for every source that can be told one; the sources know their digests."""
    folder = tmp_path_factory.mktemp("local")
    with pytest.MonkeyPatch.context() as patch:
        for name, table in ARCHIVES["write"](folder).items():
            patch.setattr(importlib.import_module(f"touchstone.data.sources.{name}"), "ARCHIVES", table)
        yield folder


def hold_to_contract(source, folder, local_folder):
    """Raise AssertionError where a source breaks the contract of its folder."""
    parameters = inspect.signature(source).parameters
    published = local_folder / "iSUN.tar.gz"
    known = {"local_folder": str(local_folder), "location": str(local_folder / "train-labels-idx1-ubyte.gz")}
    known |= {"url": f"http://nowhere.invalid/{published.name}", "sha256": file_digest(published)}
    known |= {"licence": "CC BY 4.0", "citation": "Jones 2024"}
    settings = {name: value for name, value in known.items() if name in parameters}
    given = folder_digest(local_folder)
    states = repr(np.random.get_state()), random.getstate()
    digests = []
    for run in ("first", "second"):
        (folder / run).mkdir()
        assert source(folder / run, **settings) is None, "returns something"
        digests.append(folder_digest(folder / run))
        time.sleep(0.01)  # long enough for a time stamp to differ
    files = [path for path in (folder / "first").rglob("*") if path.is_file()]
    assert files, "writes no file"
    assert all(path.stat().st_size > 0 for path in files), "writes an empty file"
    assert digests[0] == digests[1], "writes other bytes the second time"
    assert states == (repr(np.random.get_state()), random.getstate()), "uses a global random generator"
    assert folder_digest(local_folder) == given, "changes the local folder"
    assert {path.name for path in folder.iterdir()} == {"first", "second"}, "writes outside its folder"
    for path in files:
        assert path.name in PASSED_ON or path.suffix not in (".pkl", ".pt", ".gz", ".zip"), (
            f"{path.name} is packed or pickled"
        )
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)
            assert b"'|O'" not in path.read_bytes()[:128], f"{path.name} is pickled"
    for name, parameter in list(parameters.items())[1:]:
        assert parameter.kind is parameter.KEYWORD_ONLY, f"{name} stands before the star"


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_keeps_the_contract(name, tmp_path, local_folder):
    source = getattr(importlib.import_module(f"touchstone.data.sources.{name}"), name)

    hold_to_contract(source, tmp_path, local_folder)


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_states_licence_and_origin(name):
    text = importlib.import_module(f"touchstone.data.sources.{name}").__doc__

    assert "Licence:" in text
    assert "Origin:" in text


def stamped(folder):
    (folder / "data.csv").write_text(f"1,2,3\n{time.time()}\n")


def empty(folder):
    pass


def pickled(folder):
    with (folder / "data.pkl").open("wb") as file:
        pickle.dump([1, 2, 3], file)


def wandering(folder):
    (folder / "data.csv").write_text("1")
    (folder.parent / "more.csv").write_text("2")


def globally_random(folder):
    np.random.rand()
    (folder / "data.csv").write_text("1")


@pytest.mark.parametrize(
    ("mutant", "words"),
    [
        (stamped, "other bytes"),
        (empty, "no file"),
        (pickled, "pickled"),
        (wandering, "outside"),
        (globally_random, "global random"),
    ],
)
def test_the_contract_rejects_a_broken_source(mutant, words, tmp_path, local_folder):
    with pytest.raises(AssertionError, match=words):
        hold_to_contract(mutant, tmp_path, local_folder)
