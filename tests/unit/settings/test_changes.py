"""What a study changes: an entry by its name, all entries of a group by the group's, sets where a role names them."""

from pathlib import Path

import pytest
import yaml

from projects import study_text
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load

VARIANTS = ("cnn_original", "cnn_adv", "cnn_oe", "cnn_aoe", "cnn_aloe")


@pytest.fixture
def loaded(tmp_path):
    """A function that loads digits with some changes."""

    def load_changed(**changes):
        path = tmp_path / "mine.yaml"
        path.write_text(study_text("digits", **changes))
        return load(str(path))

    return load_changed


def epochs(study, names):
    return [study["classifiers"][name]["epochs"] for name in names]


def test_the_name_of_a_group_of_one_stands_for_its_entry(loaded):
    study = loaded(change={"classifiers": {"aloe": {"epochs": 44}}})
    assert epochs(study, ("cnn_aloe", "cnn_aoe")) == [44, 20]


def test_the_name_of_a_group_stands_for_all_its_entries_and_an_entry_wins_over_it(loaded):
    study = loaded(change={"classifiers": {"variants": {"epochs": 44}, "cnn_adv": {"epochs": 3}}})
    assert epochs(study, VARIANTS) == [44, 3, 44, 44, 44]


@pytest.mark.parametrize("groups_first", [True, False])
def test_changes_of_groups_come_before_those_of_their_entries_and_add_up(loaded, groups_first):
    groups = {"variants": {"epochs": 15}, "aloe": {"batch_size": 32}}
    own = {"cnn_aloe": {"learning_rate": 0.1}}
    study = loaded(change={"classifiers": groups | own if groups_first else own | groups})

    assert epochs(study, VARIANTS) == [15] * 5
    changed = study["classifiers"]["cnn_aloe"]
    assert (changed["batch_size"], changed["learning_rate"]) == (32, 0.1)


def test_a_mistake_in_the_change_of_a_group_is_told_where_it_is_written(loaded):
    with pytest.raises(
        ParamsError, match=r"mine\.yaml:\d+: change\.classifiers\.variants\.epoch: .*Did you mean epochs"
    ):
        loaded(change={"classifiers": {"variants": {"epoch": 44}}})


def test_a_role_names_sets_of_ours_and_defines_others_in_one_list(loaded):
    mine = {"mine": {"use": "checkerboards", "count": 20}}
    study = loaded(data={"ood_far": ["photographs", mine]}, papers={"aloe": None})
    assert {"photographs", "mine", "uniform"} <= set(study["evaluations"]["detection"]["examples"])
    assert study["examples"]["mine"]["count"] == 20


@pytest.mark.parametrize("paper", ["aloe", "fgsm", "gradient_detection", "margin_consistency", "translation"])
def test_a_paper_is_dropped_by_deleting_its_line(loaded, paper):
    study = loaded(papers={paper: None})
    assert paper not in study["papers"]
    assert not any(question["system"] == paper for question in study["evaluations"].values())


def test_a_change_of_what_a_dropped_paper_alone_asks_is_remarked_on(loaded):
    study = loaded(papers={"fgsm": None})
    assert "change.classifiers.logistic changes nothing: no question of this study is about it" in study.remarks
    assert not loaded().remarks


def test_a_set_that_no_question_reads_is_remarked_on(loaded):
    mine = {"mine": {"use": "checkerboards", "count": 20}}
    assert (
        "data.sets.mine: no question of this study reads it; name it in a data role"
        in loaded(data={"sets": mine}).remarks
    )
    assert not loaded(data={"sets": mine, "ood_far": ["photographs", "textures", "mine"]}).remarks


def test_one_seed_more_goes_to_every_network_whose_recipe_fixes_none(loaded):
    study, before = loaded(scale={"seeds": 4}), loaded()
    for section in ("classifiers", "translators"):
        free = [name for name, entry in before[section].items() if entry["seeds"] == [0, 1, 2]]
        assert {"cnn"} <= set(free) or section == "translators"
        assert all(study[section][name]["seeds"] == [0, 1, 2, 3] for name in free)


