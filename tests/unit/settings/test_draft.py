"""The files of a study become one draft: merged, families and defaults written out, roles filled in."""

import pytest

from hand_made_papers import COMMON
from touchstone.settings.files import ParamsError
from touchstone.settings.sections import Entry


def mistakes(draft, *arguments, **more):
    with pytest.raises(ParamsError) as error:
        draft(*arguments, **more)
    return str(error.value)


def test_blocks_are_merged_key_by_key(draft):
    attacks = draft("change: {attacks: {pgd: {steps: 3}}}").blocks["attacks"]

    assert attacks["pgd"] == {"use": "pgd", "eps": 0.1, "steps": 3}
    assert attacks["fgsm"] == {"use": "fgsm", "eps": 0.1}


def test_another_model_replaces_a_block(draft):
    common = COMMON.replace("net: {use: clean}", "net: {use: clean, model: {use: small_cnn, width: 3}}")
    blocks = draft("change: {classifiers: {net: {model: {use: mlp}}}}", common=common).blocks

    assert blocks["classifiers"]["net"]["model"] == {"use": "mlp"}


def test_a_training_stays_what_it_is_and_so_does_its_attack(draft):
    common = COMMON.replace("net: {use: clean}", "net: {use: adversarial, attack: {use: pgd, eps: 0.1}}")
    text = mistakes(draft, "change: {classifiers: {net: {attack: {use: fgsm}}, five: {use: trades}}}", common=common)

    assert "change.classifiers.net.attack.use: attack of net uses pgd in the papers, and their claims mean" in text
    assert "change.classifiers.five.use: five uses clean in the papers, and their claims mean that" in text


def test_an_attack_stays_the_attack_that_it_is(draft):
    text = mistakes(draft, "change:\n  attacks:\n    pgd:\n      use: fgsm\n")

    assert "mine.yaml:8: change.attacks.pgd.use: pgd uses pgd in the papers, and their claims mean that" in text


@pytest.mark.parametrize("name", ["pgd_02", "pgd_10"])  # the second has settings of its own in the papers
def test_an_attack_of_a_family_stays_the_attack_that_it_is(draft, name):
    text = mistakes(draft, f"change: {{attacks: {{{name}: {{use: fgsm}}}}}}")

    assert f"change.attacks.{name}.use: {name} uses pgd in the papers, and their claims mean that; give" in text


def test_a_missing_role_is_told_before_what_was_defined_with_it(draft):
    common = COMMON.replace("data_roles: {", "data_roles: {train: R, ")
    text = mistakes(draft, DATA + ", test: digits_train, sets: {pair: {use: two_classes, of: digits_train}}}", common)

    assert [line.split(": ", 1)[1] for line in text.splitlines()] == [
        "data: gives no train, which most questions need",
        "data.test: no set called digits_train.",
        "data.sets.pair.of: no set called digits_train.",
    ]


def test_a_family_is_one_entry_per_eps_and_an_entry_of_its_own_name_changes_it(draft):
    attacks = draft().blocks["attacks"]

    assert attacks["pgd_02"] == {"use": "pgd", "eps": 0.02, "steps": 5}
    assert attacks["pgd_10"] == {"use": "pgd", "eps": 0.1, "steps": 9}
    assert "pgd_*" not in attacks


def test_a_study_changes_a_whole_family_and_one_of_its_entries(draft):
    attacks = draft("change: {attacks: {pgd_*: {restarts: 3}, pgd_02: {steps: 1}}}").blocks["attacks"]

    assert attacks["pgd_02"] == {"use": "pgd", "eps": 0.02, "steps": 1, "restarts": 3}
    assert attacks["pgd_10"] == {"use": "pgd", "eps": 0.1, "steps": 9, "restarts": 3}


def test_fractions_name_a_family_by_their_numerators(draft):
    attacks = draft("change: {attacks: {apgd_*: {use: apgd, eps: [1/255, 8/255]}}}").blocks["attacks"]

    assert attacks["apgd_8"] == {"use": "apgd", "eps": "8/255"}


