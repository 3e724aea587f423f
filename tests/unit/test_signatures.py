import pytest
from annotated_types import Ge, Gt, Interval, Le, Lt

from touchstone.signatures import ComponentError, fold, interval, range_text, read_signature, read_words, within


@pytest.mark.parametrize(
    ("bound", "text", "inside", "outside"),
    [
        (Ge(1), "at least 1", [1, 2.5], [0.999, -1]),
        (Gt(0), "above 0", [1e-300, 7], [0, -1]),
        (Le(2), "at most 2", [2, -9], [2.001]),
        (Lt(2), "below 2", [1.999], [2]),
        (Interval(ge=0, le=1), "from 0 to 1", [0, 0.5, 1], [-1e-9, 1.001]),
        (Interval(gt=0, le=1), "above 0, at most 1", [1e-9, 1], [0, 1.001]),
    ],
)
def test_a_bound_is_checked_and_worded(bound, text, inside, outside):
    bounds = interval(bound)

    assert range_text(bounds) == text
    assert all(within(value, bounds) for value in inside)
    assert not any(within(value, bounds) for value in (*outside, float("nan")))


def test_equal_ranges_are_equal():
    assert interval(Ge(1)) == interval(Interval(ge=1)) != interval(Gt(1))


@pytest.mark.parametrize(
    ("text", "value"), [("8/255", 8 / 255), ("-2*0.5", -1.0), ("1e-3", 0.001), ("[1, 2]", [1, 2]), ("None", None)]
)
def test_fold_evaluates_literals_and_the_four_operators(text, value):
    assert fold(text) == value


@pytest.mark.parametrize(
    "text", ["__import__('os')", "8 % 3", "2 ** 9", "a + 1", "1/0", "'a' * 3", "", "f(1)", "True + 1"]
)
def test_fold_refuses_everything_else(text):
    with pytest.raises(ValueError):
        fold(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('METRICS = ("auroc", "gain_*")', ("auroc", "gain_*")),
        ('METRICS = ["auroc"]', ("auroc",)),
        ("OTHER = ('a',)", ()),
    ],
)
def test_the_words_of_a_constant_are_read_without_an_import(tmp_path, text, words):
    (tmp_path / "own.py").write_text(f"import nothing_of_this_name\n{text}\n")

    assert read_words(tmp_path / "own.py", "METRICS") == words


def test_a_constant_that_holds_anything_but_words_is_refused(tmp_path):
    (tmp_path / "own.py").write_text("METRICS = ('auroc', NAME)\n")

    with pytest.raises(ComponentError, match=r"own\.py: METRICS may hold words in quotes only"):
        read_words(tmp_path / "own.py", "METRICS")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"import os\ndef spread(logits\n", r":2: not readable as Python: '\(' was never closed"),
        (b"\xff", r":1: not readable as Python: \(unicode error\) 'utf-8' codec"),
        (b"x = 1\n\0", r": not readable as Python: source code string cannot contain null bytes"),
    ],
)
def test_a_file_that_is_no_python_is_named_with_its_line(tmp_path, text, message):
    file = tmp_path / "spread.py"
    file.write_bytes(text)

    with pytest.raises(ComponentError, match=f"spread.py{message}"):
        read_signature(file, "spread")


def test_a_digest_as_a_default_has_the_form_of_one(tmp_path):
    component = tmp_path / "own.py"
    head = "from touchstone.contracts import Digest\n\n\ndef own(folder, *, sha256: Digest = "
    component.write_text(f"{head}'sha256:{'0' * 64}'):\n    return folder\n")

    assert read_signature(component, "own").settings["sha256"].default == f"sha256:{'0' * 64}"
    component.write_text(f"{head}'md5:0'):\n    return folder\n")
    with pytest.raises(ComponentError, match="the default 'md5:0' is not sha256: and 64 hexadecimal digits"):
        read_signature(component, "own")
