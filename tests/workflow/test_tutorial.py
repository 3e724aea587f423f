"""docs/tutorial.md: its commands work on the tiny study, and print what the page shows, but for digests and rounding."""

import re
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/tutorial.md").read_text()
(ANSWERS,) = re.findall(r"```text\n([^`]*\nMore: [^`]*)```", PAGE)
SHOWN = re.findall(r"```console\n\$ touchstone ([^\n]*)\n(.*?)```", PAGE, re.DOTALL)
STUDY, PLACE, SETTING = "workflow/studies/tiny.yaml", "change:\n", "  attacks: {pgd: {steps: 10}}\n"


NUMBER = re.compile(r"\d+(?:\.\d+)?")


def lines(text):
    """The lines of a text without digests, in the order of their words, because two streams have no common order."""
    text = re.sub(r"sha256:[0-9a-f]+", "DIGEST", text)
    return sorted((line.strip() for line in text.splitlines() if line.strip()), key=form)


def form(line):
    """A line without its numbers."""
    return NUMBER.sub("N", line)


def numbers(text):
    """The numbers of a text but the minutes that a run is said to take, which depend on the machine."""
    return [float(number) for line in lines(text) if "about" not in line for number in NUMBER.findall(line)]


@pytest.fixture(scope="module")
def tutorial(made_once, tiny):
    return tiny.copy(tiny.root.parent / "tutorial")


def test_the_page_and_its_setting_are_those_of_the_study(tutorial):
    assert [command.split()[0] for command, _ in SHOWN] == ["show", "trace", "audit", "check", "assay"]
    assert PLACE + SETTING in PAGE and PLACE in (tutorial.root / STUDY).read_text()


@pytest.mark.parametrize(
    ("command", "shown"),
    [each for each in SHOWN if each[0] != "audit tiny"],  # test_auditing.py runs it
    ids=lambda value: value.split()[0],
)
def test_a_command_prints_what_the_page_shows(command, shown, tutorial):
    mistake = command == "check tiny"
    if mistake:
        mistyped = PLACE + SETTING.replace("steps", "stepz")
        tutorial.edit(STUDY, PLACE, mistyped)
    if command.startswith("assay"):
        (script,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
        (tutorial.root / "digits_model.py").write_text(script)
        tutorial.run([sys.executable, "digits_model.py"])

    done = tutorial.run(tutorial.touchstone(*command.split()), check=False)
    if mistake:
        tutorial.edit(STUDY, mistyped, PLACE)

    assert done.returncode == mistake
    said = done.stdout + done.stderr
    assert [form(line) for line in lines(said)] == [form(line) for line in lines(shown)]
    assert numbers(said) == pytest.approx(numbers(shown), rel=0.05, abs=0.02)


def test_the_answers_that_the_page_shows_after_a_run_are_those_of_the_study(tutorial):
    head, *shown = ANSWERS.strip().splitlines()

    said = tutorial.run(tutorial.touchstone("show", "tiny")).stdout.splitlines()

    assert head.endswith("The report: reports/tiny/report.html")
    assert shown[-2:] == ["  ...", "More: touchstone show tiny"] and len(shown) > 4
    for page, printed in zip(shown[:-2], said, strict=False):
        assert form(page) == form(printed)
        assert numbers(page) == pytest.approx(numbers(printed), rel=0.05, abs=0.02)


def test_a_number_of_an_earlier_edition_is_seen():
    now, before = "| cnn+msp | 0.998 [0.907, 1.000] |", "| cnn+msp | 0.895 [0.807, 0.930] |"

    assert form(now) == form(before)
    assert numbers(now) != pytest.approx(numbers(before), rel=0.05, abs=0.02)
