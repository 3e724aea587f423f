"""List roles are the groups of entries that one job handles."""

from touchstone.pipeline.settings.groups import derived_groups
from touchstone.pipeline.settings.problems import Problems
from touchstone.pipeline.settings.roles import Role


def settings(*examples):
    question = {"detectors": ["msp"], "attacks": [], "examples": ["test", "birds"], "attacked": []}
    return {
        "study": {"calibration": "calibration"},
        "examples": {name: {} for name in examples},
        "attacks": {"pgd": {"use": "attacks/pgd"}, "selective": {"use": "adaptive/selective_pgd"}},
        "detectors": {"msp": {}, "knn": {}},
        "translators": {"unet": {"seeds": [0]}, "gan": {"seeds": [0, 1]}},
        "evaluations": {"q": question},
    }


def grouped(roles, tmp_path, *examples):
    problems = Problems(tmp_path / "params.yaml")
    written = {name: Role(list(entries), isinstance(entries, list)) for name, entries in roles.items()}
    return derived_groups(written, settings(*examples), problems)


def test_an_entry_in_several_lists_belongs_to_the_first_and_one_in_none_to_itself(tmp_path):
    roles = {"tested": ["test", "birds"], "again": ["birds", "fish"], "one": ("calibration",)}
    groups = grouped(roles, tmp_path, "test", "birds", "fish", "calibration")

    assert groups["examples"] == {"tested": ["test", "birds"], "again": ["fish"], "calibration": ["calibration"]}
    assert groups["detectors"] == {"msp": ["msp"], "knn": ["knn"]}


def test_what_one_job_cannot_treat_together_is_left_out(tmp_path):
    roles = {"attacking": ["pgd", "selective"], "translating": ["unet", "gan"]}
    groups = grouped(roles, tmp_path)

    assert groups["attacks"] == {"attacking": ["pgd"], "selective": ["selective"]}
    assert groups["translators"] == {"translating": ["unet"], "gan": ["gan"]}


def test_the_calibration_set_is_never_with_a_set_that_is_tested_on(tmp_path):
    groups = grouped({"all": ["test", "calibration"]}, tmp_path, "test", "calibration")

    assert groups["examples"] == {"all": ["test"], "calibration": ["calibration"]}
