"""A paper's folder is checked before any job: each mistake with file and line, by `check CLAIMS` and in any study."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from projects import study_text, write_study
from touchstone import plugins
from touchstone.__main__ import main
from touchstone.commands import _paper_check
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load

ROOT = Path(__file__).parents[3]
CLAIMS, EXPERIMENT = "mine/claims.yaml", "mine/experiment.yaml"
STUDY = "workflow/studies/own.yaml"

MISTAKES = {  # what is wrong: (file, what is replaced, by what, the file and line, what is said)
    "a data role that there is not": (
        EXPERIMENT, "examples: $attacked_test\n    attacks", "examples: $attacked_tset\n    attacks",
        f"{EXPERIMENT}:10: evaluations.mine_robustness.examples", "Did you mean attacked_test?",
    ),
    "a metric that the evaluation does not make": (
        CLAIMS, "metric: robust_accuracy", "metric: robust_acuracy",
        f"{CLAIMS}:32: criteria.Smine-1.tests.0", "robustness makes no metric robust_acuracy", "Did you mean robust_accuracy?",
    ),
    "an evaluation that there is not": (
        CLAIMS, "evaluation: robustness  ", "evaluation: robustnes  ",
        f"{CLAIMS}:32: criteria.Smine-1.tests.0: no evaluation is called robustnes", "Did you mean robustness?",
    ),
    "a criterion on what no evaluation measures": (
        CLAIMS, "evaluation: robustness  ", "evaluation: subset_robustness  ",
        f"{CLAIMS}:32: criteria.Smine-1.tests.0: no evaluation measures robust_accuracy", "add an evaluation with use: subset_robustness",
    ),
    "a criterion whose roles nothing plays": (
        EXPERIMENT, "claims:\n  Smine-1: {net: cnn_pgd, attack: pgd, examples: $attacked_test}\n", "",
        f"{CLAIMS}:23: criteria.Smine-1: nothing plays its roles", "Smine-1: {net: ..., attack: ..., examples: ...}",
    ),
    "a role of a criterion that is left out": (
        EXPERIMENT, "{net: cnn_pgd, attack: pgd,", "{net: cnn_pgd,",
        f"{EXPERIMENT}:15: claims.Smine-1: names nothing for the role attack", "an entry of attacks",
    ),
    "a role that a criterion does not have": (
        EXPERIMENT, "{net: cnn_pgd,", "{net: cnn_pgd, nets: cnn,", f"{EXPERIMENT}:15: claims.Smine-1.nets: not a role", "Did you mean net?",
    ),
    "a role played by what is no such entry": (
        EXPERIMENT, "attack: pgd,", "attack: pdg,", f"{EXPERIMENT}:15: claims.Smine-1.attack: no entry called pdg in attacks", "Did you mean pgd?",
    ),
    "a shared role that no criterion has": (
        EXPERIMENT, "claims:\n", "claims:\n  shared: {networks: cnn}\n",
        f"{EXPERIMENT}:15: claims.shared.networks: no criterion of the paper has such a role",
    ),
    "defaults for others": (
        EXPERIMENT, "evaluations:\n", "attacks: {defaults: {steps: 3}}\nevaluations:\n",
        f"{EXPERIMENT}:5: attacks.defaults: would change the entries of others",
    ),
    "an entry that papers share": (
        EXPERIMENT, "evaluations:\n", "attacks: {pgd: {use: pgd, eps: 0.3}}\nevaluations:\n",
        f"{EXPERIMENT}:5: attacks.pgd: common.yaml defines it, too; choose another name",
    ),
    "a threat that is no mapping": (
        CLAIMS, "threat: {eps: 0.1}", "threat: [eps]", "criteria.Smine-1.tests.0.threat: expected a block of keys",
    ),
    "a change on a day to come": (
        CLAIMS, "    scales: [Pmine-1]\n", "    scales: [Pmine-1]\n    revised: [{date: 2999-01-31, was: W, why: Y, known: false}]\n",
        f"{CLAIMS}:30: criteria.Smine-1.revised: expected the day on which the criterion was changed, got 2999-01-31",
    ),
    "a claim without a criterion": (
        EXPERIMENT, "  Smine-1:", "  Smine-2:", f"{EXPERIMENT}:15: claims.Smine-2: claims.yaml has no such criterion", "Did you mean Smine-1?",
    ),
    "a published figure without a source": (
        CLAIMS, "    source: Table 1\n", "", f"{CLAIMS}:10: published.Pmine-1: source is missing", "add it",
    ),
    "an empty source": (
        CLAIMS, "source: Table 1", 'source: ""', f"{CLAIMS}:13: published.Pmine-1.source", "must be given",
    ),
    "an id of another paper": (
        CLAIMS, "  Pmine-1:", "  P1-1:", f"{CLAIMS}:10: published.P1-1: aloe has a claim of this id, too", "unique",
    ),
    "an unknown component": (
        EXPERIMENT, "use: robustness", "use: robustnes", f"{EXPERIMENT}:7: evaluations.mine_robustness.use: no evaluations/robustnes.py", "Did you mean robustness?",
    ),
    "a figure that draws what there is not": (
        EXPERIMENT,
        "\n# Which entries",
        "\nfigures: {errors: {use: accuracy_against_eps, evaluation: mine_robustness, also: [robustnes], caption: C}}\n\n# Which entries",
        f"{EXPERIMENT}:13: figures.errors.also: no evaluation called robustnes",
        "Did you mean robustness?",
    ),
    "a system": (
        EXPERIMENT, "use: robustness", "use: robustness\n    system: fgsm", f"{EXPERIMENT}:8: evaluations.mine_robustness.system", "leave it out",
    ),
}  # fmt: skip


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the settings of touchstone, and a new paper in it."""
    (tmp_path / "workflow/studies").mkdir(parents=True)
    for name in ("params.yaml", "workflow/studies/tiny.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert main(["new", "paper", "mine"]) == 0
    ask("aloe", "./mine")
    yield tmp_path
    plugins.use([])


def ask(*papers):
    """Write the study `own`, which asks papers of tiny data."""
    write_study(
        Path(),
        "own",
        study_text("tiny", papers=None, change=None),
        papers={each: "full" if "/" in each else "smoke" for each in papers},
    )


def damage(file, old, new):
    text = Path(file).read_text()
    assert text.count(old) == 1, (file, old)
    Path(file).write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("file", "old", "new", "place", "words"), [(*each[:4], each[4:]) for each in MISTAKES.values()], ids=MISTAKES
)
def test_a_mistake_is_said_with_its_line_by_check_and_in_a_study(project, capsys, file, old, new, place, words):
    damage(file, old, new)

    assert main(["check", "./mine"]) == 1
    said = capsys.readouterr()
    with pytest.raises(ParamsError) as caught:
        load("own")

    for text in (said.err, str(caught.value)):
        assert place in text
        assert all(word in text for word in words)
    assert "jobs" not in said.out and not Path("data").exists()


