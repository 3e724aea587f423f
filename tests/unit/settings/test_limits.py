import pytest

from touchstone.settings.limits import (
    CHAIN,
    LETTERS,
    budgets,
    chains,
    emptied,
    false_alarms,
    momenta,
    resamples,
    wrong_name,
)


def of(**entries):
    return {name: {"of": other} for name, other in entries.items()}


@pytest.mark.parametrize(
    ("examples", "places"),
    [
        (of(a=None, b="a", c="b"), []),
        (of(a="b", b="a"), [("examples", "a", "of")]),
        (of(a="a"), [("examples", "a", "of")]),
        (of(a="b", b="c", c="b", d="e", e="d"), [("examples", "b", "of"), ("examples", "d", "of")]),
    ],
)
def test_each_circle_of_sets_is_one_problem(examples, places):
    assert [problem.place for problem in chains(examples)] == places


@pytest.mark.parametrize(("length", "problems"), [(CHAIN, 0), (CHAIN + 1, 1)])
def test_a_chain_of_sets_has_an_end(length, problems):
    examples = {f"set{n}": {"of": f"set{n + 1}"} for n in range(length)} | {f"set{length}": {"of": None}}

    assert len(list(chains(examples))) == problems


@pytest.mark.parametrize("name", ["a", "pgd_02", "a" * LETTERS])
def test_a_name_may_be(name):
    assert wrong_name(name) == ""


@pytest.mark.parametrize("name", ["", "A", "1a", "_a", "a-b", "a.b", "a b", "ä", "a" * (LETTERS + 1)])
def test_a_name_may_not_be(name):
    assert "a name consists of" in wrong_name(name)


@pytest.mark.parametrize(("optimizer", "momentum", "problems"), [("adam", 1, 1), ("adam", 0.9, 0), ("sgd", 1, 0)])
@pytest.mark.parametrize("section", ["classifiers", "translators"])
def test_adam_needs_a_momentum_below_1(section, optimizer, momentum, problems):
    resolved = {"classifiers": {}, "translators": {}} | {
        section: {"net": {"optimizer": optimizer, "momentum": momentum}}
    }

    places = [problem.place for problem in momenta(resolved)]

    assert places == [(section, "net", "momentum")] * problems


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ({"attack": {"use": "attacks/pgd", "eps": 0}}, ("attack", "eps")),
        ({"eps": 0}, ("eps",)),
        ({"attack": {"use": "attacks/pgd", "eps": 0.1}, "eps": 0.1}, None),
        ({"attack": {"use": "attacks/colour_inversion"}}, None),
        ({"use": "training/clean"}, None),
    ],
)
@pytest.mark.parametrize("section", ["classifiers", "translators"])
def test_a_training_on_attacks_or_noise_needs_some(section, entry, place):
    resolved = {"classifiers": {}, "translators": {}, "attacks": {}, "evaluations": {}} | {section: {"net": entry}}

    assert [problem.place for problem in budgets(resolved, {})] == ([(section, "net", *place)] if place else [])


@pytest.mark.parametrize(
    ("entry", "written", "key"),
    [
        ({"eps": 0.0}, {}, None),  # a paper's attack, which is to change nothing
        ({"eps": 0.0}, {"eps": 0}, "eps"),
        ({"eps": 0.1, "step_size": 0.2}, {"step_size": 0.2}, None),
        ({"eps": 0.1, "step_size": 1.0}, {"step_size": 1}, "step_size"),
        ({"eps": 0.01, "step_size": 0.1}, {"eps": 0.01}, "eps"),
        ({"eps": 0.1, "step_size": None}, {"eps": 0.1}, None),
    ],
)
def test_an_attack_has_a_size_and_steps_that_stay_within_it(entry, written, key):
    resolved = {"classifiers": {}, "translators": {}, "attacks": {"mine": entry}, "evaluations": {}}

    found = [problem.place for problem in budgets(resolved, {"attacks": {"mine": written}})]

    assert found == ([("attacks", "mine", key)] if key else [])


@pytest.mark.parametrize(
    ("use", "written", "problems"),
    [("checks", {"use": "pgd", "eps": 0}, 0), ("robustness", {"use": "pgd", "eps": 0}, 1), ("checks", {"eps": 0}, 1)],
)
def test_only_a_new_attack_that_is_checked_has_no_size(use, written, problems):
    resolved = {"classifiers": {}, "translators": {}, "attacks": {"mine": {"eps": 0.0}}}
    resolved["evaluations"] = {"question": {"use": f"evaluations/{use}", "attacks": ["mine"]}}

    assert len(list(budgets(resolved, {"attacks": {"mine": written}}))) == problems


def test_a_training_attacks_with_steps_that_stay_within_eps():
    attack = {"use": "attacks/pgd", "eps": 0.1, "step_size": 1.0}
    resolved = {"classifiers": {"net": {"attack": attack}}, "translators": {}, "attacks": {}, "evaluations": {}}

    ((place, reason),) = budgets(resolved, {})

    assert place == ("classifiers", "net", "attack", "step_size")
    assert reason.endswith("expected at most 2 eps, 0.2")


@pytest.mark.parametrize(("number", "problems"), [(1, 1), (2, 0)])
def test_one_resample_gives_no_interval(number, problems):
    found = list(resamples({"evaluations": {"accuracy": {"resamples": number}, "sheet": {}}}))

    assert [place for place, _ in found] == [("evaluations", "accuracy", "resamples")] * problems


@pytest.mark.parametrize(
    ("entry", "keys"),
    [
        ({"model": {"dropout": 1}}, [("model", "dropout")]),
        ({"model": {"dropout": 0.5, "input_dropout": 1}}, [("model", "input_dropout")]),
        ({"model": {}, "steps": 0, "eps": 0.1}, [("steps",)]),
        ({"model": {}, "steps": 1, "eps": 0.1, "smoothing": 1}, [("smoothing",)]),
        ({"model": {}, "steps": 1, "eps": 0.1, "smoothing": 0.9}, []),
    ],
)
def test_a_training_leaves_something_to_learn(entry, keys):
    problems = emptied({"classifiers": {"net": entry}})

    assert [problem.place for problem in problems] == [("classifiers", "net", *key) for key in keys]


@pytest.mark.parametrize(
    ("rate", "own", "problems"), [(0.05, True, 0), (0.04, True, 1), (0.04, False, 0), (1, False, 1)]
)
def test_a_false_positive_rate_is_at_least_one_image_of_the_calibration_set_and_below_all(rate, own, problems):
    resolved = {
        "study": {"calibration": "held_out", "false_positive_rates": [0.1, rate]},
        "examples": {"held_out": {"use": "data/uniform_noise", "count": 20, "channels": 1, "size": 28}},
        **{section: {} for section in ("sources", "evaluations", "defences", "figures")},
    }

    found = [
        problem.place for problem in false_alarms(resolved, {"study": {"false_positive_rates": [rate]} if own else {}})
    ]

    assert found == [("study", "false_positive_rates")] * problems
