"""The tool that runs jobs with mutants tells apart what digests of code notice, what changes nothing, and a hole in them."""

import random
from dataclasses import replace

import pytest

import forks
import mutants_by_bytes
from mutants import Mutant
from touchstone.pipeline.jobs import job_plan

JOB = "evaluate/gradient_detection"
COMPONENT = ("evaluations/expressivity.py", "LAST_LAYER = 2", "LAST_LAYER = 1")
UNREACHED = ("pipeline/jobs/run_records.py", 'FOLDER = "runs"', 'FOLDER = "run"')
STOPS = (
    "commands/job.py",
    "        planned = job_plan.load(",
    "        raise ValueError\n        planned = job_plan.load(",
)
ASTRAY = ("pipeline/jobs/job_plan.py", "zip(names, places, strict=True)", "zip(names, places[::-1], strict=True)")


@pytest.fixture
def project(tiny, tmp_path):
    return mutants_by_bytes.alone(tiny.copy(tmp_path / "project"))


def became(project, *changes):
    """Return what becomes of a job with each mutant: {} if it notices the mutant."""
    known = mutants_by_bytes.without_mutants(project, only=[JOB])
    before = project.digests("src", "results", "reports", "data")
    results = []
    for file, old, new in changes:
        text = (project.root / "src/touchstone" / file).read_text()
        mutant = Mutant(file, "planted", f"{old} -> {new}", text.replace(old, new, 1).encode())
        assert mutant.content != text.encode()
        found = mutants_by_bytes.tried(project, mutant, known, 1, random.Random(0))
        results.append({name: words for name, (words, _) in found.items()})
    assert project.digests("src", "results", "reports", "data") == before
    return results


def test_what_a_digest_notices_and_what_changes_no_byte_is_told_apart(project):
    assert became(project, COMPONENT, UNREACHED, STOPS, ASTRAY) == [
        {},
        {JOB: "writes the same bytes"},
        {JOB: "stops"},
        {JOB: "stops"},
    ]


def test_a_hole_in_the_digest_is_found(project, tmp_path):
    project.edit("src/touchstone/provenance/code.py", ", *components(settings))", ")")
    facts = mutants_by_bytes.planned(project, plans := tmp_path / "plans")[JOB]
    planned = replace(project, environment=project.environment | {job_plan.VARIABLE: str(plans)})
    planned.forked(["-m", "touchstone", *facts["words"]], server=forks.server())

    assert became(project, COMPONENT) == [{JOB: "writes other bytes"}]