@pytest.mark.parametrize(
    ("family", "line"),
    [
        ("{use: pgd, eps: 0.1}", "change.attacks.bim_*: a family needs eps: a list"),
        ("{use: pgd, eps: [0.025]}", "expected hundredths, such as 0.05, or a fraction, such as 8/255, got 0.025"),
        ("{use: pgd, eps: [0.1, 10/255]}", "two entries would be called bim_10"),
    ],
)
def test_a_family_without_names_is_refused(draft, family, line):
    assert line in mistakes(draft, f"change: {{attacks: {{bim_*: {family}}}}}")


def test_a_default_goes_to_the_entries_that_have_the_setting(draft):
    detectors = draft().blocks["detectors"]

    assert detectors["knn"] == {"use": "knn", "fit": "digits_test"}
    assert detectors["msp"] == {"use": "msp", "fit": "digits_test"}  # a reference: every detector may have it
    attacks = draft("change: {attacks: {defaults: {restarts: 2}}}").blocks["attacks"]
    assert (attacks["pgd"]["restarts"], attacks["fgsm"]) == (2, {"use": "fgsm", "eps": 0.1})


def test_a_default_that_no_entry_takes_is_refused(draft):
    assert "change.attacks.defaults.step_sise: no entry of attacks has this setting" in mistakes(
        draft, "change: {attacks: {defaults: {step_sise: 1}}}"
    )
    assert "scale.classifiers.epoch: no entry of classifiers has this setting" in mistakes(
        draft, "scale: {classifiers: {epoch: 1}}"
    )


def test_seeds_of_claims_are_said_by_a_study_and_not_by_params_yaml(draft):
    text = mistakes(draft, params="scale: {claims: {G1: 10}}\n")

    assert "params.yaml:1: scale.claims: a study says the seeds of its claims; write it there" in text


def test_a_default_of_params_yaml_that_no_component_has_is_refused(draft):
    params = "scale: {translators: {learning_rate: 0.003, batch_size: 8}, classifiers: {outlier_batch_size: 2}}\n"
    assert draft(params=params)  # this study has neither translators nor outliers; another has

    text = mistakes(draft, params="scale: {translators: {learning_rat: 0.003}}\n")
    assert "params.yaml:1: scale.translators.learning_rat: no entry of translators can have this setting" in text
    assert "Did you mean learning_rate?" in text


def test_roles_become_the_entries_that_play_them(draft):
    evaluations = draft().blocks["evaluations"]

    assert evaluations["first"]["examples"] == ["digits_test", "faces"]
    assert evaluations["first"]["attacks"] == ["pgd", "fgsm"]
    assert evaluations["first"]["question"] == "What is $test"
    assert evaluations["second"]["examples"] == ["digits_test", "faces"]
    assert evaluations["second"]["id_examples"] == "digits_test"


DATA = "title: Mine\npapers: {one: full}\ndata: {calibration: {held_out: {use: digits}}"


def test_what_names_a_role_that_the_study_does_not_give_leaves(draft):
    result = draft(DATA + "}")

    assert result.blocks["evaluations"].keys() == {"first"}  # the ID examples of the second have no role
    assert result.blocks["figures"].keys() == {"drawing"}
    assert {Entry("evaluations", "second"), Entry("figures", "painting"), Entry("detectors", "knn")} <= result.removed


def test_a_list_loses_a_role_that_is_not_given_and_an_emptied_list_its_entry(draft):
    result = draft(DATA + "}")

    assert result.blocks["evaluations"]["first"]["examples"] == ["faces"]
    assert Entry("detectors", "knn") in result.removed


def test_a_group_is_the_default_of_a_role_of_its_name(draft):
    common = COMMON.replace("examples: $pictures", "examples: [$extra]")

    assert "second" not in draft(common=common).blocks["evaluations"]
    given = draft(DATA + ", test: digits_test, noise: faces}", common=common)
    assert given.blocks["evaluations"]["second"]["examples"] == ["faces"]
    own = draft(DATA + ", test: digits_test, noise: faces, extra: [held_out, faces]}", common=common)
    assert own.blocks["evaluations"]["second"]["examples"] == ["held_out", "faces"]


def test_a_study_may_name_only_roles_and_groups_that_exist(draft):
    text = mistakes(draft, "change:\n  attacks: {pgd: {eps: $test}}\n  evaluations: {first: {examples: [$tset]}}")

    assert "mine.yaml:7: change.evaluations.first.examples.0: no data role or group tset; there are both, " in text
    assert "Did you mean test?" in text


