"""Which artefacts an audit computes again: as many as take some seconds, by what their jobs took."""

import json
import sys
from types import SimpleNamespace

import pytest

from touchstone.__main__ import main
from touchstone.audit import own_audit, own_study
from touchstone.audit.chain.findings import Finding
from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.planning.parts import Job, Task

SECONDS = {"cheap.a": 1.0, "cheap.b": 1.0, "cheap.c": 1.0, "cheap.d": 1.0, "cheap.e": 1.0, "cheap.f": 1.0, "dear": 60.0}


def test_a_sample_takes_what_fits_in_some_seconds_and_a_seed_repeats_it():
    drawn = [own_study.draw(list(SECONDS), SECONDS, None, seed) for seed in range(20)]

    assert {sum(SECONDS[file] for file in files) for files in drawn} == {own_study.SAMPLE}
    assert len({tuple(files) for files in drawn}) > 10
    assert own_study.draw(list(SECONDS), SECONDS, None, 7) == drawn[7]


@pytest.mark.parametrize("count", [0, 3, 9])
def test_of_a_number_even_the_dear_ones_are_drawn(count):
    drawn = [own_study.draw(list(SECONDS), SECONDS, count, seed) for seed in range(20)]

    assert {len(files) for files in drawn} == {min(count, 7)}
    assert any("dear" in files for files in drawn) == (count > 0)


@pytest.mark.parametrize(("words", "count"), [([], None), (["--recompute", "3"], 3), (["--all"], sys.maxsize)])
def test_all_draws_every_artefact(monkeypatch, words, count):
    asked = []
    monkeypatch.setattr(own_audit, "run_audit", lambda *given: asked.append(given[-2]) or 0)

    assert main(["audit", "digits", *words]) == 0
    assert asked == [count]
    if words == ["--all"]:
        assert sorted(own_study.draw(list(SECONDS), SECONDS, *asked, 7)) == sorted(SECONDS)


def task(step, output):
    return Task(step, {}, output, {})


def test_what_a_job_took_is_shared_out_among_its_tasks_and_an_unknown_job_takes_the_usual_time(tmp_path):
    ran = Job("detect", "cnn.0", (task("attack", "attacked"), task("score", "first"), task("score", "second")), ())
    other = Job("measure", "cnn.0", (task("measure", "margins"),), ())
    (tmp_path / "runs/detect").mkdir(parents=True)
    record = dict.fromkeys(run_records.STARTED) | {"rule": "detect", "name": "cnn.0", "computed": 3, "cpu_seconds": 26}
    (tmp_path / "runs/detect/cnn.0.json").write_text(json.dumps(record))
    plan = SimpleNamespace(jobs={("detect", "cnn.0"): ran, ("measure", "cnn.0"): other})

    assert own_study.expected_seconds(plan, tmp_path) == pytest.approx(
        {"attacked": 25, "first": 0.5, "second": 0.5, "margins": own_study.USUAL["measure"]}
    )


def test_the_last_line_of_an_audit_counts_every_finding_that_was_printed():
    wrong = [Finding("a", "is missing")]
    unchecked, note = Finding("b", "was not compared", unchecked=True), Finding("c", "is of other code", note=True)

    assert own_audit._counted(wrong, 1) == "1 finding"
    assert own_audit._counted([*wrong, note], 1) == "1 finding; besides, 1 note"
    assert own_audit._counted([*wrong, unchecked, note, note], 1) == "1 finding; besides, 1 not checked and 2 notes"
