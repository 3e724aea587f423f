"""Which published figures a study measures itself: on the paper's data, by entries with the paper's settings."""

from pathlib import Path

import pytest
from hand_made_claims import asks, book

from touchstone.claims.file_checks import ClaimError
from touchstone.claims.paper_scales import measured_figures
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import code
from touchstone.settings import papers
from touchstone.settings.study import load

ROOT = Path(__file__).parents[3]
MODEL = {"component": "maxout", "units": 240}
SCALE = {"data": "mnist", "settings": {"net": {"model": MODEL}, "attack": {"component": "fgsm", "eps": 0.25}}}
ROLES = {"net": "classifiers", "attack": "attacks", "examples": "examples"}
STUDY = {
    "classifiers": {
        "net": {"use": "training/clean", "model": {"use": "models/maxout", "units": 240, "pieces": 5}},
        "large": {"use": "training/clean", "model": {"use": "models/maxout", "units": 1600, "pieces": 5}},
        "cnn": {"use": "training/clean", "model": {"use": "models/small_cnn"}},
    },
    "attacks": {"fgsm": {"use": "attacks/fgsm", "eps": 0.25}, "pgd": {"use": "attacks/pgd", "eps": 0.25},
                "weak": {"use": "attacks/fgsm", "eps": 0.1}},
}  # fmt: skip


def figures(data="mnist", roles=ROLES, **players):
    made = {"made": {"criteria": {"S9-1": {"roles": roles, "paper_scale": {"P9-1": SCALE}}}}}
    return measured_figures(made, {"S9-1": {"net": "net", "attack": "fgsm", "examples": "test"} | players}, data, STUDY)


def test_a_study_with_the_papers_data_network_and_attack_measures_its_figure():
    assert figures() == {"S9-1": ["P9-1"]}


@pytest.mark.parametrize(
    "other", [{"data": "cifar10"}, {"net": "large"}, {"net": "cnn"}, {"attack": "pgd"}, {"attack": "weak"}], ids=str
)
def test_other_data_another_network_or_another_attack_measures_no_figure(other):
    assert figures(**other) == {}


@pytest.mark.parametrize(("nets", "expected"), [(["net"], {"S9-1": ["P9-1"]}), (["net", "large"], {})])
def test_of_several_networks_each_has_to_be_the_papers(nets, expected):
    assert figures(roles=ROLES | {"net": "each classifiers"}, net=nets) == expected


def test_a_criterion_that_is_not_asked_measures_nothing():
    made = {"made": {"criteria": {"S9-1": {"roles": ROLES, "paper_scale": {"P9-1": SCALE}}}}}

    assert measured_figures(made, {"S9-1": "needs days"}, "mnist", STUDY) == {}


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (True, "paper_scale: expected figures, each with the paper's data and settings"),
        ({"P9-2": SCALE}, "paper_scale: the figure P9-2 is not among P9-1"),
        ({"P9-1": {}}, "paper_scale.P9-1: data is missing"),
        ({"P9-1": {"data": "mnist"}}, "paper_scale.P9-1.settings.net: must be given"),
        ({"P9-1": {"data": "mnist", "settings": {"net": {}}}}, "paper_scale.P9-1.settings.net: must be given"),
        ({"P9-1": {"data": 1, "settings": {}}}, "paper_scale.P9-1.data: expected a component of data"),
        ({"P9-1": {"data": "mnist", "settings": {"net": MODEL}, "tests": [1]}}, "expected places from 0 to 0"),
        ({"P9-1": {"data": "mnist", "settings": {"examples": MODEL}}}, "examples is not among net"),
    ],
    ids=str,
)
def test_a_scale_that_does_not_say_what_is_the_papers_is_refused(scale, message):
    with pytest.raises(ClaimError) as error:
        book(S9_1=asks(at_least=0.8) | {"scales": ["P9-1"], "paper_scale": scale})

    assert message in str(error.value)


@pytest.mark.parametrize(
    ("study", "expected"),
    [
        ("digits", {}),
        ("fashion_mnist", {}),
        ("mnist", {}),  # its images of the attack are clipped to [0, 1]
        ("cifar100", {}),
        ("cifar10", {"S2-10": ["P2-1", "P2-2", "P2-3"]}),
    ],
)
def test_the_shipped_studies_measure_hardly_any_figure_itself(study, expected):
    assert Plan(load(study, ROOT)).questions.claims().get("at_paper_scale", {}) == expected


def test_no_component_that_a_paper_names_is_code_of_the_report():
    """Whatever is called `use` in a job's settings is a file that the job runs."""
    assert list(code.uses(papers.shipped_facts())) == []
