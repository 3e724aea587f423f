import numpy as np
import pytest

from touchstone.pipeline.jobs import adapters, run
from touchstone.pipeline.planning.parts import Task
from touchstone.pipeline.planning.steps import STEPS, Step
from touchstone.pipeline.provenance import sidecar_files
from touchstone.records.encoding import encode
from touchstone.records.nouns import ExampleSet


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        noun = ExampleSet(np.zeros((2, 1, 2, 2), np.float32), np.zeros(2, np.int64), np.arange(2), name)
        sidecar_files.write_with_sidecar(tmp_path / name, encode(noun), {"inputs": {}})
    return list("abc")


def test_a_job_holds_no_set_that_no_later_task_of_it_reads(files, tmp_path, monkeypatch):
    monkeypatch.setenv("TOUCHSTONE_CACHE", "off")
    held = []

    def look(job):
        assert job.noun("examples", "ExampleSet").source == job.task.inputs["examples"]
        held.append("".join(sorted(job.reader._nouns)))

    monkeypatch.setitem(adapters.ADAPTERS, "look", look)
    monkeypatch.setitem(STEPS, "look", Step("look", torch=False, cached=False))
    tasks = tuple(Task("look", {"examples": name}, f"of {name}", {}) for name in "abacb")

    run.run(tasks, tmp_path, tmp_path)

    assert held == ["a", "ab", "ab", "bc", "b"]
