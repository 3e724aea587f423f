"""docs/tutorial.md: its commands work on the tiny study, and print what the page shows, but for numbers and digests."""

import re
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/tutorial.md").read_text()
SHOWN = re.findall(r"```console\n\$ touchstone ([^\n]*)\n(.*?)```", PAGE, re.DOTALL)
STUDY, PLACE, SETTING = "workflow/studies/tiny.yaml", "change:\n", "  attacks: {pgd: {steps: 10}}\n"


def form(text):
    """The lines of a text without digests and numbers, sorted, because two streams have no common order."""
    text = re.sub(r"sha256:[0-9a-f]+", "DIGEST", text)
    return sorted(re.sub(r"\d+(?:\.\d+)?", "N", line).strip() for line in text.splitlines() if line.strip())


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
    assert form(done.stdout + done.stderr) == form(shown)