def test_seeds_of_a_claim_go_to_every_network_that_it_is_about(loaded):
    study = loaded(scale={"claims": {"A5": 5}})
    many = {name for name, entry in study["classifiers"].items() if len(entry["seeds"]) == 5}
    assert many == {"cnn_original", "cnn_oe"}


def test_seeds_of_a_claim_that_is_about_a_defence_go_to_its_network_and_its_translator(loaded):
    study = loaded(scale={"claims": {"T6": [0, 1, 2, 7]}})
    (translator,) = study["defences"]["translated"]["translator"]
    assert study["classifiers"]["cnn"]["seeds"] == [0, 1, 2, 7]
    assert study["translators"][translator]["seeds"] == [0, 1, 2, 7]
    assert study["defences"]["translated"]["seeds"] == [0, 1, 2, 7]


def test_seeds_of_a_claim_go_to_the_defences_and_evaluations_that_list_seeds(loaded):
    evaluations = {"routing": {"seeds": [0, 1]}, "data_sheet": {"seeds": [0]}, "translation": {"seeds": [0]}}
    change = {"defences": {"routed": {"seeds": [0, 1]}}, "evaluations": evaluations}
    study = loaded(scale={"claims": {"T2": 5}}, change=change)

    assert study["defences"]["routed"]["seeds"] == [0, 1, 2, 3, 4]
    assert study["evaluations"]["routing"]["seeds"] == [0, 1, 2, 3, 4]
    assert study["evaluations"]["data_sheet"]["seeds"] == study["evaluations"]["translation"]["seeds"] == [0]


def test_a_claim_that_the_study_does_not_test_is_no_reason_for_seeds(loaded):
    with pytest.raises(ParamsError, match=r"mine\.yaml:\d+: scale\.claims\.A22: no claim that this study tests"):
        loaded(scale={"claims": {"A22": 5}})


def test_a_training_needs_the_outliers_that_its_objective_reads_and_no_others(loaded):
    with pytest.raises(ParamsError, match=r"classifiers\.cnn\.outliers: training/clean\.py reads no outliers; leave"):
        loaded(change={"classifiers": {"cnn": {"outliers": ["blobs"]}}})
    with pytest.raises(ParamsError, match=r"cnn_oe\.outliers: training/outlier_exposed\.py reads outliers: must name"):
        loaded(change={"classifiers": {"cnn_oe": {"outliers": []}}})


@pytest.mark.parametrize("skip", [80, 79])
def test_a_score_is_not_chosen_on_images_that_it_is_judged_on(loaded, skip):
    choosing = {"digits_choosing": {"use": "subset", "of": "digits_test", "skip": skip, "count": 150}}
    if skip == 80:  # the judged ones are the first 80
        assert loaded(data={"choosing": choosing})
    else:
        words = "choice_known shares images with few_digits, and evaluations.far_sets_attacked chooses a score on"
        with pytest.raises(ParamsError, match=rf"mine\.yaml:\d+: data\.choosing\.digits_choosing: {words}"):
            loaded(data={"choosing": choosing})


def test_a_component_of_ones_own_takes_only_data_that_jobs_pass(loaded, tmp_path):
    (tmp_path / "mine/detectors").mkdir(parents=True)
    (tmp_path / "mine/detectors/near.py").write_text('def near(logits, margins):\n    """Return it."""\n')
    change = {"detectors": {"near": {"use": "near"}}}

    with pytest.raises(
        ParamsError, match=r"detectors\.near\.use: near in detectors/near\.py takes margins, which no job"
    ):
        loaded(change=change, plugins=[str(tmp_path / "mine")])


def test_studies_of_ours_hold_nothing_that_has_to_be_explained():
    for path in sorted((Path(__file__).parents[3] / "workflow/studies").glob("*.yaml")):
        lines = path.read_text().splitlines()
        assert max(map(len, lines)) <= 100, path
        text = "\n".join(line.partition(" #")[0] for line in lines if not line.startswith("#"))
        assert not set("$*&") & set(text), path
        assert "null" not in text, path
        if path.stem in ("tiny", "digits", "fashion_mnist"):
            assert len(lines) <= 60, path
        assert next(iter(yaml.safe_load(text))) == "title", path
