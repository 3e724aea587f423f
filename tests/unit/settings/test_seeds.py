"""Seeds of a study's networks: those of another run, and those that a defence inherits."""

from __future__ import annotations

import pytest

from touchstone.settings import seeds
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load


@pytest.fixture
def resolved():
    return {
        "study": {"first_seed": 3},
        "classifiers": {"net": {"seeds": [0, 1]}},
        "translators": {"unet": {"seeds": [0]}},
        "defences": {"whole": {"seeds": None, "classifier": "net"}, "part": {"seeds": [1], "classifier": "net"}},
        "evaluations": {"all_of_them": {"seeds": None}, "one": {"seeds": [0]}},
        "figures": {"of_one_network": {"seed": 1}, "of_all": {}},
    }


def test_another_run_has_other_seeds_wherever_seeds_are_named(resolved):
    assert seeds.shift(resolved) == 3
    seeds.inherit(resolved)

    named = {
        name: entry["seeds"] for section in seeds.SEEDED for name, entry in resolved[section].items() if entry["seeds"]
    }
    assert named == {"net": [3, 4], "unet": [3], "whole": [3, 4], "part": [4], "one": [3]}
    assert resolved["evaluations"]["all_of_them"]["seeds"] is None
    assert resolved["figures"] == {"of_one_network": {"seed": 4}, "of_all": {}}
    assert resolved["study"] == {}  # jobs of a network do not depend on the first seed, only on their own


def test_seeds_of_a_claim_go_to_the_encoder_of_its_defence_too():
    net = {"seeds": [0]}
    defence = {"seeds": None, "classifier": "net", "translator": ["unet"], "encoder": "reader"}
    resolved = {
        "classifiers": {"net": dict(net), "reader": dict(net), "other": dict(net)},
        "translators": {"unet": dict(net)},
        "defences": {"whole": defence},
        "evaluations": {},
    }

    assert not list(seeds.give_to_claims({"C1": [0, 1]}, {"C1": {"defence": "whole"}}, {}, resolved))

    assert resolved["classifiers"] == {"net": {"seeds": [0, 1]}, "reader": {"seeds": [0, 1]}, "other": net}


def test_fashion_mnist_trains_no_network_of_an_earlier_run():
    study = load("fashion_mnist")

    trained = {
        seed
        for section in ("classifiers", "translators")
        for entry in study[section].values()
        for seed in entry["seeds"]
    }
    assert trained.isdisjoint(range(9)) and 20 in trained
    assert study.first_seed == 20 and "first_seed" not in study["study"]


@pytest.mark.parametrize(("role", "net", "seed", "words"), [
    ("classifiers", "net", 4, "its networks have the seeds 0, 1, and not 4"),
    ("classifiers", "part", 0, "its networks have the seeds 1, and not 0"),
    ("rivals", "net", 1, ""),
])  # fmt: skip
def test_a_seed_that_no_network_of_an_evaluation_has_is_named_as_it_is_written(resolved, role, net, seed, words):
    resolved["evaluations"] = {"one": {"seeds": [seed], "classifiers": ["part"], "rivals": []}}
    resolved["evaluations"]["one"][role] = [net]
    resolved["figures"] = {}
    first = seeds.shift(resolved)
    seeds.inherit(resolved)

    assert [problem.message for problem in seeds.absent(resolved, first)] == [words] * bool(words)


@pytest.mark.parametrize(("seeds_of_one", "also", "words"), [
    (None, [], ""),
    ([0], [], "the networks that it shows have the seeds 0, and not 1; set it to one of these"),
    ([0], ["all_of_them"], ""),
])  # fmt: skip
def test_a_seed_that_no_network_of_a_figure_has_is_named_as_it_is_written(resolved, seeds_of_one, also, words):
    one = {"seeds": seeds_of_one, "classifiers": ["net"], "rivals": []}
    resolved["evaluations"] = {"one": one, "all_of_them": one | {"seeds": None}}
    for figure in resolved["figures"].values():
        figure.update(evaluation="one", also=also)
    first = seeds.shift(resolved)
    seeds.inherit(resolved)

    problems = [(("figures", "of_one_network", "seed"), words)] * bool(words)
    assert list(seeds.absent(resolved, first)) == problems


def test_no_study_may_be_called_like_the_folder_of_raw_files(tmp_path):
    (tmp_path / "raw.yaml").write_text("study: {title: Raw}\n")

    with pytest.raises(ParamsError, match="a study cannot be called raw, because data/raw has the sources of all"):
        load(str(tmp_path / "raw.yaml"))
