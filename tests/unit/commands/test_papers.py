"""`touchstone papers`: every criterion with its verdict in each finished study, and one paper in full."""

import csv
import re
import shutil
from pathlib import Path

import pytest

from touchstone import plugins
from touchstone.__main__ import main
from touchstone.pipeline.settings.papers import shipped_facts

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with two finished studies, one of them a trial of a paper."""
    (tmp_path / "workflow/studies").mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for study in ("digits", "check_aloe"):
        (tmp_path / "reports" / study).mkdir(parents=True)
        shutil.copy(ROOT / "reports/digits/claims.csv", tmp_path / "reports" / study)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    yield tmp_path
    plugins.use([])


def verdict(claim):
    with (ROOT / "reports/digits/claims.csv").open(newline="") as stream:
        return next(line for line in csv.DictReader(stream) if line["claim"] == claim)


def line_of(claim, text):
    return next(line for line in text.splitlines() if line.split()[:1] == [claim])


def test_every_shipped_criterion_is_listed_with_its_latest_verdict(project, capsys):
    assert main(["papers"]) == 0

    said = capsys.readouterr().out
    assert [name for name in shipped_facts() if f"{name}: " not in said] == []
    assert line_of("S1-5", said).split()[-1] == verdict("S1-5")["status"]
    assert "check_aloe" not in said


def test_one_paper_is_printed_in_full(project, capsys):
    assert main(["papers", "fgsm"]) == 0

    said = capsys.readouterr().out
    assert "https://arxiv.org/abs/1412.6572" in said
    assert "error 99.9%, confidence 79.3% (section 4)" in said
    assert "error >= 97% (F-MNIST), >= 90% (digits)" in said and "confirmed" in line_of("S3-1", said)


def test_a_studys_own_paper_is_listed_before_its_first_run(project, capsys):
    main(["new", "paper", "mine"])
    Path("workflow/studies/own.yaml").write_text("papers: [aloe, ./mine]\nstudy: {title: Own}\n")
    capsys.readouterr()

    assert main(["papers", "--study", "own"]) == 0

    said = capsys.readouterr().out
    assert line_of("Smine-1", said).strip() == "Smine-1   adversarially trained network, PGD at eps .1"
    assert "fgsm: " not in said and "aloe: ALOE" in said


@pytest.mark.parametrize("name", ["Mine [v2]", "Mine [/red]"])
def test_a_papers_name_in_brackets_is_printed_as_it_is(project, capsys, name):
    main(["new", "paper", "mine"])
    paper = Path("mine/paper.yaml")
    paper.write_text(re.sub("(?m)^name: .*", f'name: "{name}"', paper.read_text()))
    Path("workflow/studies/own.yaml").write_text("papers: [./mine]\nstudy: {title: Own}\n")

    assert main(["papers", "--study", "own"]) == 0

    assert f"mine: {name}" in capsys.readouterr().out


def test_an_unknown_paper_is_refused_with_the_nearest(project, capsys):
    assert main(["papers", "alo"]) == 1
    assert (
        "no paper alo; touchstone has gradient_detection, aloe" in (said := capsys.readouterr().err)
        and "Did you mean aloe?" in said
    )
