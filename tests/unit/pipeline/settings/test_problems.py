import pytest

from touchstone.pipeline.settings.files import ParamsError
from touchstone.pipeline.settings.problems import MOST_ERRORS, Problem, Problems


@pytest.fixture
def problems(tmp_path):
    base, overlay = tmp_path / "params.yaml", tmp_path / "mine.yaml"
    base.write_text("attacks:\n  pgd:\n    eps: 8\n  fgsm: {eps: 8}\n")
    overlay.write_text("# mine\nattacks:\n  fgsm:\n    eps: 9\n")
    collected = Problems(base, overlay)
    collected.written(("attacks", "fgsm"), overlay)
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
        f"{problems.overlay}:4: attacks.fgsm.eps: too large",
        f"{problems.base}:2: attacks.pgd.stepz: unknown",
        f"{problems.base}: nowhere: missing",
    ]


def test_nothing_wrong_stops_nothing(problems):
    problems.stop()


def test_control_characters_are_escaped(problems):
    problems.add(("attacks",), "got \x1b[2J\n")

    assert errors(problems) == [f"{problems.base}:1: attacks: got \\x1b[2J\\n"]


def test_the_collection_ends_after_the_most_errors(problems):
    problems.extend(Problem(("attacks",), "wrong") for _ in range(MOST_ERRORS))

    with pytest.raises(ParamsError) as caught:
        problems.add(("attacks",), "wrong")
    assert str(caught.value).splitlines()[-1] == f"and more: these are the first {MOST_ERRORS}"
