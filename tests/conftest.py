"""A copy of the repository with the tiny study run in it, once per test session: what the workflow tests look at."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import psutil
import pytest
import yaml

import bytecode
import forks
from projects import Project, compiled, copy_of_repository
from touchstone import digests, plugins
from touchstone.pipeline.jobs import environment, warm
from touchstone.provenance import sidecar_files
from touchstone.records import encoding, nouns
from touchstone.settings import papers

BEFORE = set(os.environ)  # the tests import more than this file does, and some libraries set variables

if os.environ.get("TOUCHSTONE_PLUGINS"):  # `touchstone check FILE.py` holds a file of the user's to these tests
    plugins.use([Path(os.environ["TOUCHSTONE_PLUGINS"])])

gc.disable()  # until all tests are collected: none of their objects is garbage

LONGEST_FIRST = ("end_to_end", "workflow", "benchmarks", "properties", "unit")
MEMORY = Path("/dev/shm")
ROOM = 6e9  # bytes


def use_memory() -> None:
    """Put temporary folders in memory, unless TMPDIR says where.

    ext4 gives no inode of a recently deleted file to a new one, and searches past all of them: after one deleted copy of a
    study, the next takes 2.5 s of kernel time instead of 0.15 s, and so does all that a study writes.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return
    disk = os.statvfs(MEMORY)
    if not disk.f_flag & os.ST_NOEXEC and min(disk.f_bavail * disk.f_frsize, psutil.virtual_memory().available) > ROOM:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


use_memory()


def pytest_collectstart() -> None:
    import torch  # the process that hands out the tests collects none, and need not import it

    torch.set_num_threads(1)  # tests run beside each other; two spinning threads each cost four times as much


@pytest.hookimpl(trylast=True)  # after tests were deselected by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put whole studies first: two processes then end at about the same time."""

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        return (*LONGEST_FIRST, folder).index(folder)

    items.sort(key=place)


def pytest_collection_finish() -> None:
    for name in os.environ.keys() - BEFORE:
        if environment.CHANGES_JOBS.fullmatch(name):  # KMP_INIT_AT_FORK of scikit-learn: each job would start twice
            del os.environ[name]
    bytecode.leave()
    gc.freeze()  # what is there before the first test stays: tests need not look through it for garbage
    gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a test that is skipped has failed: for CI")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and item.config.getoption("--no-skips"):
        report.outcome, report.longrepr = "failed", f"skipped, and --no-skips was given: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def variables_as_before() -> Generator[None]:
    """Put back the environment: what a test pins for jobs changes the last bits of other tests' processes."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def forking(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType], None]:
    """A function that has a module of touchstone start its Python commands with `forks.in_fork`."""

    def fork(module: ModuleType) -> None:
        monkeypatch.setattr(module, "subprocess", SimpleNamespace(**vars(subprocess) | {"run": forks.in_fork}))

    return fork


def once(
    factory: pytest.TempPathFactory, name: str, fill: Callable[[Project], object], start: Project | None = None
) -> Project:
    """Return a copy of `start`, or of the repository, that one process of the session has filled; the others wait for it."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / f"{name}.done").exists():
            shutil.rmtree(shared / name, ignore_errors=True)  # of an attempt that failed
            if fill is compiled:
                fill(copy_of_repository(shared / name))
            else:
                fill((start or once(factory, "bare", compiled)).copy(shared / name))
            (shared / f"{name}.done").touch()
    return Project(shared / name)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Project]:
    """`once`, for what a file of tests alone looks at."""
    return partial(once, tmp_path_factory)


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The repository with nothing run in it, but compiled. Tests that change anything copy it."""
    return once(tmp_path_factory, "bare", compiled)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny study, run on two cores. Tests that change anything use `copied`."""
    return once(tmp_path_factory, "tiny", lambda project: replace(project, as_users=True).snakemake("--cores", "2"))


def keep_one_figure(project: Project) -> None:
    """Leave only the ROC curves in the report of the tiny study, because figures take most of a report's time."""
    for file in project.root.glob("src/touchstone/papers/*/experiment.yaml"):
        experiment = yaml.safe_load(file.read_text())
        smoke = experiment["grades"]["smoke"]
        for figures in (experiment.get("figures", {}), smoke.get("change", {}).get("figures", {})):
            for name in figures.keys() - {"roc"}:
                del figures[name]
        smoke.pop("figures", None)
        experiment["grades"] = {"smoke": smoke}
        file.write_text(yaml.safe_dump(experiment, sort_keys=False))
    project.snakemake("--cores", "1")


@pytest.fixture(scope="session")
def ran_with_one_figure(tiny: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny study with one figure, so that its report is soon made again."""
    return once(tmp_path_factory, "with_one_figure", keep_one_figure, start=tiny)


@pytest.fixture
def with_one_figure(ran_with_one_figure: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The same, and this process reads its papers, too."""
    monkeypatch.setattr(papers, "SHIPPED", ran_with_one_figure.root / "src/touchstone/papers")
    return ran_with_one_figure


@pytest.fixture
def copied(with_one_figure: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the run study, with one figure, that a test may change."""
    project = with_one_figure.copy(tmp_path / "copy")
    monkeypatch.setattr(papers, "SHIPPED", project.root / "src/touchstone/papers")
    return project


WATCHED = f"""
import sys
sys.path.append({str(Path(__file__).parent)!r})
import executed_code
sys.exit(executed_code.watched())
"""


def run_again(project: Project) -> None:
    """In a copy of the run study, make every file again, each job in a process of its own and without a warm one.

    Each process is the fork of one that has imported torch, but nothing of touchstone, with the variables of a job. What its
    tasks execute is noted, which must change no byte. Raw files stay: their digest is in the settings.
    """
    for folder in ("data", "results", "reports", "logs"):
        shutil.rmtree(project.root / folder / "tiny")
    variables = forks.VARIABLES | {"PYTHONPATH": str(project.root / "src"), warm.VARIABLE: warm.OFF}
    alone = Project(project.root, variables)
    for _, _, *arguments in project.jobs():
        alone.forked(["-c", WATCHED, *arguments], server=forks.server())


@pytest.fixture(scope="session")
def again(tiny: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny study made once more, in another folder, every job in a process of its own without the warm one."""
    return once(tmp_path_factory, "again", run_again, start=tiny)


@pytest.fixture
def twelve_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[int, ...]], None]:
    """A function that puts twelve images of a shape, of three classes, into the file `images` of a working folder."""
    monkeypatch.chdir(tmp_path)

    def put(shape: tuple[int, ...]) -> None:
        images = np.random.default_rng(0).random((12, *shape)).astype(np.float32)
        noun = nouns.ExampleSet(images, np.arange(12) % 3, np.arange(12), "made up")
        Path("images").write_bytes(data := encoding.encode(noun))
        sidecar_files.write_sidecar(Path("images"), digests.sha256(data), {"inputs": {}})

    return put
