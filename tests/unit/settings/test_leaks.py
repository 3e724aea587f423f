"""Which outliers are of a family that is tested on, on made-up entries."""

from touchstone.settings.leaks import leaks


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
