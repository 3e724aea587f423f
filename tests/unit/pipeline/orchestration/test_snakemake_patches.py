"""What is replaced in Snakemake is replaced in the versions that it was tested with; any other runs as it is."""

import importlib
import inspect
import re
import sys
from types import SimpleNamespace

import pytest

from touchstone.pipeline.orchestration import snakemake_patches
from touchstone.pipeline.orchestration.restore import Restored

PLAN = SimpleNamespace(maker=lambda file: None)


def owner_of(place):
    module, _, path = place.partition(":")
    owner, _, name = path.partition(".")
    return getattr(importlib.import_module(module), owner), name


@pytest.fixture
def replaced(monkeypatch):
    """A function that says which of the methods are no longer Snakemake's; all are put back afterwards."""
    before = {place: inspect.getattr_static(*owner_of(place)) for place in snakemake_patches.REPLACED}
    for place, method in before.items():
        monkeypatch.setattr(*owner_of(place), method)
    return lambda: {place for place, method in before.items() if inspect.getattr_static(*owner_of(place)) is not method}


def test_in_this_version_every_method_is_replaced(replaced):
    assert snakemake_patches.use(PLAN, Restored(0, [])) is None

    assert replaced() == set(snakemake_patches.REPLACED)


def test_in_a_job_on_a_cluster_records_are_read_by_snakemake(replaced):
    assert snakemake_patches.use(PLAN) is None

    assert {place for place in snakemake_patches.REPLACED if "persistence" not in place} == replaced()


@pytest.mark.parametrize("version", ["9.3.5", "9.16.3", "9.28.0", "10.0.0", "8.30.0", "unknown", "9"])
def test_another_version_runs_as_it_is(replaced, monkeypatch, version):
    monkeypatch.setattr(snakemake_patches, "version", lambda name: version)

    told = snakemake_patches.use(PLAN, Restored(0, []))

    assert f"this is Snakemake {version}; touchstone was tested with 9.17 to 9.27" in told
    assert replaced() == set()


@pytest.mark.parametrize("place", snakemake_patches.REPLACED)
@pytest.mark.parametrize("change", ["gone", "other arguments"])
def test_where_a_method_is_not_what_it_was_none_is_replaced(replaced, monkeypatch, place, change):
    owner, name = owner_of(place)
    if change == "other arguments":
        monkeypatch.setattr(owner, name, lambda self, something, entirely, new: None)
    elif name == "__init__":
        monkeypatch.delattr(importlib.import_module(owner.__module__), owner.__name__)
    else:
        monkeypatch.delattr(owner, name)

    told = snakemake_patches.use(PLAN, Restored(0, []))

    assert f"has no {place.partition(':')[2]}(self" in told
    monkeypatch.undo()
    assert replaced() == set()


OTHER = """
import sys
from importlib import metadata
real = metadata.version
metadata.version = lambda name: "9.99.0" if name == "snakemake" else real(name)
from snakemake.cli import main
main(sys.argv[1:])
"""


def test_a_plan_is_the_same_without_them_and_one_warning_says_so(bare):
    arguments = ["--dry-run", "--cores", "2", "--config", "study=tiny"]

    done = bare.run([sys.executable, "-c", OTHER, *arguments])

    text = done.stdout + done.stderr
    assert len(re.findall("this is Snakemake 9.99.0", text)) == 1
    assert set(re.findall(r"^Job \d+: (.*)$", text, re.MULTILINE)) == set(bare.planned())
