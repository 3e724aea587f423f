import pytest

import synthetic_study
from touchstone.claims import contrast_files, contrasts
from touchstone.claims.file_checks import ClaimError
from touchstone.claims.judging import StudyClaims
from touchstone.settings import papers

STUDY = vars(synthetic_study)
NUMBER = {"evaluation": "robustness", "metric": "robust_accuracy", "entry": "{net}"}
CONTRAST = {
    "of": "S9-1",
    "shows": "accuracy",
    "unaware": NUMBER | {"name": "does not know", "examples": "{examples}/fgsm"},
    "aware": NUMBER | {"name": "knows", "examples": "{examples}/pgd"},
}
TEST = NUMBER | {"name": "accuracy", "examples": "{examples}"}
CRITERION = {
    "kind": "number", "setting": "any", "criterion": "any", "roles": {"net": "each classifiers", "examples": "examples"}, "tests": [TEST]
}  # fmt: skip
ASKED = StudyClaims({"main": "robustness"}, {"S9-1": {"net": ["cnn", "other"], "examples": "test"}})


def paper(**more):
    return {"name": "Nine", "criteria": {"S9-1": CRITERION}, "contrast": CONTRAST | more}


def rows(**values):
    row = STUDY["metric_row"]
    names = [(net, attack) for net in ("cnn", "other") for attack in values]
    return [
        row("robust_accuracy", values[attack], entry=net, examples=f"test/{attack}", seed=0, evaluation="main")
        for net, attack in names
    ]


def test_a_contrast_has_the_numbers_of_the_first_network_before_and_after_the_attacker_knows():
    (contrast,) = contrasts.contrasts({"nine": paper()}, ASKED, rows(fgsm=0.8, pgd=0.1))

    assert (contrast.shows, contrast.reference) == ("accuracy", None)
    assert [part.quantity.value for part in (contrast.unaware, contrast.aware)] == [0.8, 0.1]
    assert contrast.aware.quantity.row.entry == "cnn"


def test_what_a_contrast_shows_may_name_who_plays_a_role_of_the_strongest_attacker():
    (contrast,) = contrasts.contrasts({"nine": paper(shows="accuracy of {net}")}, ASKED, rows(fgsm=0.8, pgd=0.1))
    (mistake,) = contrast_files.mistakes(paper(shows="accuracy of {net.__class__}"))

    assert contrast.shows == "accuracy of cnn"
    assert "net.__class__ is no role that aware uses" in str(mistake)


def test_a_contrast_may_say_what_its_marks_need_with_or_without_a_reference():
    also = NUMBER | {"name": "false alarms", "examples": "{examples}/clean"}
    facts, made = {"nine": paper(also=also)}, rows(fgsm=0.8, pgd=0.1, clean=0.3)

    (contrast,) = contrasts.contrasts(facts, ASKED, made)

    assert contrast.also.quantity.value == 0.3 and contrast.reference is None
    assert contrasts.contrasts({"nine": paper()}, ASKED, made)[0].also is None


def test_without_one_of_its_numbers_there_is_no_contrast():
    assert contrasts.contrasts({"nine": paper()}, ASKED, rows(fgsm=0.8)) == []
    assert contrasts.contrasts({"nine": {"name": "Nine"}}, ASKED, rows(fgsm=0.8)) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"of": "S9-2"}, "the criterion S9-2 is not among S9-1"),
        ({"other": 1}, "the key other is not among"),
        ({"aware": {"name": "x"}}, "evaluation"),
    ],
)
def test_a_mistake_in_a_contrast_is_told_by_its_place(more, message):
    (error,) = contrast_files.mistakes(paper(**more))

    assert isinstance(error, ClaimError) and message in str(error)


def test_a_paper_may_have_several_contrasts_whose_numbers_use_the_roles_of_several_criteria():
    other = CRITERION | {"roles": {"plain": "classifiers", "net": "classifiers"}}
    reference = NUMBER | {"name": "without", "entry": "{plain}", "examples": "{examples}/fgsm"}
    several = CONTRAST | {"name": "Several", "of": ["S9-1", "S9-2"], "reference": reference}
    facts = {"name": "Nine", "criteria": {"S9-1": CRITERION, "S9-2": other}, "contrast": [CONTRAST, several]}
    claims = {"S9-1": {"net": ["cnn"], "examples": "test"}, "S9-2": {"plain": "other", "net": "mlp"}}
    made = rows(fgsm=0.8, pgd=0.1)

    one, two = contrasts.contrasts({"nine": facts}, StudyClaims({"main": "robustness"}, claims), made)

    assert (one.system, two.system) == ("Nine", "Several")
    assert two.unaware.quantity.row.entry == "cnn" and two.reference.quantity.row.entry == "other"
    assert len(contrasts.contrasts({"nine": facts}, ASKED, made)) == 1  # the study does not ask S9-2


def test_every_shipped_paper_opens_with_sentences_and_a_contrast():
    for facts in papers.shipped_facts().values():
        assert list(contrast_files.mistakes(facts)) == []
        assert facts["idea"] and facts["change"] and "contrast" in facts
        assert all(facts["criteria"][claim].get("says") for claim in facts["answers"])