def test_a_data_role_or_a_group_that_nothing_names_is_refused(draft):
    text = mistakes(draft, DATA + ", tset: digits_test}\nchange: {groups: {botth: [pgd]}}")

    assert "data.tset: no paper reads this role. Roles are calibration, test, noise, extra. Did you mean test?" in text
    assert "change.groups.botth: nothing names a group botth. Did you mean both?" in text


def test_a_set_that_plays_a_role_and_does_not_exist_is_told_at_the_role(draft):
    text = mistakes(draft, DATA + ", test: digits_tets}")

    assert text.endswith("mine.yaml:3: data.test: no set called digits_tets. Did you mean digits_test?")


def test_a_figure_that_the_study_changes_stays_for_the_checks(draft):
    smoke = DATA.replace("full", "smoke") + ", test: digits_test}\n"

    common = COMMON.replace("figures: [], ", "")

    assert "painting" not in draft(smoke, common).blocks["figures"]
    assert "painting" in draft(smoke + "change: {figures: {painting: {width: 1}}}", common).blocks["figures"]


def test_only_the_questions_of_the_grade_and_those_that_the_study_changes_are_kept(draft):
    smoke = DATA + ", test: digits_test}"

    result = draft(smoke.replace("full", "smoke"))
    assert (result.blocks["evaluations"].keys(), result.blocks["figures"].keys()) == ({"first"}, set())
    changed = draft(smoke.replace("full", "smoke") + "\nchange: {evaluations: {second: {question: W}}}")
    assert changed.blocks["evaluations"].keys() == {"first", "second"}


def test_a_grade_that_asks_what_does_not_exist_is_refused(draft):
    text = mistakes(draft, common=COMMON.replace("evaluations: [first]", "evaluations: [frist]"))

    assert "common.yaml:20: grades.smoke.evaluations.0: no evaluation called frist. Did you mean first?" in text


def test_a_study_without_papers_starts_from_nothing(draft):
    result = draft("title: Mine\ndata: {calibration: {a: {use: digits}}}\nchange: {attacks: {mine: {use: pgd}}}")

    assert {section: block for section, block in result.blocks.items() if block and section != "study"} == {
        "attacks": {"mine": {"use": "pgd"}},
        "examples": {"a": {"use": "digits"}},
    }


def test_a_mistake_names_the_line_that_wrote_it(draft):
    text = mistakes(draft, "change:\n  attacks:\n    bim_*:\n      use: pgd\n      eps: [0.333]\n")

    assert text.startswith(text.split("mine.yaml")[0] + "mine.yaml:9: change.attacks.bim_*.eps: ")


def test_sections_are_checked_before_any_entry(draft):
    text = mistakes(draft, "change: {attack: {pgd: {eps: 1}}, attacks: {nothing: {eps: 1}}}")

    assert "mine.yaml:5: change.attack: no such section" in text and text.endswith("Did you mean attacks?")
    assert "change.groups.both: names itself, or a group that names it" in mistakes(
        draft, "change: {groups: {both: [$both, pgd]}}"
    )


def test_a_study_changes_a_group(draft):
    result = draft("change: {groups: {both: [pgd]}}")

    assert result.blocks["evaluations"]["first"]["attacks"] == ["pgd"]
    assert result.roles["both"] == ["pgd"]


def test_a_group_may_name_a_family(draft):
    result = draft("change: {groups: {both: [fgsm, pgd_*]}}")

    assert result.blocks["evaluations"]["first"]["attacks"] == ["fgsm", "pgd_02", "pgd_10"]
    assert result.roles["both"] == ["fgsm", "pgd_02", "pgd_10"]


def test_inherited_outside_a_list_is_told_how_to_write_it(draft):
    text = mistakes(draft, "change: {evaluations: {first: {attacks: $inherited}}}")

    assert (
        "change.evaluations.first.attacks: $inherited stands for the list before in a list, as in [$inherited, " in text
    )


def test_inherited_stands_for_the_list_before(draft):
    changes = "{first: {examples: [$inherited, held_out]}, second: {examples: [held_out, $inherited]}}"

    evaluations = draft(f"change: {{evaluations: {changes}}}").blocks["evaluations"]

    assert evaluations["first"]["examples"] == ["digits_test", "faces", "held_out"]
    assert evaluations["second"]["examples"] == ["held_out", "digits_test", "faces"]
