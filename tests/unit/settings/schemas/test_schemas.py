"""The JSON schemas that editors use: content with every shipped file, and strict with mistakes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from touchstone import plugins, registry
from touchstone.claims import condition_files, paper_files
from touchstone.settings.files import read_yaml
from touchstone.settings.schemas import files
from touchstone.settings.sections import sections

ROOT = Path(__file__).parents[4]
STUDIES = [ROOT / "params.yaml", *sorted((ROOT / "workflow" / "studies").glob("*.yaml"))]
PAPERS = sorted((ROOT / "src" / "touchstone" / "papers").glob("*/*.yaml"))
SETTINGS_FILES = [(file, "study") for file in STUDIES] + [(file, file.stem) for file in PAPERS]
SETTINGS_FILES.append((ROOT / "src" / "touchstone" / "papers" / "common.yaml", "experiment"))
KINDS = ["study", "claims", "experiment"]


@pytest.fixture(autouse=True)
def _no_plugins(monkeypatch):
    monkeypatch.setattr(plugins, "_folders", [])  # of other tests


@pytest.fixture(scope="session")
def schemas():
    return {name.removesuffix(".json"): json.loads(text) for name, text in files.texts().items()}


@pytest.fixture
def mistakes(schemas):
    """What returns the place of every mistake, keys joined by dots."""

    def found(kind, content):
        return {
            ".".join(map(str, error.absolute_path)) for error in Draft7Validator(schemas[kind]).iter_errors(content)
        }

    return found


def named(value):
    return value.relative_to(ROOT).as_posix() if isinstance(value, Path) else ""


def test_the_module_writes_the_schemas_into_a_folder(tmp_path, schemas):
    subprocess.run([sys.executable, "-m", "touchstone.settings.schemas", str(tmp_path / "new")], check=True)

    assert {path.stem: json.loads(path.read_text()) for path in (tmp_path / "new").iterdir()} == schemas


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_one_of_draft_07_whose_references_lead_somewhere(kind, schemas):
    content = schemas[kind]
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
def test_a_shipped_file_fits_its_schema(file, kind, mistakes):
    assert mistakes(kind, read_yaml(file)) == set()


# --- studies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("attacks.pgd", {"attacks": {"pgd": {"use": "pgd", "step_sise": 0.01}}}),
        ("attacks.pgd.steps", {"attacks": {"pgd": {"use": "pgd", "steps": "many"}}}),
        ("attacks.pgd.steps", {"attacks": {"pgd": {"use": "pgd", "steps": 0}}}),
        ("attacks.pgd.eps", {"attacks": {"pgd": {"use": "pgd", "eps": 1.5}}}),
        ("attacks.pgd.eps", {"attacks": {"pgd": {"use": "pgd", "eps": "a tenth"}}}),
        ("attacks.pgd.eps", {"attacks": {"pgd": {"use": "pgd", "eps": [0.1, 0.2]}}}),
        ("attacks.pgd_*.eps.1", {"attacks": {"pgd_*": {"use": "pgd", "eps": [0.1, 2]}}}),
        ("attacks.pgd.norm", {"attacks": {"pgd": {"use": "pgd", "norm": "l1"}}}),
        ("attacks", {"attacks": {"PGD": {"use": "pgd"}}}),
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
        ("claims.A1.net", {"claims": {"A1": {"net": 3}}}),
        ("groups.test", {"groups": {"test": {"of": "digits"}}}),
    ],
    ids=str,
)
def test_a_mistake_in_what_a_study_changes_is_refused_where_it_is(place, content, mistakes):
    assert f"change.{place}" in mistakes("study", {"change": content})


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("compute", {"compute": {"devise": "cpu"}}),
        ("compute.device", {"compute": {"device": "gpu"}}),
        ("scale.epochs", {"scale": {"epochs": 0}}),
        ("scale.claims", {"scale": {"claims": {"S1_1": 3}}}),
        ("papers", {"papers": {"nobodys": "full"}}),
        ("papers.aloe", {"papers": {"aloe": "fast"}}),
        ("data.train", {"data": {"train": 3}}),
        ("data.train.mine", {"data": {"train": {"mine": {"use": "digits", "split": "train"}}}}),
        ("data.ood_far.1.mine", {"data": {"ood_far": ["faces", {"mine": {"use": "digits", "split": "train"}}]}}),
        ("data.ood_far.0", {"data": {"ood_far": [["faces"]]}}),
        ("data.sources.mine.sha256", {"data": {"sources": {"mine": {"use": "sklearn_digits", "sha256": "md5:1"}}}}),
        ("", {"atacks": {}}),
    ],
    ids=str,
)
def test_a_mistake_in_a_study_is_refused_where_it_is(place, content, mistakes):
    assert place in mistakes("study", content)


@pytest.mark.parametrize(
    "content",
    [
        {"attacks": {"pgd": {"use": "pgd", "eps": "8/255", "step_size": "2/255"}}},
        {"attacks": {"pgd": {"use": "pgd", "step_size": None}}},
        {"attacks": {"pgd": {"eps": 0.2}}},
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
        {"groups": {"test": "digits_test", "ood": ["faces", "$test"]}, "claims": {"F1": {"net": ["$test"]}}},
        {"claims": {"shared": {"examples": "$test"}, "Strades-2": "needs days"}},
        {"attacks": {"a": {"use": "my_attack", "strength": 3}}},
        {"classifiers": {"a": {"use": "clean", "model": {"use": "my_network", "width": 3}}}},
    ],
    ids=str,
)
def test_what_a_study_may_change_is_accepted(content, mistakes):
    assert mistakes("study", {"change": content}) == set()


def test_a_whole_study_is_accepted(mistakes):
    content = {
        "title": "Mine",
        "data": {
            "sources": {"mine": {"use": "own_files", "location": "flowers"}},
            "train": {"mine_train": {"use": "own_images", "source": "mine", "part": "fit"}},
            "test": "mine_test",
            "ood_far": ["faces", "textures", {"mine_test": {"use": "own_images", "source": "mine", "part": "test"}}],
            "sets": {"blobs": {"count": 60}},
        },
        "scale": {"seeds": [0, 1], "epochs": 3, "translators": {"epochs": 2}, "claims": {"G1": 5}},
        "compute": {"device": "cuda"},
        "papers": {"aloe": "quick", "./mine": "full", "/elsewhere/yours": "full"},
        "plugins": ["mine/"],
    }

    assert mistakes("study", content) == set()


def test_after_use_the_settings_of_the_component_are_described(schemas):
    eps = schemas["study"]["definitions"]["attacks.pgd"]["properties"]["eps"]

    assert (eps["minimum"], eps["maximum"], eps["default"]) == (0, 1, 0.1)
    assert eps["description"] == "radius in pixel units of `norm`. (float from 0 to 1; default 0.1)"


def test_every_component_of_a_section_is_offered(schemas):
    content = schemas["study"]
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
        "bound": {"from": "half", "source": "40 %, Table 1"},
        "scales": ["Pmine-1"],
        "roles": {"net": "each classifiers", "test": "examples"},
        "rows": rows,
        "tests": [{"name": "error", "metric": "1 - robust_accuracy", "at_most": 0.2}],
    }
    content = {"name": "Mine", "cite": "Me 2026", "url": "https://example.org", "unfair": ["It is small."]}
    content |= {"published": {"Pmine-1": published}}
    return content | {"criteria": {"Smine-1": criterion | changes}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tests": [{"name": "error", "metric": "error", "between": [0.1, 0.2]}]},
        {"kind": "counter", "bound": {"from": "ours", "source": "why", "known": True}},
        {"survives_if": [{"name": "taken by twice the steps", "metric": "taken", "at_most": 0.005}]},
        {"needs": [{"name": "n", "metric": "n", "above": 0}], "seeds": "each"},
        {"tests": [{"name": "error", "metric": "error", "at_least": 0.1, "distance": 0.01}]},
        {"revised": [{"date": "2026-11-21", "was": "<= .3", "why": "wrong", "known": False}]},
        {"breaks": {"name": "b", "metric": "m", "equals": 1, "tolerance": 0.1}, "broken_by": ["Smine-2"]},
    ],
    ids=str,
)
def test_what_a_paper_may_write_is_accepted(changes, mistakes):
    assert mistakes("claims", paper(**changes)) == set()


@pytest.mark.parametrize(
    ("place", "changes"),
    [
        ("tests.0", {"tests": [{"name": "error", "metric": "error", "at_leest": 0.1}]}),
        ("tests.0.at_least", {"tests": [{"name": "error", "metric": "error", "at_least": "a lot"}]}),
        ("tests.0.between", {"tests": [{"name": "error", "metric": "error", "between": [0.1]}]}),
        ("tests.0.stuck", {"tests": [{"name": "error", "metric": "error", "stuck": {"at_mots": 0.1}}]}),
        ("tests.0", {"tests": [{"name": "error", "metric": "error", "minus": {"metric": "other"}}]}),
        ("tests.0", {"tests": [{"name": "error", "metric": "error", "no_effect": 0.5}]}),
        ("tests.0.at_least", {"tests": [{"name": "error", "metric": "error", "at_least": {"digits": 0.1}}]}),
        ("tests.0.distance", {"tests": [{"name": "error", "metric": "error", "distance": 0}]}),
        ("", {"paper_scale": {}}),
        ("kind", {"kind": "check"}),
        ("bound", {"bound": {"from": "half"}}),
        ("bound.from", {"bound": {"from": "guess", "source": "s"}}),
        ("bound.known", {"bound": {"from": "half", "source": "s", "known": "yes"}}),
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
def test_a_mistake_in_a_criterion_is_refused_where_it_is(place, changes, mistakes):
    assert f"criteria.Smine-1.{place}".rstrip(".") in mistakes("claims", paper(**changes))


def test_a_paper_without_url_and_a_figure_without_source_are_refused(mistakes):
    content = paper()
    del content["url"], content["published"]["Pmine-1"]["source"]
    content["published"]["mine"] = {}

    assert mistakes("claims", content) == {"", "published", "published.Pmine-1"}


def test_a_paper_says_what_its_authors_would_call_unfair_and_may_name_the_commit_that_fixed_its_bounds(mistakes):
    content = paper()
    assert mistakes("claims", content | {"fixed": {"commit": "a0c52627", "date": "2026-11-29"}}) == set()
    assert mistakes("claims", content | {"fixed": {"commit": "latest", "date": "2026-11-29"}}) == {"fixed.commit"}
    assert mistakes("claims", content | {"unfair": []}) == {"unfair"}

    del content["unfair"]
    assert mistakes("claims", content) == {""}


def test_a_criterion_without_tests_is_refused_and_a_figure_may_say_why_nothing_measures_it(mistakes):
    content = paper()
    del content["criteria"]["Smine-1"]["tests"]
    content["published"]["Pmine-1"]["unmeasured"] = "it needs another network"

    assert mistakes("claims", content) == {"criteria.Smine-1"}


def test_a_criterion_has_the_keys_that_the_reader_of_papers_accepts(schemas):
    definitions = schemas["claims"]["definitions"]

    assert set(schemas["claims"]["properties"]) == set(paper_files.PAPER)
    assert set(definitions["published"]["properties"]) == {*paper_files.FIGURE, paper_files.UNMEASURED}
    assert set(definitions["criterion"]["properties"]) == set(paper_files.CRITERION)
    assert set(definitions["condition"]["properties"]) == set(condition_files.CONDITION)


# --- experiments --------------------------------------------------------------------------------------------------


def test_an_experiment_names_data_roles_components_of_its_own_and_grades(mistakes):
    content = {
        "groups": {"nets": ["cnn", "cnn_pgd"]},
        "evaluations": {"robustness": {"use": "robustness", "question": "How robust?", "examples": "$test"}},
        "detectors": {"mine": {"use": "my_detector", "threshold": 3}},
        "claims": {"Smine-1": {"net": "$nets"}},
        "grades": {
            "quick": {"evaluations": ["robustness"], "figures": [], "change": {"attacks": {"pgd": {"steps": 5}}}}
        },
    }

    assert mistakes("experiment", content) == set()


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("", {"study": {"title": "Mine"}}),
        ("", {"papers": {"aloe": "full"}}),
        ("groups.test", {"groups": {"test": {"of": "digits"}}}),
        ("grades", {"grades": {"fast": {}}}),
        ("grades.quick.change.attacks.pgd.eps", {"grades": {"quick": {"change": {"attacks": {"pgd": {"eps": 2}}}}}}),
        ("evaluations.a", {"evaluations": {"a": {"use": "robustness", "sytem": "mine"}}}),
        ("evaluations.a", {"evaluations": {"a": {"use": "robustness", "system": "mine"}}}),
        ("evaluations.a.examples", {"evaluations": {"a": {"use": "robustness", "examples": "test"}}}),
        ("figures.a.evaluation", {"figures": {"a": {"use": "roc_curves", "evaluation": ["detection"]}}}),
    ],
    ids=str,
)
def test_a_mistake_in_an_experiment_is_refused_where_it_is(place, content, mistakes):
    assert place in mistakes("experiment", content)
