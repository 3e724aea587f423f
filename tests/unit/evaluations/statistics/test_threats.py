import pytest

from touchstone.evaluations.statistics.threats import budget, threat, white_box
from touchstone.records.metric_rows import parse_threat
from touchstone.records.nouns import Cell

PGD = {
    "use": "attacks/pgd",
    "eps": 0.1,
    "steps": 40,
    "restarts": 5,
    "step_size": None,
    "random_start": True,
    "target": "none",
    "loss": "margin",
}


def cell(victim="cnn.0", attack="pgd", settings=PGD, **more):
    return Cell(None, "file", **{"entry": "cnn", "seed": 0, "examples": "digits", **more}, victim=victim, attack=attack,
                settings=settings)  # fmt: skip


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (cell(attack="", victim=""), "none"),
        (cell(), "white-box linf eps=0.1 steps=40 restarts=5 (pgd)"),
        (cell(settings={"use": "fgsm", "eps": 8 / 255}), "white-box linf eps=0.0313725 (fgsm)"),
        (
            cell(settings={"use": "cw", "norm": "l2", "steps": 9, "target": "next"}),
            "white-box l2 steps=9 target=next (cw)",
        ),
        (
            cell(settings={"use": "attacks/worst_of", "attacks": [{"use": "attacks/apgd", "eps": 0.1}, PGD]}),
            "white-box linf eps=0.1 (worst_of)",
        ),
        (cell(detector="energy"), "oblivious linf eps=0.1 steps=40 restarts=5 (pgd)"),
        (cell(translator="unet.0"), "oblivious linf eps=0.1 steps=40 restarts=5 (pgd)"),
        (cell("mlp.2"), "transfer from mlp.2 linf eps=0.1 steps=40 restarts=5 (pgd)"),
        (cell("cnn.1"), "transfer from cnn.1 linf eps=0.1 steps=40 restarts=5 (pgd)"),
        (
            cell("cnn.0+energy@0.05", detector="energy"),
            "white-box adaptive to energy@0.05 linf eps=0.1 steps=40 restarts=5 (pgd)",
        ),
        (
            cell("cnn.0+energy@0.05", detector="msp"),
            "transfer from cnn.0+energy@0.05 linf eps=0.1 steps=40 restarts=5 (pgd)",
        ),
        (cell(entry="", seed=None), "made on cnn.0 linf eps=0.1 steps=40 restarts=5 (pgd)"),
    ],
)
def test_a_threat_says_what_the_attacker_knew_and_was_allowed(place, expected):
    assert str(threat(place)) == expected
    assert parse_threat(expected) == threat(place)


def test_only_a_full_knowledge_attack_on_the_bare_network_is_white_box():
    assert white_box(cell())
    assert not any(
        white_box(place)
        for place in (cell("mlp.0"), cell(attack="", victim=""), cell(translator="unet.0"), cell(detector="msp"))
    )


def test_a_budget_is_a_norm_and_an_eps_to_six_digits():
    assert budget(cell(settings={"use": "fgsm", "eps": 8 / 255})) == ("linf", 0.0313725)
    assert budget(cell(settings={"use": "cw", "norm": "l2"})) == ("l2", None)
    assert budget(cell(attack="", victim="")) == ("", None)


FGSM, CW = {"use": "attacks/fgsm", "eps": 8 / 255}, {"use": "attacks/carlini_wagner"}
ROUND = {"use": "attacks/pgd", "eps": 0.5, "norm": "l2"}


@pytest.mark.parametrize(
    ("parts", "expected", "stated"),
    [
        ([FGSM, PGD], ("linf", 0.1), "white-box linf eps=0.1 (worst_of)"),
        ([ROUND, ROUND | {"eps": 0.25}], ("l2", 0.5), "white-box l2 eps=0.5 (worst_of)"),
        ([FGSM, {"use": "attacks/mix", "attacks": [PGD]}], ("linf", 0.1), "white-box linf eps=0.1 (worst_of)"),
        ([PGD, CW], ("", None), "white-box"),
        ([PGD, {"use": "attacks/mix", "attacks": [FGSM, CW]}], ("", None), "white-box"),
        ([PGD, ROUND], ("", None), "white-box"),
    ],
)
def test_attacks_combined_in_one_state_a_budget_only_if_all_of_them_keep_to_it(parts, expected, stated):
    combined = cell(settings={"use": "attacks/worst_of", "attacks": parts})

    assert budget(combined) == expected
    assert str(threat(combined)) == stated
    assert parse_threat(stated) == threat(combined)
