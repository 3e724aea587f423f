"""A paper of a user's own, in a folder outside the repository, with a component: from its first version to a trace."""

from pathlib import Path

import pytest

PAPER = """
name: Spread
title: The spread of logits
cite: A. Author. The spread of logits. 2026.
url: https://example.org/spread
unfair: [A small network and a few hundred digits.]
published:
  Pspread-1: {setting: "MNIST against noise, spread of the logits", figure: AUROC .98, source: Table 2, marks: [P]}
criteria:
  Sspread-1:
    setting: spread of the logits, digits against each out-of-distribution set
    criterion: AUROC >= .30
    bound: {from: ours, source: far below the published figure}
    scales: [Pspread-1]
    roles: {net: classifiers, detector: detectors, sets: each examples}
    tests:
      - {name: AUROC, evaluation: detection, metric: auroc, entry: "{net}+{detector}", examples: "{sets}", at_least: 0.3}
"""
EXPERIMENT = """
detectors:
  spread: {use: spread}
evaluations:
  spread_detection:
    use: detection
    question: Does the spread of the logits tell other images from digits?
    classifiers: [cnn]
    examples: [$attacked_test, $ood_test]
    detectors: [spread, msp]
    id_examples: $attacked_test
    resamples: 50
claims:
  Sspread-1: {net: cnn, detector: spread, sets: $ood_test}
"""
STUDY = """
title: A paper of my own
data:
  train: {digits_train: {use: digits, source: sklearn_digits, part: train, limit: 200}}
  validation: {digits_validation: {use: digits, source: sklearn_digits, part: validation, limit: 40}}
  calibration: {digits_calibration: {use: digits, source: sklearn_digits, part: calibration}}
  test: {digits_test: {use: digits, source: sklearn_digits, part: test, limit: 60}}
  ood_noise: {uniform: {count: 40}}
scale: {seeds: 1, epochs: 2}
papers: {PAPER: full}
"""


@pytest.fixture
def paper(clone, tmp_path):
    """The path of a paper with a detector of its own, as it is typed in the clone."""
    folder = tmp_path / "elsewhere" / "spread"
    clone.forked_touchstone("new", "detector", "spread", "--folder", str(folder / "components"))
    (folder / "claims.yaml").write_text(PAPER)
    (folder / "experiment.yaml").write_text(EXPERIMENT)
    return str(folder)


def test_a_paper_outside_the_repository_is_checked_run_judged_and_traced(clone, paper):
    sources = {name for name in clone.digests("src") if not name.endswith(".pyc")}

    checked = clone.forked_touchstone("check", paper, "--cores", "2").stdout
    (clone.root / "workflow/studies/own.yaml").write_text(STUDY.replace("PAPER", paper))
    ran = clone.forked_touchstone("run", "own", "--cores", "2").stdout
    claims = clone.forked_touchstone("show", "own", "--number", "Sspread-1").stdout
    traced = clone.forked_touchstone("trace", "own", "--number", "Sspread-1").stdout
    files = clone.forked_touchstone("trace", "own", "--number", "Sspread-1", "--all").stdout
    listed = clone.forked_touchstone("show", "own", "--paper", "spread").stdout

    assert "spread: no mistakes; published 1, criteria 1, evaluations 1" in checked
    assert "With a verdict: 1 of 1. The table: " in checked
    assert "The report: reports/own/report.html" in ran
    assert "Sspread-1  spread of the logits" in claims
    assert "  detect cnn, seeds 0 to 4: " in traced and "fetch sklearn_digits: 1 raw folder" in traced
    assert "results/own/detect/cnn.0/scores/cnn.0/" in files and "data/raw/sklearn_digits" in files
    answer, lines = listed.split("\n\n")
    assert "[Sspread-1: " in answer and "may call unfair: A small network" in answer
    assert lines.splitlines()[1].startswith("Sspread-1")
    page = (clone.root / "reports/own/report.html").read_text()
    assert "The spread of logits" in page and "Sspread-1" in page

    component = Path(paper) / "components/detectors/spread.py"
    component.write_text(
        component.read_text().replace("temperature: PositiveFloat = 1.0", "temperature: PositiveFloat = 2.0")
    )
    planned = clone.planned(study="own")
    assert "Fit, attack and score the detectors of cnn.0" in planned
    assert not any(job.startswith(("Train", "Attack")) for job in planned)
    assert {name for name in clone.digests("src") if not name.endswith(".pyc")} == sources
