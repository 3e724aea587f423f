"""The files of a study become one draft: merged, families and defaults written out, roles filled in."""

import pytest

from touchstone.pipeline.settings.draft import written_out
from touchstone.pipeline.settings.files import ParamsError
from touchstone.pipeline.settings.layers import read_files
from touchstone.pipeline.settings.problems import Problems
from touchstone.pipeline.settings.sections import Entry, sections

BASE = """
plugins: [mine]
roles: {test: digits_test, both: [pgd, fgsm], pictures: [digits_test, faces]}
examples: {digits_test: {use: digits}, faces: {use: faces}}
attacks:
  pgd: {use: pgd, eps: 0.1, steps: 7}
  fgsm: {use: fgsm, eps: 0.1}
  pgd_*: {use: pgd, eps: [0.02, 0.1], steps: 5}
  pgd_10: {steps: 9}
detectors:
  defaults: {fit: $test}
  knn: {use: knn}
  msp: {use: msp}
evaluations:
  first: {use: checks, examples: [$test, faces], attacks: $both, question: What is $test}
  second: {use: detection, examples: $pictures, id_examples: $test, question: Q}
figures: {drawing: {use: roc_curves, evaluation: first}, painting: {use: roc_curves, evaluation: second}}
"""


@pytest.fixture
def draft(tmp_path):
    def draft(overlay=None, base=BASE):
        (tmp_path / "params.yaml").write_text(base)
        if overlay is not None:
            (tmp_path / "mine.yaml").write_text(overlay)
        problems = Problems(tmp_path / "params.yaml", tmp_path / "mine.yaml" if overlay is not None else None)
        files = read_files(problems, sections(), tmp_path)
        result = written_out(files, sections(), problems)
        problems.stop()
        return result

    return draft


def mistakes(draft, *arguments, **more):
    with pytest.raises(ParamsError) as error:
        draft(*arguments, **more)
    return str(error.value)


def test_blocks_are_merged_key_by_key(draft):
    attacks = draft("attacks: {pgd: {steps: 3}}").blocks["attacks"]

    assert attacks["pgd"] == {"use": "pgd", "eps": 0.1, "steps": 3}
    assert attacks["fgsm"] == {"use": "fgsm", "eps": 0.1}


def test_another_component_replaces_a_block(draft):
    assert draft("attacks: {pgd: {use: fgsm}}").blocks["attacks"]["pgd"] == {"use": "fgsm"}


def test_a_family_is_one_entry_per_eps_and_an_entry_of_its_own_name_changes_it(draft):
    attacks = draft().blocks["attacks"]

    assert attacks["pgd_02"] == {"use": "pgd", "eps": 0.02, "steps": 5}
    assert attacks["pgd_10"] == {"use": "pgd", "eps": 0.1, "steps": 9}
    assert "pgd_*" not in attacks


def test_an_overlay_changes_a_whole_family_and_one_of_its_entries(draft):
    attacks = draft("attacks: {pgd_*: {restarts: 3}, pgd_02: {steps: 1}}").blocks["attacks"]

    assert attacks["pgd_02"] == {"use": "pgd", "eps": 0.02, "steps": 1, "restarts": 3}
    assert attacks["pgd_10"] == {"use": "pgd", "eps": 0.1, "steps": 9, "restarts": 3}


def test_fractions_name_a_family_by_their_numerators(draft):
    attacks = draft("attacks: {apgd_*: {use: apgd, eps: [1/255, 8/255]}}").blocks["attacks"]

    assert attacks["apgd_8"] == {"use": "apgd", "eps": "8/255"}


@pytest.mark.parametrize(
    ("family", "line"),
    [
        ("{use: pgd, eps: 0.1}", "attacks.bim_*: a family needs eps: a list"),
        ("{use: pgd, eps: [0.025]}", "expected hundredths, such as 0.05, or a fraction, such as 8/255, got 0.025"),
        ("{use: pgd, eps: [0.1, 10/255]}", "two entries would be called bim_10"),
    ],
)
def test_a_family_without_names_is_refused(draft, family, line):
    assert line in mistakes(draft, f"attacks: {{bim_*: {family}}}")


def test_a_default_goes_to_the_entries_that_have_the_setting(draft):
    detectors = draft().blocks["detectors"]

    assert detectors["knn"] == {"use": "knn", "fit": "digits_test"}
    assert detectors["msp"] == {"use": "msp", "fit": "digits_test"}  # a reference: every detector may have it
    attacks = draft("attacks: {defaults: {restarts: 2}}").blocks["attacks"]
    assert (attacks["pgd"]["restarts"], attacks["fgsm"]) == (2, {"use": "fgsm", "eps": 0.1})


def test_a_default_that_no_entry_takes_is_refused(draft):
    assert "attacks.defaults.step_sise: no entry of attacks has this setting" in mistakes(
        draft, "attacks: {defaults: {step_sise: 1}}"
    )


def test_roles_become_the_entries_that_play_them(draft):
    evaluations = draft().blocks["evaluations"]

    assert evaluations["first"]["examples"] == ["digits_test", "faces"]
    assert evaluations["first"]["attacks"] == ["pgd", "fgsm"]
    assert evaluations["first"]["question"] == "What is $test"
    assert evaluations["second"]["examples"] == ["digits_test", "faces"]
    assert evaluations["second"]["id_examples"] == "digits_test"


