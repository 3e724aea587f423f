"""METRICS of each evaluation: the names that its rows have on the synthetic study, and no others.

tests/edition compares them with the names in the reports in git.
"""

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import synthetic_study
from touchstone import registry
from touchstone.settings.paper_questions import has_metric, queries_of
from touchstone.settings.papers import read_papers, shipped
from touchstone.settings.problems import Problems

ROOT = Path(__file__).parents[3]
STUDY = vars(synthetic_study)
EVALUATIONS = registry.names("evaluations")
MEAN = "_mean"  # what every evaluation appends for the mean over seeds
# Named, but not made of the synthetic study: it has no such attack, detector, peer or check.
RARE = {
    "attacked_detection": {"no_score_gradient"},
    "evasion": {
        "no_score_gradient", "no_score_gradient_clean", "oblivious_only_share_at_*", "evades_less_than_oblivious", "*_passed",
    },
    "gain_over_best": {"auroc", "auroc_of_best_of_*", "auroc_minus_best_of_*"},  # of sets, with `anomalies`
    "margins": {"kendall_tau_class_*"},
    "paired_errors": {"worst_error", "worst_error_minus_*"},  # of defences
    "checks": {
        "change_at_eps_0", "rise_with_restarts", "worse_than_transfer",
    },
}  # fmt: skip


def made(evaluation):
    """The metrics of an evaluation on the synthetic study."""
    functions = [registry.load(f"evaluations/{evaluation}")]
    functions += [STUDY["checks_of_networks"], STUDY["checks_of_detectors"]] if evaluation == "checks" else []
    metrics = set()
    for function in functions:
        cells, settings = STUDY["given"](function)
        metrics |= {row.metric.removesuffix(MEAN) for row in function(*cells, **settings)}
    return metrics


@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_an_evaluation_makes_the_metrics_that_it_names_and_no_others(evaluation):
    component = registry.component("evaluations", evaluation)
    metrics = made(evaluation)

    assert component.metrics
    assert {metric for metric in metrics if not has_metric(component, metric)} == set()
    absent = {each for each in component.metrics if not any(fnmatchcase(metric, each) for metric in metrics)}
    assert absent == RARE.get(evaluation, set())


@pytest.mark.parametrize("paper", shipped())
def test_every_number_of_a_shipped_criterion_is_a_metric_of_its_evaluation(paper):
    _, book = read_papers({paper: "full"}, ROOT, Problems(ROOT / "params.yaml"))
    queries = [query for criterion in book.criteria.values() for _, query in queries_of(criterion)]

    assert len(queries) > 10
    assert [q for q in queries if not has_metric(registry.component("evaluations", q.evaluation), q.metric)] == []
