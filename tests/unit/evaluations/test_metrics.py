"""METRICS of each evaluation: the names that its rows have in tests and in the committed reports, and no others."""

import csv
import gzip
import runpy
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from touchstone import registry
from touchstone.pipeline.settings.paper_questions import has_metric, queries_of
from touchstone.pipeline.settings.papers import read_papers, shipped
from touchstone.pipeline.settings.problems import Problems
from touchstone.pipeline.settings.study import load

ROOT = Path(__file__).parents[3]
STUDY = runpy.run_path(str(ROOT / "tests" / "synthetic_study.py"))
EVALUATIONS = registry.names("evaluations")
MEAN = "_mean"  # what every evaluation appends for the mean over seeds
FINISHED = ("digits", "fashion_mnist")


def made(evaluation):
    """The metrics of an evaluation on the synthetic study."""
    function = registry.load(f"evaluations/{evaluation}")
    cells, settings = STUDY["given"](function)
    return {row.metric.removesuffix(MEAN) for row in function(*cells, **settings)}


@pytest.fixture(scope="module")
def reported():
    """The metrics of each evaluation in the committed reports."""
    metrics = {evaluation: set() for evaluation in EVALUATIONS}
    for study in FINISHED:
        uses = {name: block["use"].split("/")[1] for name, block in load(study, ROOT)["evaluations"].items()}
        with gzip.open(ROOT / "reports" / study / "metrics.csv.gz", "rt", newline="") as stream:
            for line in csv.DictReader(stream):
                if line["evaluation"] in uses:  # the claims' own numbers are of no evaluation
                    metrics[uses[line["evaluation"]]].add(line["metric"].removesuffix(MEAN))
    return metrics


@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_an_evaluation_makes_the_metrics_that_it_names_and_no_others(evaluation, reported):
    component = registry.component("evaluations", evaluation)
    metrics = made(evaluation) | reported[evaluation]

    assert component.metrics
    assert {metric for metric in metrics if not has_metric(component, metric)} == set()
    assert {each for each in component.metrics if not any(fnmatchcase(metric, each) for metric in metrics)} == set()


@pytest.mark.parametrize("paper", shipped())
def test_every_number_of_a_shipped_criterion_is_a_metric_of_its_evaluation(paper):
    _, book = read_papers([paper], ROOT, Problems(ROOT / "params.yaml"))
    queries = [query for criterion in book.criteria.values() for _, query in queries_of(criterion)]

    assert len(queries) > 10
    assert [q for q in queries if not has_metric(registry.component("evaluations", q.evaluation), q.metric)] == []