def test_a_new_paper_is_right(project, capsys):
    assert main(["check", "./mine", "--no-run"]) == 0

    assert capsys.readouterr().out.splitlines()[-1] == "mine: no mistakes; published 1, criteria 1, evaluations 1"
    assert "mine_robustness" in load("own")["evaluations"]


def test_what_a_paper_leaves_unused_is_remarked(project, capsys):
    damage(CLAIMS, "scales: [Pmine-1]", "scales: []")
    damage(
        EXPERIMENT,
        "claims:",
        "  sheet: {use: data_sheet, question: What is there, examples: $attacked_test}\n\nclaims:",
    )
    (project / "mine/components/detectors").mkdir(parents=True)
    (project / "mine/components/detectors/spread.py").write_text("def spread(logits):\n    return logits.sum(dim=1)\n")

    assert main(["check", "./mine", "--no-run"]) == 0

    remarks = [line for line in capsys.readouterr().out.splitlines() if line.startswith("remark: ")]
    assert [remark.split(": ")[1:3] for remark in remarks] == [
        [f"{CLAIMS}:10", "published.Pmine-1"],
        [f"{EXPERIMENT}:14", "evaluations.sheet"],
        [EXPERIMENT, "components.detectors.spread.py"],
    ]


def test_a_folder_without_an_experiment_is_refused(project, capsys):
    Path(EXPERIMENT).unlink()

    assert main(["check", "./mine"]) == 1
    assert f"./mine: experiment.yaml is missing in {project / 'mine'}" in capsys.readouterr().err
    with pytest.raises(ParamsError, match=r"papers../mine: ./mine: experiment.yaml is missing in "):
        load("own")


