"""The JSON schemas that editors complete from: up to date, content with every shipped file, and strict with mistakes."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from touchstone import plugins, registry
from touchstone.claims import condition_files, paper_files
from touchstone.pipeline.settings.files import read_yaml
from touchstone.pipeline.settings.sections import sections
from touchstone.schemas import files

ROOT = Path(__file__).parents[3]
STUDIES = [ROOT / "params.yaml", *sorted((ROOT / "workflow" / "studies").glob("*.yaml"))]
PAPERS = sorted((ROOT / "src" / "touchstone" / "papers").glob("*/*.yaml"))
SETTINGS_FILES = [(file, "study") for file in STUDIES] + [(file, file.stem) for file in PAPERS]


@pytest.fixture(autouse=True)
def _no_plugins(monkeypatch):
    monkeypatch.setattr(plugins, "_folders", [])  # of other tests


def schema(kind):
    return json.loads((files.FOLDER / f"{kind}.json").read_text())


def mistakes(kind, content):
    """Return the place of every mistake, keys joined by dots."""
    return {".".join(map(str, error.absolute_path)) for error in Draft7Validator(schema(kind)).iter_errors(content)}


def named(value):
    return value.relative_to(ROOT).as_posix() if isinstance(value, Path) else ""


@pytest.mark.parametrize("name", ["study.json", "paper.json", "questions.json"])
def test_the_written_schema_is_what_the_components_give(name):
    assert files.texts()[name] == (files.FOLDER / name).read_text(), f"{name} is out of date: run `make tables`"


@pytest.mark.parametrize("kind", ["study", "paper", "questions"])
def test_a_schema_is_one_of_draft_07_whose_references_lead_somewhere(kind):
    content = schema(kind)
    Draft7Validator.check_schema(content)

    def references(value):
        if isinstance(value, dict):
            yield from [value["$ref"]] if "$ref" in value else []
            for item in value.values():
                yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    for pointer in set(references(content)):
        target = content
        for key in pointer.removeprefix("#/").split("/"):
            target = target[key]
        assert isinstance(target, dict)


@pytest.mark.parametrize(("file", "kind"), SETTINGS_FILES, ids=named)
def test_a_shipped_file_fits_its_schema(file, kind):
    assert mistakes(kind, read_yaml(file)) == set()


@pytest.mark.parametrize(("file", "kind"), SETTINGS_FILES, ids=named)
def test_a_shipped_file_names_its_schema_in_its_first_line(file, kind):
    assert file.read_text().partition("\n")[0] == files.comment(file, files.FOLDER / f"{kind}.json")


def test_the_comment_leads_from_the_file_to_the_schema(tmp_path):
    schema_file = ROOT / "src" / "touchstone" / "schemas" / "study.json"

    assert files.comment(ROOT / "params.yaml", schema_file).endswith("$schema=src/touchstone/schemas/study.json")
    assert files.comment(ROOT / "workflow" / "studies" / "tiny.yaml", schema_file).endswith(
        "$schema=../../src/touchstone/schemas/study.json"
    )
    assert files.comment(tmp_path / "mine" / "paper.yaml", tmp_path / "mine" / ".schemas" / "paper.json") == (
        "# yaml-language-server: $schema=.schemas/paper.json"
    )


# --- studies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("attacks.pgd", {"attacks": {"pgd": {"use": "pgd", "step_sise": 0.01}}}),
        ("attacks.pgd", {"attacks": {"pgd": {"step_sise": 0.01}}}),
        ("attacks.defaults", {"attacks": {"defaults": {"step_sise": 0.01}}}),
        ("attacks.pgd.use", {"attacks": {"pgd": {"use": "pgdd"}}}),
        ("attacks.pgd.steps", {"attacks": {"pgd": {"use": "pgd", "steps": "many"}}}),
        ("attacks.pgd.steps", {"attacks": {"pgd": {"use": "pgd", "steps": 0}}}),
        ("attacks.pgd.eps", {"attacks": {"pgd": {"use": "pgd", "eps": 1.5}}}),
        ("attacks.pgd.eps", {"attacks": {"pgd": {"use": "pgd", "eps": "a tenth"}}}),
        ("attacks.pgd.eps", {"attacks": {"pgd": {"use": "pgd", "eps": [0.1, 0.2]}}}),
        ("attacks.pgd_*.eps.1", {"attacks": {"pgd_*": {"use": "pgd", "eps": [0.1, 2]}}}),
        ("attacks.pgd.norm", {"attacks": {"pgd": {"use": "pgd", "norm": "l1"}}}),
        ("attacks.all.attacks.0.use", {"attacks": {"all": {"use": "worst_of", "attacks": [{"use": "pgdd"}]}}}),
        ("attacks", {"attacks": {"PGD": {"use": "pgd"}}}),
        ("classifiers.cnn.model.use", {"classifiers": {"cnn": {"use": "clean", "model": {"use": "mlpp"}}}}),
        ("classifiers.cnn.model", {"classifiers": {"cnn": {"use": "clean", "model": {"use": "mlp", "width": 4}}}}),
        ("classifiers.cnn", {"classifiers": {"cnn": {"use": "clean", "source": "file"}}}),
        ("classifiers.net", {"classifiers": {"net": {"use": "program_file", "epochs": 3}}}),
        ("classifiers.cnn.seeds", {"classifiers": {"cnn": {"use": "clean", "seeds": [0, 0]}}}),
        ("sources.digits.sha256", {"sources": {"digits": {"use": "sklearn_digits", "sha256": "md5:1"}}}),
        ("evaluations.robustness.examples", {"evaluations": {"robustness": {"examples": "every"}}}),
        ("evaluations.robustness.examples.0", {"evaluations": {"robustness": {"examples": ["$Test"]}}}),
        ("defences.routed", {"defences": {"routed": {"classifier": "cnn", "translater": "unet"}}}),
        ("confounding.ones.variant", {"confounding": {"ones": {"variant": "tanh"}}}),
        ("claims", {"claims": {"S1_1": {"net": "cnn"}}}),
        ("claims.S1-1.net", {"claims": {"S1-1": {"net": 3}}}),
        ("roles.test", {"roles": {"test": {"of": "digits"}}}),
        ("study", {"study": {"tittle": "Digits"}}),
        ("study.device", {"study": {"device": "gpu"}}),
        ("papers.0", {"papers": ["nobodys"]}),
        ("base", {"base": ["digits"]}),
        ("", {"atacks": {}}),
    ],
    ids=str,
)
def test_a_mistake_in_a_study_is_refused_where_it_is(place, content):
    assert place in mistakes("study", content)


@pytest.mark.parametrize(
    "content",
    [
        {"attacks": {"pgd": {"use": "pgd", "eps": "8/255", "step_size": "2/255"}}},
        {"attacks": {"pgd": {"use": "pgd", "step_size": None}}},
        {"attacks": {"pgd": {"eps": 0.2}, "fgsm": None}},
        {"attacks": {"pgd_*": {"use": "pgd", "eps": [0.02, "8/255"]}, "fgsm_*": {"clip": False}}},
        {"classifiers": {"defaults": {"train": "$train", "epochs": 20, "clean_weight": 0.5}}},
        {"classifiers": {"cnn": {"model": {"width": 8}}}},
        {
            "classifiers": {
                "net": {"use": "program_file", "source": "file", "model": {"use": "program_file", "trust_code": True}}
            }
        },
        {
            "evaluations": {
                "a": {"use": "robustness", "classifiers": "all", "examples": "$test", "attacks": ["$main", "pgd"]}
            }
        },
        {"evaluations": {"a": {"use": "paired_detection", "id_examples": "$id/pgd", "against": "$rivals"}}},
        {"figures": {"a": {"evaluation": "detection", "caption": "Scores"}}},
        {"roles": {"test": "digits_test", "ood": ["faces", "$test"]}, "claims": {"S3-1": {"net": ["$test"]}}},
        {"claims": {"shared": {"examples": "$test"}, "Strades-2": "needs days", "S1-1": None}},
        {"base": "fashion_mnist"},
        {"base": "none", "papers": ["./mine", "/elsewhere/yours"], "questions": ["robustness"]},
        {"plugins": ["mine/"], "attacks": {"a": {"use": "my_attack", "strength": 3}, "pgd": {"strength": 3}}},
        {"papers": ["./mine"], "classifiers": {"a": {"use": "clean", "model": {"use": "my_network", "width": 3}}}},
    ],
    ids=str,
)
def test_what_a_study_may_write_is_accepted(content):
    assert mistakes("study", content) == set()


def test_after_use_the_settings_of_the_component_are_described():
    eps = schema("study")["definitions"]["attacks.pgd"]["properties"]["eps"]

    assert (eps["minimum"], eps["maximum"], eps["default"]) == (0, 1, 0.1)
    assert eps["description"] == "radius in pixel units of `norm`. (float from 0 to 1; default 0.1)"


def test_every_component_of_a_section_is_offered():
    content = schema("study")
    for section, kind in sections().items():
        names = {name for folder in kind.folders for name in registry.names(folder)}
        offered = content["definitions"][f"entry-{section}"]["properties"].get("use", {"anyOf": [{"enum": []}]})
        assert set(offered["anyOf"][0]["enum"]) == names


# --- papers -------------------------------------------------------------------------------------------------------


def paper(**changes):
    published = {"setting": "clean accuracy", "figure": "95 %", "source": "Table 1", "marks": ["P"]}
    rows = {"evaluation": "robustness", "entry": "{net}", "examples": "{test}", "threat": {"eps": 0.1}}
    criterion = {
        "setting": "under PGD",
        "criterion": "error <= .2",
        "scales": ["Pmine-1"],
        "roles": {"net": "each classifiers", "test": "examples"},
        "rows": rows,
        "tests": [{"name": "error", "metric": "1 - robust_accuracy", "at_most": 0.2}],
    }
    content = {"name": "Mine", "cite": "Me 2026", "url": "https://example.org", "published": {"Pmine-1": published}}
    return content | {"criteria": {"Smine-1": criterion | changes}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tests": [{"name": "error", "metric": "error", "between": [0.1, 0.2]}]},
        {"tests": [{"name": "error", "metric": "error", "at_least": {"digits": 0.1, "mnist": 0.2}}]},
        {"needs": [{"name": "n", "metric": "n", "above": 0}], "seeds": "each"},
        {"tests": [{"name": "error", "metric": "error", "at_least": 0.1, "no_effect": 0, "distance": 0.01}]},
        {
            "scales": ["Pmine-1"],
            "paper_scale": {
                "Pmine-1": {"data": "mnist", "settings": {"net": {"model": {"component": "maxout"}}}, "tests": [0]}
            },
        },
        {"revised": [{"date": "2026-11-21", "was": "<= .3", "why": "wrong", "known": False}]},
        {"breaks": {"name": "b", "metric": "m", "equals": 1, "tolerance": 0.1}, "broken_by": ["Smine-2"]},
    ],
    ids=str,
)
def test_what_a_paper_may_write_is_accepted(changes):
    assert mistakes("paper", paper(**changes)) == set()


@pytest.mark.parametrize(
    ("place", "changes"),
    [
        ("tests.0", {"tests": [{"name": "error", "metric": "error", "at_leest": 0.1}]}),
        ("tests.0.at_least", {"tests": [{"name": "error", "metric": "error", "at_least": "a lot"}]}),
        ("tests.0.between", {"tests": [{"name": "error", "metric": "error", "between": [0.1]}]}),
        ("tests.0.stuck", {"tests": [{"name": "error", "metric": "error", "stuck": {"at_mots": 0.1}}]}),
        ("tests.0", {"tests": [{"name": "error", "metric": "error", "minus": {"metric": "other"}}]}),
        ("tests.0.no_effect", {"tests": [{"name": "error", "metric": "error", "no_effect": "half"}]}),
        ("tests.0.distance", {"tests": [{"name": "error", "metric": "error", "distance": 0}]}),
        ("paper_scale", {"paper_scale": True}),
        ("paper_scale.Pmine-1", {"paper_scale": {"Pmine-1": {"settings": {}}}}),
        ("revised.0", {"revised": [{"date": "2026-11-21", "was": "<= .3", "why": "wrong"}]}),
        ("revised.0.known", {"revised": [{"date": "2026-11-21", "was": "<= .3", "why": "wrong", "known": "yes"}]}),
        ("", {"fixed": "not run"}),
        ("rows", {"rows": {"evaluatoin": "robustness"}}),
        ("roles.net", {"roles": {"net": "every classifiers"}}),
        ("roles.net", {"roles": {"net": "networks"}}),
        ("scales.0", {"scales": ["S1-1"]}),
        ("seeds", {"seeds": "all"}),
        ("", {"sayz": "x"}),
    ],
    ids=str,
)
def test_a_mistake_in_a_criterion_is_refused_where_it_is(place, changes):
    assert f"criteria.Smine-1.{place}".rstrip(".") in mistakes("paper", paper(**changes))


def test_a_paper_without_url_and_a_figure_without_source_are_refused():
    content = paper()
    del content["url"], content["published"]["Pmine-1"]["source"]
    content["published"]["mine"] = {}

    assert mistakes("paper", content) == {"", "published", "published.Pmine-1"}


def test_a_criterion_without_tests_is_refused_and_a_figure_may_say_why_nothing_measures_it():
    content = paper()
    del content["criteria"]["Smine-1"]["tests"]
    content["published"]["Pmine-1"]["unmeasured"] = "it needs another network"

    assert mistakes("paper", content) == {"criteria.Smine-1"}


def test_a_criterion_has_the_keys_that_the_reader_of_papers_accepts():
    definitions = schema("paper")["definitions"]

    assert set(schema("paper")["properties"]) == set(paper_files.PAPER)
    assert set(definitions["published"]["properties"]) == {*paper_files.FIGURE, paper_files.UNMEASURED}
    assert set(definitions["criterion"]["properties"]) == set(paper_files.CRITERION)
    assert set(definitions["condition"]["properties"]) == set(condition_files.NUMBER)


# --- questions ----------------------------------------------------------------------------------------------------


def test_a_papers_questions_name_roles_and_components_of_its_own():
    content = {
        "roles": {"test": "Images to test on."},
        "evaluations": {"robustness": {"use": "robustness", "question": "How robust?", "examples": "$test"}},
        "detectors": {"mine": {"use": "my_detector", "threshold": 3}},
        "claims": {"Smine-1": {"net": "$net"}},
    }

    assert mistakes("questions", content) == set()


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("", {"sources": {}}),
        ("", {"study": {"title": "Mine"}}),
        ("", {"papers": ["aloe"]}),
        ("roles.test", {"roles": {"test": ["digits_test"]}}),
        ("evaluations.a", {"evaluations": {"a": {"use": "robustness", "sytem": "mine"}}}),
        ("evaluations.a", {"evaluations": {"a": {"use": "robustness", "system": "mine"}}}),
        ("evaluations.a.examples", {"evaluations": {"a": {"use": "robustness", "examples": "test"}}}),
        ("figures.a.evaluation", {"figures": {"a": {"use": "roc_curves", "evaluation": ["detection"]}}}),
    ],
    ids=str,
)
def test_a_mistake_in_questions_is_refused_where_it_is(place, content):
    assert place in mistakes("questions", content)
