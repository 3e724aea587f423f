import pytest

from touchstone.settings.files import ParamsError
from touchstone.settings.papers import SHIPPED
from touchstone.settings.problems import MOST_ERRORS, Problem, Problems


@pytest.fixture
def problems(tmp_path):
    base, own = tmp_path / "params.yaml", tmp_path / "mine.yaml"
    base.write_text("attacks:\n  pgd:\n    eps: 8\n  fgsm: {eps: 8}\n")
    own.write_text("# mine\nchange:\n  attacks:\n    fgsm:\n      eps: 9\ndata:\n  train: digits\n")
    collected = Problems(base, own)
    collected.written(("attacks", "pgd"), base)
    collected.written(("attacks", "fgsm"), own, ("change", "attacks", "fgsm"))
    return collected


def errors(problems):
    with pytest.raises(ParamsError) as caught:
        problems.stop()
    return str(caught.value).splitlines()


def test_a_mistake_has_the_file_and_the_line_of_the_nearest_key(problems):
    problems.extend(
        [Problem(("attacks", "pgd", "eps"), "too large")],
        [Problem(("attacks", "fgsm", "eps"), "too large"), Problem(("attacks", "pgd", "stepz"), "unknown")],
    )
    problems.add(("nowhere",), "missing")

    assert errors(problems) == [
        f"{problems.base}:3: attacks.pgd.eps: too large",
        f"{problems.own}:5: change.attacks.fgsm.eps: too large",
        f"{problems.base}:2: attacks.pgd.stepz: unknown",
        f"{problems.own}: nowhere: missing",
    ]


def test_a_mistake_that_many_entries_inherit_is_told_once(problems):
    for entry in ("one", "two"):
        problems.record_origin(("attacks", entry, "eps"), ("attacks", "pgd", "eps"))
        problems.add(("attacks", entry, "eps"), "too large")
    problems.add(("attacks", "one", "eps"), "no number")

    assert errors(problems) == [
        f"{problems.base}:3: attacks.pgd.eps: too large",
        f"{problems.base}:3: attacks.pgd.eps: no number",
    ]


def test_what_a_shipped_paper_reads_from_a_data_role_is_wrong_in_the_study(problems):
    shipped = SHIPPED / "common.yaml"
    for entry in ("knn", "msp"):
        problems.written(("detectors", entry, "fit"), shipped)
        problems.plays(("detectors", entry, "fit"), ("data", "train"))
        problems.add(("detectors", entry, "fit"), "is tested on")
    problems.add(("detectors", "knn"), "unused")

    told, other = errors(problems)
    assert told == f"{problems.own}:7: data.train: is tested on (detectors.knn.fit in papers/common.yaml reads it)"
    assert other == f"{problems.own}: detectors.knn: unused"


def test_what_a_paper_of_ones_own_reads_from_a_data_role_is_told_in_the_paper(problems):
    problems.written(("attacks", "pgd", "eps"), problems.base)
    problems.plays(("attacks", "pgd", "eps"), ("data", "train"))
    problems.add(("attacks", "pgd", "eps"), "no number")

    assert errors(problems) == [f"{problems.base}:3: attacks.pgd.eps: no number"]


def test_nothing_wrong_stops_nothing(problems):
    problems.stop()


def test_control_characters_are_escaped(problems):
    problems.add(("attacks",), "got \x1b[2J\n")

    assert errors(problems) == [f"{problems.own}: attacks: got \\x1b[2J\\n"]


def test_the_collection_ends_after_the_most_errors(problems):
    problems.extend(Problem(("attacks",), f"wrong {number}") for number in range(MOST_ERRORS))

    with pytest.raises(ParamsError) as caught:
        problems.add(("attacks",), "wrong")
    assert str(caught.value).splitlines()[-1] == f"and more: these are the first {MOST_ERRORS}"