def test_a_number_that_the_papers_settings_leave_out_is_said_before_any_job(project, capsys):
    questions = "  further: {use: checks, question: Q, classifiers: [cnn_pgd], examples: [$attacked_test], attacks: [bim]}\n\nclaims:"
    damage(EXPERIMENT, "claims:", questions)  # so that bim is in the study
    damage(EXPERIMENT, "attack: pgd,", "attack: bim,")
    reason = "no evaluation that uses robustness names bim (for robust_accuracy)"

    assert main(["check", "./mine"]) == 1

    assert f"{CLAIMS}:32: criteria.Smine-1.tests.0: {reason}" in capsys.readouterr().err
    assert not Path("data").exists()
    assert load("own").remarks == (f"Smine-1 will have no verdict: {reason}",)


def test_a_data_role_that_a_study_does_not_give_is_said_before_any_job(project, capsys):
    damage(EXPERIMENT, "examples: $attacked_test\n    attacks", "examples: [$attacked_test, $darker]\n    attacks")

    assert main(["check", "./mine", "--no-run"]) == 0

    said = "the study gives no data role darker (Test images that were made darker.), so mine asks without it: mine_robustness"
    assert f"remark: {said}" in capsys.readouterr().out
    assert load("own").remarks == (said,)


def test_a_claim_of_the_id_of_a_shipped_one_is_the_own_papers_mistake(project, capsys):
    damage(CLAIMS, "  Pmine-1:", "  P1-1:")
    ask("./mine", "aloe")

    with pytest.raises(ParamsError, match=rf"{CLAIMS}:10: published.P1-1: aloe has a claim of this id, too"):
        load("own")


@pytest.mark.parametrize("beside", [False, True])
def test_a_study_of_tiny_data_asks_an_own_paper_alone_or_beside_the_others(project, beside):
    ask("./mine", *(load("tiny")["papers"] if beside else ()))

    study = load("own")

    assert "mine_robustness" in study["evaluations"] and "mine" in study["papers"]
    assert ("aloe" in study["papers"]) is ("robustness" in study["evaluations"]) is beside
    assert ("data_sheet" in study["evaluations"]) is beside
    assert study["examples"]["digits_test"] == load("tiny")["examples"]["digits_test"]


def test_a_paper_of_the_name_of_a_shipped_one_is_refused(project, capsys):
    Path("mine").rename("fgsm")
    Path("papers").mkdir()
    Path("fgsm").rename("papers/fgsm")

    assert main(["check", "./papers/fgsm", "--no-run"]) == 1
    assert "names two papers called fgsm; rename a folder" in capsys.readouterr().err


@pytest.mark.parametrize("paper", ["gradient_detection", "aloe", "margin_consistency", "fgsm", "translation"])
def test_every_shipped_paper_passes_the_check_that_others_have_to_pass(paper, project, capsys):
    assert main(["check", paper, "--no-run"]) == 0
    assert f"{paper}: no mistakes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "paper"),
    [
        ("aloe", True),
        ("./mine", True),
        ("/somewhere/mine", True),
        ("tiny", False),
        ("workflow/studies/own.yaml", False),
    ],
)
def test_a_paper_is_a_shipped_name_or_a_folder(word, paper):
    assert _paper_check.is_paper(word) is paper


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["aloe"], "touchstone has a paper aloe; choose another name"),
        (["My-Paper"], r"a paper is named \[a-z\]\[a-z0-9_\]\*"),
        (["second", "--fitted"], "--fitted is for detectors, not for papers"),
    ],
)
def test_a_new_paper_with_a_wrong_name_or_flag_is_not_begun(project, capsys, words, reason):

    assert main(["new", "paper", *words]) == 1
    assert re.search(reason, capsys.readouterr().err)


def test_a_new_paper_is_named_in_text_whatever_yaml_reads_its_name_as(project):
    assert main(["new", "paper", "yes"]) == 0

    assert yaml.safe_load(Path("yes/claims.yaml").read_text())["name"] == "Yes"


def test_a_paper_that_is_there_already_is_not_overwritten(project, capsys):
    Path(EXPERIMENT).write_text("mine\n")
    Path(CLAIMS).unlink()

    assert main(["new", "paper", "mine"]) == 1
    assert "mine/experiment.yaml is there already" in capsys.readouterr().err
    assert not Path(CLAIMS).exists()
