"""Which sets are learned from and also tested on or judged by, on made-up entries."""

import pytest

from touchstone.settings.leaks import known_as_unknown, leaks


def network(train, outliers=()):
    return {"train": train, "validation": None, "outliers": list(outliers), "calibration": None}


def test_only_the_sources_of_a_networks_own_training_images_are_no_outliers_of_a_tested_family():
    question = {"classifiers": ["exposed"], "examples": ["pictures_test"], "attacked": [], "fit": None}
    resolved = {
        "study": {"calibration": "held_out"},
        "examples": {
            "train": {"use": "data/digits", "source": "digits", "of": None},
            "held_out": {"use": "data/digits", "source": "digits", "of": None},
            "pictures": {"use": "data/faces", "source": "pictures", "of": None},
            "pictures_test": {"use": "data/faces", "source": "pictures", "of": None},
        },
        "classifiers": {"exposed": network("train", ["pictures"]), "other": network("pictures")},
        "translators": {},
        "detectors": {},
        "evaluations": {"detection": question},
    }

    ((place, reason),) = leaks(resolved)
    assert place == ("classifiers", "exposed", "outliers")
    assert reason.startswith("pictures is of the family of pictures_test")

    resolved["classifiers"]["exposed"]["train"] = "pictures"
    assert not list(leaks(resolved))


def part(name, limit=None, source="digits", split_seed=0):
    entry = {"use": "data/digits", "source": source, "of": None, "part": name, "split_seed": split_seed, "limit": limit}
    return entry | {"size": 28}


@pytest.mark.parametrize(
    ("examples", "place", "reason"),
    [
        ({}, None, ""),
        ({"other": part("train", split_seed=1), "test": part("test", source="more")}, None, ""),
        ({"test": part("train", limit=60)}, "train", "train has images of test, which is tested on by evaluations.accuracy"),
        ({"held_out": part("train")}, "train", "train has images of held_out, which gives the thresholds (data.calibration)"),
        ({"held_out": part("test", limit=9)}, "calibration", "held_out has images of test, which is tested on by"),
        ({"watched": part("train")}, "validation", "watched has images of train, which is also the training set"),
        ({"watched": part("test")}, "validation", "watched has images of test, which is tested on by evaluations.accuracy"),
    ],
)  # fmt: skip
def test_one_part_of_a_source_under_two_names_is_one_set(examples, place, reason):
    parts = {"train": "train", "watched": "validation", "held_out": "calibration", "test": "test"}
    resolved = {
        "study": {"calibration": "held_out"},
        "examples": {name: part(each) for name, each in parts.items()} | examples,
        "classifiers": {"net": network("train") | {"validation": "watched"}},
        "translators": {},
        "detectors": {},
        "evaluations": {"accuracy": {"classifiers": ["net"], "examples": ["test"], "attacked": [], "fit": None}},
    }

    found = [(problem.place[-1], problem.message) for problem in leaks(resolved)]

    twins, others = ([each for each in found if (each[0] == "part") == is_twin] for is_twin in (True, False))
    assert [each[0] for each in others] == ([place] if place else [])
    assert all(each[1].startswith(reason) for each in others)
    assert len(twins) == (place is not None and "also the training set" not in reason)  # the line of the other set, too
    assert not twins or (found[0] in twins) == (place == "train")  # first the set whose name does not say its part


@pytest.mark.parametrize(
    ("unknown", "is_known"),
    [
        ({"use": "data/without_classes", "of": "test"}, True),
        ({"use": "data/subset", "of": "test", "count": 9}, True),
        (part("test"), True),
        ({"use": "data/corruption", "of": "test"}, False),  # another kind of anomaly
        ({"use": "data/held_out_classes", "of": "test", "classes": [8, 9], "keep": True}, False),
        (part("test", source="other_digits"), True),  # other images of the same classes
        ({"use": "data/uniform_noise", "of": None, "count": 9, "channels": 1, "size": 28}, False),
    ],
)
def test_unchanged_images_of_a_learned_class_are_not_unknown(unknown, is_known):
    learned = {"use": "data/held_out_classes", "of": "all", "classes": [8, 9], "keep": False}
    resolved = {
        "sources": {name: {"use": "sources/sklearn_digits"} for name in ("digits", "other_digits")},
        "examples": {"all": part("train"), "train": learned, "test": part("test"), "unknown": unknown},
        "classifiers": {"net": network("train")},
        "translators": {},
        "detectors": {},
    }
    problems = list(known_as_unknown(resolved, {"ood_far": ["unknown", "absent"], "clean_again": ["test"]}))
    assert bool(problems) == is_known
    for place, reason in problems:
        assert place == ("groups", "ood_far")
        assert reason.startswith("unknown has classes of train, which networks learn")


def test_neither_outliers_nor_anomalies_are_images_that_are_learned_as_known():
    resolved = {
        "sources": {"digits": {"use": "sources/sklearn_digits"}},
        "examples": {"train": part("train"), "few": {"use": "data/subset", "of": "train", "skip": 0, "count": 9}},
        "classifiers": {"net": network("train", ["few"])},
        "translators": {},
        "detectors": {"gradients": {"fit": "train", "anomalous": ["few", "an_attack"]}},
    }

    found = dict(known_as_unknown(resolved, {}))
    assert found[("classifiers", "net", "outliers")].startswith("few has classes of train, which it learns")
    assert found[("detectors", "gradients", "anomalous")].startswith(
        "few has images of train, which it learns as normal"
    )
    resolved["examples"]["few"] = {"use": "data/phase_scrambled", "of": "train"}
    assert not dict(known_as_unknown(resolved, {}))


def test_outliers_are_not_made_of_test_images():
    resolved = {
        "study": {"calibration": "held_out"},
        "examples": {"train": part("train"), "held_out": part("calibration"), "test": part("test")}
        | {"scrambled": {"use": "data/phase_scrambled", "of": "test"}},
        "classifiers": {"net": network("train", ["scrambled"])},
        "translators": {},
        "detectors": {},
        "evaluations": {"accuracy": {"classifiers": ["net"], "examples": ["test"], "attacked": [], "fit": None}},
    }

    ((place, reason),) = leaks(resolved)
    assert place == ("classifiers", "net", "outliers")
    assert reason.startswith("scrambled is made of images of test, which is tested on by evaluations.accuracy")
    resolved["examples"]["scrambled"]["of"] = "train"
    assert not list(leaks(resolved))
