"""The tool that runs jobs with mutants tells apart what digests of code notice, what changes nothing, and a hole in them."""

from dataclasses import replace

import pytest

import forks
import mutants_by_bytes
from mutants import Mutant

RULE, WILDCARDS = "evaluate", "evaluation=expressivity"
JOB = f"{RULE} {WILDCARDS}"
COMPONENT = ("evaluations/expressivity.py", "LAST_LAYER = 2", "LAST_LAYER = 1")
UNREACHED = ("pipeline/jobs/run_records.py", 'FOLDER = "runs"', 'FOLDER = "run"')
STOPS = ("commands/job.py", "    _check_values(plan, wildcards)\n", "    raise ValueError\n")


@pytest.fixture
def project(tiny, tmp_path):
    own = {"PYTHONPATH": str(tmp_path / "project/src"), "TOUCHSTONE_CACHE": "off", "TOUCHSTONE_WARM": "off"}
    return replace(tiny.copy(tmp_path / "project"), environment=forks.VARIABLES | own)


def became(project, *changes):
    """Return what becomes of a job with each mutant: {} if it notices the mutant."""
    whole = str(project.copy(project.root.parent / "whole").root)
    known = mutants_by_bytes.asked(project, whole=whole, only=[JOB])
    assert known[JOB]["differing"] == []
    results = []
    for file, old, new in changes:
        text = (project.root / "src/touchstone" / file).read_text()
        mutant = Mutant(file, "planted", f"{old} -> {new}", text.replace(old, new, 1).encode())
        assert mutant.content != text.encode()
        found = mutants_by_bytes.tried(project, mutant, known=known, whole=whole, at_most=1, seed=0)
        results.append({name: mutants_by_bytes.judged(one, file) for name, one in found.items()})
    return results


def test_what_a_digest_notices_and_what_changes_no_byte_is_told_apart(project):
    assert became(project, COMPONENT, UNREACHED, STOPS) == [{}, {JOB: "writes the same bytes"}, {JOB: "stops"}]


def test_a_hole_in_the_digest_is_found(project):
    project.edit("src/touchstone/pipeline/provenance/code.py", ", *components(settings))", ")")
    project.forked(["-m", "touchstone", "job", RULE, WILDCARDS, "--study", "tiny"], server=forks.server())

    assert became(project, COMPONENT) == [{JOB: "writes other bytes"}]
