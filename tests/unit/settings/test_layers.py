"""Who decides, of what several files write: the study before the grade, the grade before the paper, the study before params."""

import pytest

from hand_made_papers import COMMON, STUDY
from touchstone.settings.files import ParamsError


def test_the_nearest_file_decides_and_the_others_fill_in(draft):
    quick = STUDY.replace("full", "quick").lstrip()

    attacks = draft(quick + "change: {attacks: {pgd: {restarts: 3}, fgsm: {eps: 0.2}}}").blocks["attacks"]

    assert attacks["pgd"] == {"use": "pgd", "eps": 0.1, "steps": 2, "restarts": 3}
    assert attacks["fgsm"]["eps"] == 0.2
    assert draft(quick).blocks["attacks"]["fgsm"]["eps"] == 0.3


def test_params_gives_what_the_study_leaves_out(draft):
    params = "scale: {seeds: 2, epochs: 9, translators: {epochs: 4}}\ncompute: {threads: 3, device: cuda}\n"

    blocks = draft("scale: {seeds: [7]}\ncompute: {device: cpu}\n", params=params).blocks

    assert blocks["classifiers"]["net"]["seeds"] == [7] and blocks["classifiers"]["net"]["epochs"] == 9
    assert (blocks["study"]["threads"], blocks["study"]["device"]) == (3, "cpu")


def test_a_number_of_seeds_goes_to_every_network_that_writes_none(draft):
    nets = draft("scale: {seeds: 3}").blocks["classifiers"]

    assert nets["net"]["seeds"] == [0, 1, 2]
    assert nets["five"]["seeds"] == [0, 1, 2, 3, 4]


def test_a_default_in_change_leaves_those_of_scale(draft):
    change = "change: {classifiers: {defaults: {batch_size: 7}}}"

    assert draft(f"scale: {{seeds: 2, epochs: 5}}\n{change}").blocks["classifiers"]["net"] == {
        "use": "clean", "train": "digits_test", "seeds": [0, 1], "epochs": 5, "batch_size": 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("grades", "steps"), [("one: smoke", 1), ("one: smoke, two: quick", 2), ("two: full, one: smoke", 7)]
)
def test_what_papers_share_follows_the_highest_of_their_grades(draft, grades, steps):
    study = STUDY.replace("one: full", grades).lstrip()

    assert draft(study).blocks["attacks"]["pgd"]["steps"] == steps


def test_a_grade_may_write_its_own_groups(draft):
    assert draft(STUDY.replace("full", "smoke").lstrip()).roles["both"] == ["fgsm"]


def test_a_paper_without_a_grade_says_which_it_has(files):
    with pytest.raises(ParamsError, match=r"mine\.yaml:3: papers\.one: it has no grade quick; its grades are .*full"):
        files(STUDY.replace("full", "quick").lstrip(), one="groups: {}\n")


def test_a_paper_may_not_change_what_papers_share(files):
    with pytest.raises(ParamsError, match=r"one/experiment\.yaml:1: attacks\.pgd: common\.yaml defines it, too"):
        files(one="attacks: {pgd: {use: pgd, steps: 3}}\n")


@pytest.mark.parametrize(
    "of_one", ["attacks: {bim: {use: bim}}\n", "grades: {full: {change: {attacks: {bim: {use: bim}}}}}\n"]
)
def test_the_grades_of_two_papers_may_not_add_the_same_name(files, of_one):
    two = "grades: {full: {change: {attacks: {bim: {use: fgsm}}}}}\n"

    with pytest.raises(
        ParamsError, match=r"two/experiment\.yaml:1: grades\.full\.change\.attacks\.bim: one defines it, too"
    ):
        files(STUDY.replace("one: full", "one: full, two: full").lstrip(), one=of_one, two=two)


def test_a_section_of_a_paper_that_holds_no_entries_is_named_and_no_traceback(files):
    for written in ("3", "bim"):
        with pytest.raises(ParamsError, match=r"one/experiment\.yaml:1: attacks: "):
            files(one=f"attacks: {written}\n")


def test_a_paper_that_a_study_does_not_list_lends_its_entries_and_asks_nothing(draft):
    two = "attacks: {bim: {use: bim}}\nevaluations: {third: {use: checks, examples: [faces], question: Q}}\n"

    blocks = draft("change: {evaluations: {first: {attacks: [bim]}}}", two=two).blocks

    assert blocks["attacks"]["bim"] == {"use": "bim"}
    assert "third" not in blocks["evaluations"]
    assert "third" in draft(STUDY.replace("one: full", "one: full, two: full").lstrip(), two=two).blocks["evaluations"]


def test_a_mistake_in_a_paper_names_its_file(files):
    with pytest.raises(ParamsError, match=r"one/experiment\.yaml:2: attack: no such section.* Did you mean attacks\?"):
        files(one="groups: {}\nattack: {bim: {use: bim}}\n")
    with pytest.raises(ParamsError, match=r"common\.yaml:\d+: grades\.smoke\.evaluation: no such setting"):
        files(common=COMMON.replace("smoke: {evaluations", "smoke: {evaluation"))
