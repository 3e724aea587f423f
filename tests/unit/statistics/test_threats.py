import pytest

from touchstone.records.nouns import Cell
from touchstone.statistics.threats import Threat, read, seedless, threat, white_box

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
    assert threat(place) == expected


@pytest.mark.parametrize(
    "text", ["none", "white-box linf eps=0.1 steps=40 (pgd)", "transfer from cnn.0+energy@0.05 l2 eps=1.5e-05 (cw)"]
)
def test_a_threat_is_read_back_as_it_was_written(text):
    assert str(read(text)) == text


def test_a_threat_read_back_gives_its_parts():
    found = read("white-box, the worst of fgsm, pgd, linf eps=0.1")

    assert found == Threat("white-box, the worst of fgsm, pgd,", "linf", "eps=0.1")
    assert found.eps == 0.1
    assert read("none").eps is None


def test_attacks_of_one_family_differ_in_budget_and_effort_alone():
    found = {read(f"white-box linf eps={eps} steps={steps} (pgd)").family for eps, steps in ((0.1, 40), (0.2, 10))}

    assert found == {"white-box linf (pgd)"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cnn.0", "cnn"),
        ("digits_test/cnn_pgd.12/pgd_05", "digits_test/cnn_pgd/pgd_05"),
        ("cnn.0+energy@0.05", "cnn+energy@0.05"),
        (
            "transfer from mlp.0 linf eps=0.1 step_size=2.5e-05 (pgd)",
            "transfer from mlp linf eps=0.1 step_size=2.5e-05 (pgd)",
        ),
    ],
)
def test_seedless_text_loses_seeds_and_no_other_number(text, expected):
    assert seedless(text) == expected


def test_only_a_full_knowledge_attack_on_the_bare_network_is_white_box():
    assert white_box(cell())
    assert not any(
        white_box(place)
        for place in (cell("mlp.0"), cell(attack="", victim=""), cell(translator="unet.0"), cell(detector="msp"))
    )
