"""The grade multiverse: a study on top of another, one claim in variants, and every mistake told where it stands."""

import copy
from pathlib import Path

import pytest
import yaml

from touchstone.pipeline.planning.plan import Plan
from touchstone.settings import papers
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load

COMMON = """
data_roles: {train: T, validation: V, calibration: C, detector_train: D, test: E}
classifiers:
  defaults: {train: $train, validation: $validation, learning_rate: 0.01}
  cnn: {use: clean, model: {use: small_cnn, width: 2, hidden: 8}}
sources: {sklearn_digits: {use: sklearn_digits, sha256: null}}
attacks: {pgd: {use: pgd, eps: 0.1, steps: 2}}
evaluations:
  data_sheet: {use: data_sheet, question: Q, examples: all}
"""
CLAIMS = """
name: One
title: One
cite: C
url: https://example.org
unfair: [It is small.]
criteria:
  F1:
    kind: counter
    setting: s
    criterion: c
    bound: {from: ours, source: why}
    roles: {robust: each classifiers, plain: classifiers, attack: attacks, examples: examples}
    tests: [{name: left, evaluation: robustness, metric: robust_accuracy, entry: "{robust}", examples: "{examples}/{attack}", above: 0.3}]
  F2:
    kind: claim
    setting: s
    criterion: c
    bound: {from: ours, source: why}
    roles: {plain: classifiers, examples: examples}
    tests: [{name: clean, evaluation: robustness, metric: clean_accuracy, entry: "{plain}", examples: "{examples}", above: 0.3}]
"""
EXPERIMENT = """
classifiers:
  cnn_pgd: {use: adversarial, model: {use: small_cnn, width: 2, hidden: 8}, attack: {use: pgd, eps: 0.1, steps: 2}}
evaluations:
  attacked: {use: robustness, question: Q, classifiers: [cnn, cnn_pgd], examples: [$test], attacks: [pgd]}
  other: {use: robustness, question: Q, classifiers: [cnn], examples: [$test]}
claims:
  F1: {robust: cnn_pgd, plain: cnn, attack: pgd, examples: $test}
  F2: {plain: cnn, examples: $test}
grades:
  full: {change: {attacks: {pgd: {steps: 3}}}}
  multiverse:
    evaluations: [attacked]
    change:
      classifiers:
        cnn_2: {use: clean, model: {use: small_cnn, width: 2, hidden: 8}, epochs: 2, seeds: [0]}
        cnn_pgd_2: {use: adversarial, model: {use: small_cnn, width: 2, hidden: 8}, attack: {use: pgd, eps: 0.1, steps: 2}, epochs: 2, seeds: [0]}
      evaluations:
        varied: {use: robustness, question: Q, classifiers: [cnn_2, cnn_pgd_2], examples: [$test], attacks: [pgd]}
    claim: F1
    gate: [{name: clean, evaluation: robustness, metric: clean_accuracy, entry: "{robust}", examples: "{examples}", within: 0.05}]
    variants:
      epochs_2: {changed: 2 epochs, reason: it may need more, roles: {robust: cnn_pgd_2, plain: cnn_2}}
"""
STUDY = """
title: Small
data:
  train: {digits_train: {use: digits, source: sklearn_digits, part: train, limit: 60}}
  validation: {digits_validation: {use: digits, source: sklearn_digits, part: validation, limit: 20}}
  calibration: {digits_calibration: {use: digits, source: sklearn_digits, part: calibration, limit: 20}}
  detector_train: digits_train
  test: {digits_test: {use: digits, source: sklearn_digits, part: test, limit: 20}}
scale: {seeds: 3, first_seed: 7, epochs: 1}
papers: {one: full}
change: {classifiers: {cnn: {batch_size: 10}}}
"""
VARIANT = ("grades", "multiverse", "variants", "epochs_2")


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Returns a function that loads the multiverse of a small study; `changes` of its experiment are (keys, value)."""
    monkeypatch.setattr(papers, "SHIPPED", tmp_path / "papers")
    (tmp_path / "papers/one").mkdir(parents=True)
    (tmp_path / "papers/common.yaml").write_text(COMMON)
    (tmp_path / "papers/one/claims.yaml").write_text(CLAIMS)
    (tmp_path / "params.yaml").write_text("scale: {}\n")
    (tmp_path / "small.yaml").write_text(STUDY)

    def loaded(*changes, name="small_multiverse", own="base: small\ntitle: Small\npapers: {one: multiverse}\n"):
        content = copy.deepcopy(yaml.safe_load(EXPERIMENT))
        for keys, value in changes:
            block = content
            for key in keys[:-1]:
                block = block.setdefault(key, {})
            if value is None:
                del block[keys[-1]]
            else:
                block[keys[-1]] = value
        (tmp_path / "papers/one/experiment.yaml").write_text(yaml.safe_dump(content, sort_keys=False, width=1000))
        (tmp_path / "small_multiverse.yaml").write_text(own)
        return load(name, tmp_path)

    return loaded


def contents(plan):
    """Return {path: what a task makes, whatever its study is called}: its step, its settings and what it reads."""
    known = {}

    def content(path):
        if path not in known:
            task = plan.tasks.get(path)
            about = (
                (path,)
                if task is None
                else (task.step, yaml.safe_dump(task.settings), tuple(map(content, task.input_files)))
            )
            known[path] = hash(about)
        return known[path]

    return {path: content(path) for path in plan.tasks}


def test_the_tasks_of_the_claim_itself_are_those_of_the_flagship(study):
    """Also with the changes of its grade `full`, its first seed and the changes of the study: so its store has them."""
    found = study()
    tried, flagship = Plan(found), Plan(study(name="small"))

    alike = set(contents(flagship).values())
    own = {path: content for path, content in contents(tried).items() if "_2." not in path and "_2/" not in path}
    new = {tried.tasks[path].step for path, content in own.items() if content not in alike}

    assert {"train", "attack"} <= {tried.tasks[path].step for path in own}
    assert new <= {"evaluate", "report"}, new
    assert found["classifiers"]["cnn_pgd"]["seeds"] == [7, 8, 9]
    assert found["classifiers"]["cnn_pgd_2"]["seeds"] == [7]
    assert found["attacks"]["pgd"]["steps"] == 3
    assert found["classifiers"]["cnn"]["batch_size"] == 10


def test_only_the_claim_is_asked_and_each_variant_says_who_plays_every_role(study):
    found = study()
    assert list(found["evaluations"]) == ["attacked", "varied"]
    assert found["claims"]["F2"] == "the study tries F1 in variants, and no other claim of the paper"
    (variant,) = found["variants"]["F1"]["variants"].values()
    assert variant["roles"] == {"robust": ["cnn_pgd_2"], "plain": "cnn_2", "attack": "pgd", "examples": "digits_test"}
    assert variant["kind"] == found["claims"]["F1"] | {"robust": ["cnn_pgd"]}
    assert (variant["changed"], variant["reason"], variant["eps"]) == ("2 epochs", "it may need more", None)


def test_a_study_without_a_multiverse_has_no_variants(study):
    assert "variants" not in study(name="small").settings


def test_both_files_of_a_study_with_a_base_count_as_its_own(study):
    names = {Path(file).name for file in study().files}
    assert {"small_multiverse.yaml", "small.yaml", "experiment.yaml"} <= names


def test_a_variant_that_no_evaluation_measures_is_remarked_on(study):
    found = study(((*VARIANT[:2], "change", "evaluations", "varied", "attacks"), []))
    assert found.remarks == (
        "variant epochs_2 of F1 will have no word: no evaluation that uses robustness names cnn_pgd_2 (for robust_accuracy)",
    )
    assert study().remarks == ()


# --- mistakes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        ((*VARIANT[:2], "claim"), "F11", "claim: the claim F11 is not among F1, F2. Did you mean F1"),
        ((*VARIANT[:2], "claim"), None, "grades.multiverse: claim is missing; name the claim that is tried, one of F1, F2"),
        ((*VARIANT, "roles", "robuts"), "cnn_2", "roles.robuts: not a role. Its roles are robust, plain, attack, examples."),
        ((*VARIANT, "roles", "robust"), "cnn_pgd_3", "roles.robust: no entry called cnn_pgd_3 in classifiers. Did you mean"),
        ((*VARIANT, "roles", "examples"), "$tset", "examples: no data role or group tset"),
        ((*VARIANT, "reason"), None, "epochs_2: reason is missing; add it"),
        ((*VARIANT, "changed"), None, "epochs_2: changed is missing; add it"),
        ((*VARIANT, "reason"), " ", "reason: expected text"),
        ((*VARIANT, "changed"), "x" * 41, "changed: expected text of at most 40 letters"),
        ((*VARIANT, "reasons"), "x", "the key reasons is not among changed, reason, roles, kind, eps. Did you mean reason"),
        ((*VARIANT, "eps"), "small", "eps: expected a number"),
        ((*VARIANT, "roles"), {}, "epochs_2: its entries have the same settings as the claim itself, so it changes nothing"),
        ((*VARIANT[:2], "change", "classifiers", "cnn_pgd_2", "epochs"), 1, "it changes nothing"),
        ((*VARIANT[:3], "again"), {"changed": "c", "reason": "r", "roles": {"robust": "cnn_pgd_2", "plain": "cnn_2"}},
         "again: its entries have the same settings as epochs_2"),
        (VARIANT[:3], {}, "variants: expected 1 to 8 variants, got 0"),
        (VARIANT[:3], {f"v{place}": {} for place in range(9)}, "variants: expected 1 to 8 variants, got 9"),
        ((*VARIANT[:2], "gate"), [], "gate: must be given"),
        ((*VARIANT[:2], "gate"), [{"name": "n"}], "gate.0: evaluation is missing"),
        (("grades", "full", "claim"), "F1", "grades.full.claim: only the grade multiverse tries a claim in variants"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_file_line_and_key(study, keys, value, message):
    if keys == (*VARIANT[:2], "change", "classifiers", "cnn_pgd_2", "epochs"):
        changes = [(keys, value), ((*VARIANT, "roles"), {"robust": "cnn_pgd_2"})]
    else:
        changes = [(keys, value)]
    with pytest.raises(ParamsError) as error:
        study(*changes)
    (line,) = str(error.value).splitlines()
    assert message in line
    assert "one/experiment.yaml:" in line.partition(" ")[0]


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ("base: smal\ntitle: T\n", "small_multiverse.yaml:1: base: no study called smal"),
        ("base: small_multiverse\ntitle: T\n", "small_multiverse.yaml:1: base: small_multiverse has a base itself"),
        ("base: small\ntitle: T\nscale: {seeds: 3}\n",
         "small_multiverse.yaml:3: scale: it is that of small; a study with a base writes only base, title, pdf, papers"),
        ("base: small\ntitle: T\npapers: {one: quick}\n", "small_multiverse.yaml:3: papers.one: it has no grade quick"),
    ],
)  # fmt: skip
def test_a_study_with_a_base_writes_only_its_title_and_its_papers(study, own, message):
    with pytest.raises(ParamsError, match=message.replace("(", r"\(")):
        study(own=own)


def test_a_mistake_in_the_base_is_told_there(study, tmp_path):
    (tmp_path / "small.yaml").write_text(STUDY.replace("batch_size", "batch_sise"))
    with pytest.raises(ParamsError, match=r"small\.yaml:\d+: change\.classifiers\.cnn\.batch_sise"):
        study()
