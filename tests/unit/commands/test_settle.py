"""`touchstone run STUDY --settle CLAIM`: the overlay of the extension, what is printed before it runs, and refusals."""

from dataclasses import replace
from pathlib import Path

import pytest
from hand_made_claims import row
from open_claims import criterion, mean, record

from touchstone.__main__ import main
from touchstone.commands import _second_look
from touchstone.pipeline.orchestration import snakemake_run
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.study import load
from touchstone.report import packing

OVERLAY = Path("workflow/studies/own_settle_smine_1.yaml")
BOTH = (4e-4, 4e-4, 1e-4)  # what the seeds, the images and the rest vary by: more of both settle it
OPEN = {"Smine-1": (criterion(), "cnn_pgd")}
GOLDEN = """\
# yaml-language-server: $schema=../../src/touchstone/schemas/study.json
# touchstone run own --settle Smine-1: the only extension of own for this claim, at the size that was computed.
# Do not change the size: a look at the result before it is fixed makes wrong verdicts likelier (docs/verdicts.md).
base: own
study:
  title: 'Own: second look at Smine-1'
  second_look: [Smine-1]
questions: [mine_robustness]
examples:
  some: {of: digits_test, count: 327}
classifiers:
  cnn_pgd:
    seeds: [0, 1, 2, 3, 4]
"""


@pytest.fixture
def started(monkeypatch):
    """The runs that were started, none of which does anything."""
    started = []
    monkeypatch.setattr(snakemake_run, "run", lambda *arguments: started.append(arguments) or 0)
    return started


def finished(project, criteria=OPEN, parts=BOTH, **more):
    plan = project(criteria, [lambda plan: [mean(plan=plan, parts=parts, **more)]])
    record(plan)
    return plan


def refused(capsys, *words):
    before = sorted(Path("workflow/studies").iterdir())
    capsys.readouterr()
    assert main(["run", *(words or ("own", "--settle", "Smine-1"))]) == 1
    assert sorted(Path("workflow/studies").iterdir()) == before
    return capsys.readouterr().err


def test_the_extension_is_an_overlay_with_more_seeds_and_images_of_what_the_claim_rests_on(project, started):
    finished(project)

    assert main(["run", "own", "--settle", "Smine-1", "--cores", "1"]) == 0

    assert OVERLAY.read_text() == GOLDEN
    assert started == [("own_settle_smine_1", "1", "keep")]
    study = load("own_settle_smine_1")
    assert study["classifiers"]["cnn_pgd"]["seeds"] == [0, 1, 2, 3, 4]
    assert study["classifiers"]["cnn"]["seeds"] == [0, 1, 2]
    assert list(study["evaluations"]) == ["mine_robustness"]


def test_the_extension_of_a_later_edition_keeps_its_seeds_and_adds_those_that_follow(project, started):
    OVERLAY.with_name("own.yaml").write_text("papers: [./mine]\nstudy: {title: Own, first_seed: 3}\n")
    finished(project, seeds=(3, 4, 5))

    assert main(["run", "own", "--settle", "Smine-1"]) == 0

    study = load("own_settle_smine_1")
    assert study["classifiers"]["cnn_pgd"]["seeds"] == [3, 4, 5, 6, 7]
    assert study["classifiers"]["cnn"]["seeds"] == [3, 4, 5]
    assert "seeds: [0, 1, 2, 3, 4]" in OVERLAY.read_text()  # as the study's own files write them


def test_a_subset_that_outgrows_another_takes_its_place(project, started):
    OVERLAY.with_name("own.yaml").write_text(
        "papers: [./mine]\nstudy: {title: Own}\n"
        "examples: {pool: {use: subset, of: digits_test, skip: 20, count: 150}, some: {of: pool}}\n"
    )
    finished(project)

    assert main(["run", "own", "--settle", "Smine-1"]) == 0

    assert "some: {of: digits_test, skip: 20, count: 327}" in OVERLAY.read_text()
    some = load("own_settle_smine_1")["examples"]["some"]
    assert (some["of"], some["skip"], some["count"]) == ("digits_test", 20, 327)


def test_before_it_runs_it_prints_what_is_extended_the_minutes_and_the_level(project, started, capsys):
    finished(project)
    main(["run", "own", "--settle", "Smine-1"])

    text = capsys.readouterr().out

    assert f"Wrote {OVERLAY}." in text
    assert "  examples.some: 120 -> 327 images\n  classifiers.cnn_pgd: 3 -> 5 seeds\n" in text
    assert "Smine-1 will be judged by 97.5 % intervals. It is its second look and its last." in text
    minutes = float(text.split("Minutes: ")[1].split()[0])
    # Two trainings. An attack (30 s) and two inferences (6 s each): of 3 + 5 + 3 networks on the larger set, and of the
    # two new ones on the other set.
    assert minutes == pytest.approx((2 * 600 + (11 * 327 / 120 + 2) * (30 + 2 * 6)) / 60, abs=0.2)


