from collections import namedtuple
from types import SimpleNamespace

import pytest
from snakemake import output_index
from snakemake import rules as snakemake_rules

from touchstone.pipeline.orchestration import snakemake_patches

Rule = namedtuple("Rule", "name")


@pytest.fixture
def indexed(monkeypatch):
    """Snakemake's index of outputs, of a plan that knows who makes a.txt and b.txt, in a job that may use one rule alone."""
    makers = {"a.txt": "allowed", "b.txt": "fetch"}
    plan = SimpleNamespace(maker=lambda file: (Rule(makers[file]), {"net": "cnn.0"}))
    monkeypatch.setattr(output_index.OutputIndex, "__init__", lambda self, rules: None)
    monkeypatch.setattr(output_index.OutputIndex, "match_producers", lambda self, file: {"found by snakemake"})
    monkeypatch.setattr(
        snakemake_rules.Rule, "get_wildcards", lambda self, file, wildcards_dict=None: "as Snakemake does"
    )
    snakemake_patches._match(plan)
    return output_index.OutputIndex([Rule("allowed")])


def test_the_plan_says_which_rule_makes_a_file_and_its_sidecar(indexed):
    for file in ("a.txt", "a.txt.prov.json"):
        (rule,) = indexed.match_producers(file)
        assert rule.name == "allowed"


def test_a_rule_that_a_job_on_a_cluster_may_not_use_makes_nothing_there(indexed):
    assert indexed.match_producers("b.txt") == set()


def test_what_the_plan_does_not_know_is_looked_for_in_snakemakes_way(indexed):
    assert indexed.match_producers("c.txt") == {"found by snakemake"}


@pytest.mark.parametrize(
    ("rule", "file", "found"),
    [
        ("allowed", "a.txt.prov.json", {"net": "cnn.0"}),
        ("fetch", "a.txt", "as Snakemake does"),
        ("allowed", "c.txt", "as Snakemake does"),
        ("all", None, "as Snakemake does"),
    ],
)
def test_the_plan_says_the_wildcards_of_what_a_rule_makes_and_of_nothing_else(indexed, rule, file, found):
    assert snakemake_rules.Rule.get_wildcards(Rule(rule), file) == found