def test_an_overlays_roles_replace_those_of_data_and_what_names_an_open_role_leaves(draft):
    result = draft("roles: {pictures: [clothes], both: [pgd]}")

    assert result.blocks["evaluations"].keys() == {"first"}  # the ID examples of the second have no role
    assert result.blocks["figures"].keys() == {"drawing"}
    assert {Entry("evaluations", "second"), Entry("figures", "painting"), Entry("detectors", "knn")} <= result.removed


def test_a_list_loses_an_open_role_and_an_emptied_list_its_entry(draft):
    result = draft("roles: {both: [pgd]}")

    assert result.blocks["evaluations"]["first"]["examples"] == ["faces"]
    assert Entry("detectors", "knn") in result.removed


def test_the_studys_own_file_may_name_only_its_roles(draft):
    text = mistakes(draft, "attacks: {pgd: {eps: $test}}\nevaluations: {first: {examples: [$tset]}}")

    assert "mine.yaml:2: evaluations.first.examples.0: the study has no role tset" in text
    assert "Did you mean test?" in text


def test_null_removes_an_entry_and_the_figures_of_an_evaluation(draft):
    result = draft("attacks: {pgd: null, pgd_02: null}\nevaluations: {first: null}")

    assert {Entry("attacks", "pgd"), Entry("attacks", "pgd_02"), Entry("figures", "drawing")} <= result.removed
    assert result.blocks["figures"].keys() == {"painting"}
    assert result.blocks["attacks"].keys() == {"fgsm", "pgd_10"}


def test_a_figure_that_the_overlay_writes_stays_for_the_checks(draft):
    result = draft("evaluations: {first: null}\nfigures: {drawing: {width: 1}}")

    assert "drawing" in result.blocks["figures"]


def test_null_for_what_does_not_exist_is_refused(draft):
    assert "attacks.pgdd: null removes an entry, but there is no such entry. Did you mean pgd" in mistakes(
        draft, "attacks: {pgdd: null}"
    )


def test_null_for_an_eps_that_a_family_lacks_is_refused(draft):
    text = mistakes(draft, "attacks: {pgd_30: null}")

    assert "attacks.pgd_30: null removes an entry, but there is no such entry. Did you mean pgd_10?" in text


def test_only_the_questions_of_the_list_are_kept(draft):
    result = draft("questions: [second]")

    assert result.blocks["evaluations"].keys() == {"second"}
    assert result.blocks["figures"].keys() == {"painting"}
    assert 'no evaluation called "secnd". Did you mean second?' in mistakes(draft, "questions: [secnd]")


def test_an_overlay_may_start_from_nothing(draft):
    result = draft("base: none\nattacks: {mine: {use: pgd}}")

    assert {section: block for section, block in result.blocks.items() if block} == {
        "attacks": {"mine": {"use": "pgd"}}
    }


def test_a_mistake_names_the_line_that_wrote_it(draft):
    text = mistakes(draft, "attacks:\n  bim_*:\n    use: pgd\n    eps: [0.333]\n")

    assert text.startswith(text.split("mine.yaml")[0] + "mine.yaml:4: attacks.bim_*.eps: ")


def test_sections_are_checked_before_any_entry(draft):
    text = mistakes(draft, "attack: {pgd: null}\nattacks: {nothing: null}")

    assert "mine.yaml:1: attack: no such section" in text and text.endswith("Did you mean attacks?")
    assert "groups: jobs handle the entries of a list role together" in mistakes(draft, "groups: {all: [pgd]}")


def test_an_overlay_with_roles_inherits_only_roles_that_name_no_example_set(draft):
    result = draft("roles: {pictures: [clothes]}")

    assert {name: role.entries for name, role in result.roles.items()} == {
        "pictures": ["clothes"],
        "both": ["pgd", "fgsm"],
    }


def test_a_role_may_name_a_family(draft):
    result = draft("roles: {both: [fgsm, pgd_*]}")

    assert result.blocks["evaluations"]["first"]["attacks"] == ["fgsm", "pgd_02", "pgd_10"]
    assert result.roles["both"].entries == ["fgsm", "pgd_02", "pgd_10"]


def test_inherited_stands_for_the_list_before(draft):
    result = draft("evaluations: {first: {examples: [$inherited, clothes]}, second: {examples: [a, $inherited]}}")

    assert result.blocks["evaluations"]["first"]["examples"] == ["digits_test", "faces", "clothes"]
    assert result.blocks["evaluations"]["second"]["examples"] == ["a", "digits_test", "faces"]


def test_inherited_outside_a_list_is_refused(draft):
    text = mistakes(draft, "evaluations: {first: {examples: $inherited}}")

    assert "evaluations.first.examples: write it in a list: [$inherited, ...]" in text


def test_entries_of_an_inherited_family_leave_with_it(draft):
    result = draft("attacks: {pgd_*: {eps: [0.1]}}")

    assert Entry("attacks", "pgd_02") in result.removed
    assert result.blocks["attacks"].keys() == {"pgd", "fgsm", "pgd_10"}


def test_inherited_roles_are_told_apart_in_any_order(draft):
    base = BASE.replace("roles: {", "roles: {early: [$later, x], later: [$pictures], placed: $test/pgd, ")
    result = draft("roles: {mine: [clothes]}", base=base)

    assert result.roles.keys() == {"mine", "both"}
