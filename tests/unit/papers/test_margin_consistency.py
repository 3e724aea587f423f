"""Bounds and experiment of the claims on margin consistency; they are judged in test_claims.py."""

import csv
import gzip
from pathlib import Path

import pytest
from hand_made_claims import shipped

from touchstone.claims import contrast_files

REPORTS = Path(__file__).parents[3] / "reports"
PAPER = shipped()["M"]


def test_the_bounds_are_the_midpoints_of_the_notebooks_figures():
    figures = {name: PAPER.book.published[name].figure for name in ("P2-1", "P2-2", "P2-3")}
    assert figures["P2-1"].startswith("tau .82, AUROC 97.86") and figures["P2-1"].endswith("FPR95 13.26")
    assert figures["P2-2"].startswith("tau .28, AUROC 67.49") and figures["P2-2"].endswith("FPR95 82.56")
    bounds = {name: [test.bound for test in PAPER.book.criteria[name].tests] for name in ("M1", "M2", "M3")}

    assert bounds["M1"] == [pytest.approx((0.82 + 0.28) / 2), None, None]
    assert bounds["M2"][:2] == [
        pytest.approx((0.9786 + 0.6749) / 2, abs=5e-4),
        pytest.approx((0.1326 + 0.8256) / 2, abs=5e-4),
    ]
    assert bounds["M3"][0] == pytest.approx((0.58 - 0.28) / 2)


def test_the_head_of_the_report_shows_an_attack_on_the_network_one_that_knows_the_threshold_and_no_threshold():
    (written,) = contrast_files.read(PAPER.facts)
    tests, who = written.criterion.tests, PAPER.cast(*written.of)

    assert [(test.rows.metric, test.rows.examples.format(**who)) for test in tests] == [
        ("1 - share_wrong_unflagged", "margin_test/pgd_10"),
        ("1 - share_wrong_unflagged", "margin_test/union"),
        ("1 - share_wrong", "margin_test/union"),
        ("share_flagged", "margin_test"),
    ]


def test_every_claim_rests_on_three_networks_of_the_flagship_or_more():
    asked = PAPER.experiment["grades"]["full"]["change"]
    seeds = {name: each["seeds"] for name, each in asked["evaluations"].items()}

    assert all(seeds[name] == [0, 1, 2, 3, 4] for name in ("margins", "margin_evasion", "subset_robustness"))
    assert seeds["margin_survey"] == seeds["pseudo_margins"] == asked["classifiers"]["cnn_mma"]["seeds"] == [0, 1, 2]


@pytest.mark.parametrize("study", ["fashion_mnist", "digits"])
def test_the_rank_correlation_is_higher_within_most_classes_as_the_chapter_says(study):
    assert "within most predicted classes it is higher" in PAPER.facts["unfair"][0]
    with gzip.open(REPORTS / study / "metrics.csv.gz", "rt") as file:
        rows = [row for row in csv.DictReader(file) if (row["evaluation"], row["entry"]) == ("margins", "cnn_pgd")]
    taus = {row["metric"]: float(row["value"]) for row in rows}
    classes = [tau for metric, tau in taus.items() if metric.startswith("kendall_tau_class_") and "_mean" in metric]

    assert len(classes) == 10
    assert sum(tau > taus["kendall_tau_mean"] for tau in classes) > 5