def test_a_killed_extension_is_resumed_with_the_size_that_was_written(project, started, capsys):
    finished(project)
    main(["run", "own", "--settle", "Smine-1"])
    OVERLAY.write_text(GOLDEN.replace("327", "300"))  # as if other run records had made another design cheaper

    assert main(["run", "own", "--settle", "Smine-1"]) == 0

    assert f"Continuing {OVERLAY}." in capsys.readouterr().out
    assert "count: 300" in OVERLAY.read_text() and len(started) == 2


def test_a_second_extension_is_refused(project, started, capsys):
    finished(project)
    main(["run", "own", "--settle", "Smine-1"])
    report = Path("reports/own_settle_smine_1", packing.METRICS)
    report.parent.mkdir()
    report.write_bytes(Path("reports/own", packing.METRICS).read_bytes())

    error = refused(capsys)
    assert "Smine-1 was extended once already" in error and "touchstone run own_settle_smine_1" in error
    OVERLAY.unlink()
    assert "was extended once already" in refused(capsys)
    OVERLAY.write_text(GOLDEN)
    assert "extended once already: this study is its second look" in refused(
        capsys, "own_settle_smine_1", "--settle", "Smine-1"
    )
    assert len(started) == 1


def test_an_extension_judges_no_other_claim(project, started):
    finished(project, OPEN | {"Smine-2": (criterion(metric="success_rate"), "cnn_pgd")})
    main(["run", "own", "--settle", "Smine-1"])

    claims = Plan(load("own_settle_smine_1")).questions.claims()

    assert claims["second_look"] == ["Smine-1"]
    assert claims["claims"]["Smine-1"] == {"net": "cnn_pgd"}
    assert claims["claims"]["Smine-2"] == "not asked: this study is the second look at Smine-1"
    assert "second_look" not in Plan(load("own")).questions.claims()


def test_another_study_of_that_name_is_not_run(project, started, capsys):
    finished(project)
    OVERLAY.write_text("study: {title: Another}\n")

    assert f"{OVERLAY}: not the second look of own at Smine-1" in refused(capsys)
    assert started == []


@pytest.mark.parametrize(
    ("claim", "more", "reason"),
    [
        ("Smine-1", {"value": 0.9}, "Smine-1 is not inconclusive in reports/own"),
        ("Smine-1", {"seeds": (0, 1)}, "robust_accuracy: too few seeds: 2 cannot show how much networks differ"),
        ("Smine-1", {"parts": (1.0, 1e-4, 1e-4)}, "do not settle Smine-1:\nrobust_accuracy: seeds: more than 60"),
        ("Smin-1", {}, "--settle Smin-1: no claim of own's papers. Did you mean Smine-1?"),
    ],
)
def test_what_cannot_be_settled_is_refused(project, started, capsys, claim, more, reason):
    finished(project, **more)

    assert reason in refused(capsys, "own", "--settle", claim)
    assert started == []


def test_a_published_figure_and_an_unfinished_study_are_refused(project, started, capsys):
    finished(project)
    assert "a published figure, which no study can settle; settle a criterion" in refused(
        capsys, "digits", "--settle", "P3-1"
    )

    (Path("reports/own") / packing.METRICS).unlink()
    assert "is missing; run the study first: touchstone run own" in refused(capsys)
    assert started == []


def test_an_unknown_second_look_is_a_mistake(project, capsys):
    finished(project)
    Path("workflow/studies/again.yaml").write_text("base: own\nstudy: {second_look: [Smine-7]}\n")

    assert main(["check", "again"]) == 1
    assert "study.second_look: no claim called Smine-7. Did you mean Smine-1?" in capsys.readouterr().err


def test_seeds_continue_after_the_largest():
    assert _second_look._continued((0, 1, 2), 5) == [0, 1, 2, 3, 4]
    assert _second_look._continued((1, 3, 5), 6) == [1, 3, 5, 6, 7, 8]


def test_outside_a_clone_nothing_is_written(project, started, capsys):
    finished(project)
    Path("Snakefile").unlink()

    assert "--settle Smine-1: only Snakemake runs an extension; run this in a clone" in refused(capsys)
    assert started == []


@pytest.mark.parametrize("typed", [("workflow/studies/own.yaml", "own"), ("own", "./workflow/studies/own.yaml")])
def test_an_extension_is_resumed_by_the_name_of_its_study_and_by_its_path(project, started, typed):
    finished(project)

    assert [main(["run", study, "--settle", "Smine-1"]) for study in typed] == [0, 0]


def test_an_extension_keeps_the_checks_of_the_attacks_behind_its_claim():
    attacked = row(0.5, evaluation="robustness", entry="cnn", examples="test/pgd", threat="white-box linf")
    clean = row(0.9, evaluation="shifts", entry="cnn")
    union = replace(attacked, examples="test/union", threat=replace(attacked.threat, worst_of=("pgd",)))
    checks = [
        replace(attacked, evaluation=name, entry=entry, metric="worse_than_noise_passed")
        for name, entry in (("checks", "cnn"), ("checks_of_others", "mlp"))
    ]

    assert _second_look._checks([clean], [clean, attacked, *checks]) == []
    assert _second_look._checks([attacked], [attacked, *checks]) == ["checks"]
    assert _second_look._checks([union], [attacked, union, *checks]) == ["checks"]
