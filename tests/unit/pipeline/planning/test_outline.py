"""The outline of a plan is read again as long as nothing that it was made from has changed, and only then."""

import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

import touchstone
from touchstone import plugins
from touchstone.digests import sha256
from touchstone.pipeline.planning import outline, plan
from touchstone.pipeline.planning.outline import outline_of
from touchstone.pipeline.planning.parts import FOLDER

ROOT = Path(__file__).parents[4]
LOCK = Path("requirements.lock")

DETECTOR = '''"""A detector."""

from __future__ import annotations

from torch import Tensor


def spread(logits: Tensor) -> Tensor:
    """Return the score of each row."""
    return -logits.logsumexp(dim=1)
'''


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """A function that returns the outline of tiny and whether it was planned for it, in a folder with its files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOUCHSTONE_DEVICE", "cpu")
    package = tmp_path / "touchstone"
    shutil.copytree(plugins.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    paths = list(touchstone.__path__)
    monkeypatch.setattr(outline.plugins, "PACKAGE", package)
    for file in ("params.yaml", "workflow/studies/tiny.yaml", "requirements.lock"):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, file)
    calls = []
    write = plan.Plan.write
    monkeypatch.setattr(plan.Plan, "write", lambda *words: calls.append(1) or write(*words))

    def make(study="tiny"):
        before = len(calls)
        return outline_of(study, LOCK), len(calls) > before

    yield make

    plugins.use([])  # it points packages at the copy
    monkeypatch.undo()
    for name in [name for name in sys.modules if name.partition(".")[0] == "touchstone"]:
        if str(package) in str(path := getattr(sys.modules[name], "__path__", "")):
            path[:] = [place.replace(str(package), str(plugins.PACKAGE)) for place in path]
    assert list(touchstone.__path__) == paths


def test_the_outline_is_that_of_the_plan(planned):
    first, was_planned = planned()
    assert was_planned

    again, was_planned = planned()

    assert not was_planned
    assert again == first
    assert first.jobs["evaluate/aloe"]
    assert first.plans.keys() == first.jobs.keys()
    assert all((FOLDER / f"{digest}.json").is_file() for digest in first.plans.values())


def edit(file):
    Path(file).write_text(Path(file).read_text() + "\n# a comment\n")


def edit_back_in_time(file):
    """Change a byte and hide it: same size, same time of modification."""
    seen = Path(file).stat()
    Path(file).write_text(Path(file).read_text().replace("#", "!", 1))
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert Path(file).stat().st_size == seen.st_size


def blank(folder):
    """Leave a file of NULs of the same size, as a power cut does."""
    file = next(folder.glob("*.json"))
    file.write_bytes(bytes(file.stat().st_size))


CHANGES = {
    "the study": lambda: edit("workflow/studies/tiny.yaml"),
    "params.yaml": lambda: edit("params.yaml"),
    "params.yaml is deleted": lambda: Path("params.yaml").unlink(),
    "the lock": lambda: edit("requirements.lock"),
    "code": lambda: edit("touchstone/attacks/pgd.py"),
    "code of the same size and time": lambda: edit_back_in_time("touchstone/registry.py"),
    "a new component": lambda: Path("touchstone/attacks/mine.py").write_text('"""Mine."""\n'),
    "a paper": lambda: edit("touchstone/papers/aloe/experiment.yaml"),
    "a plan of a job is deleted": lambda: next(FOLDER.glob("*.json")).unlink(),
    "a plan of a job is cut off": lambda: next(FOLDER.glob("*.json")).write_text("{"),
    "a plan of a job is blank": lambda: blank(FOLDER),
    "the code of a job is blank": lambda: blank(FOLDER / "code"),
    "the code of a job is deleted": lambda: next((FOLDER / "code").glob("*.json")).unlink(),
    "the outline is cut off": lambda: next((FOLDER / "outlines").glob("*.json")).write_text('{"read": ['),
    "the outline says something else": lambda: next((FOLDER / "outlines").glob("*.json")).write_text("[]"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_is_planned_anew(planned, change):
    planned()
    CHANGES[change]()

    found, was_planned = planned()

    assert was_planned
    for digest in found.plans.values():
        assert sha256((FOLDER / f"{digest}.json").read_bytes()) == f"sha256:{digest}"


def test_a_gpu_is_planned_anew(planned, monkeypatch):
    planned()
    monkeypatch.setenv("TOUCHSTONE_DEVICE", "cuda")

    assert planned()[1]


def test_a_file_that_is_saved_while_a_study_is_planned_is_not_missed(planned, monkeypatch):
    write = plan.Plan.write

    def write_while_somebody_saves(*words):
        edit("workflow/studies/tiny.yaml")
        return write(*words)

    monkeypatch.setattr(plan.Plan, "write", write_while_somebody_saves)
    planned()
    monkeypatch.setattr(plan.Plan, "write", write)

    assert not list((FOLDER / "outlines").glob("*.json"))


def test_plans_in_use_are_not_forgotten(planned):
    first, _ = planned()
    old = time.time() - 2 * outline.FRESH
    file = FOLDER / f"{first.plans['evaluate/aloe']}.json"
    os.utime(file, (old, old))

    _, was_planned = planned()

    assert not was_planned
    assert file.stat().st_mtime > old + outline.FRESH


def use_detector(folder):
    """Write a plug-in with a detector into a folder, and let the study use mine/."""
    (Path(folder) / "detectors").mkdir(parents=True)
    (Path(folder) / "detectors/spread.py").write_text(DETECTOR)
    study = Path("workflow/studies/tiny.yaml")
    detector = "\n  detectors: {spread: {use: spread}}\n  evaluations: {effort: {detectors: [msp, spread]}}\n"
    study.write_text(study.read_text().replace("\nchange:\n", f"\nplugins: [mine/]\nchange:{detector}"))


def test_jobs_are_told_of_plug_ins_by_an_outline_that_is_read_again(planned):
    use_detector("mine")
    planned()
    plugins.use([])

    _, was_planned = planned()

    assert not was_planned
    assert plugins.places()[1:] == [Path("mine").resolve()]


def test_a_link_to_another_folder_of_plug_ins_is_planned_anew(planned):
    use_detector("first")
    shutil.copytree("first", "second")
    Path("second/detectors/spread.py").write_text(DETECTOR.replace("-logits", "-2 * logits"))
    Path("mine").symlink_to("first")
    before, _ = planned()
    assert not planned()[1]

    Path("mine").unlink()
    Path("mine").symlink_to("second")

    found, was_planned = planned()
    assert was_planned
    assert found.plans["detect/cnn.0"] != before.plans["detect/cnn.0"]


def test_another_version_of_a_package_in_a_folder_of_the_path_is_planned_anew(planned, monkeypatch):
    installed = Path("lib/mylib-1.0.dist-info")
    installed.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path("lib").resolve())])
    planned()
    assert not planned()[1]

    installed.rename("lib/mylib-2.0.dist-info")

    assert planned()[1]


def test_an_outline_holds_no_more_than_rules_ask(planned):
    planned()
    (file,) = (FOLDER / "outlines").glob("*.json")
    assert json.loads(file.read_text()).keys() == {"read", "plugins", "behind", "written", "outline"}
