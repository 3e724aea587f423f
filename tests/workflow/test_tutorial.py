"""docs/tutorial.md: its commands work on the tiny study, and print what the page shows, but for numbers and digests."""

import re
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/tutorial.md").read_text()
SHOWN = re.findall(r"```console\n\$ touchstone ([^\n]*)\n(.*?)```", PAGE, re.DOTALL)
SETTING = ("workflow/studies/tiny.yaml", "pgd: {steps: 5, restarts: 1}")


def form(text):
    """The lines of a text without digests and numbers, sorted, because two streams have no common order."""
    text = re.sub(r"sha256:[0-9a-f]+", "DIGEST", text)
    return sorted(re.sub(r"\d+(?:\.\d+)?", "N", line).strip() for line in text.splitlines() if line.strip())


@pytest.fixture(scope="module")
def tutorial(made_once, tiny):
    return tiny.copy(tiny.root.parent / "tutorial")


def test_the_page_and_its_setting_are_those_of_the_study(tutorial):
    assert [command.split()[0] for command, _ in SHOWN] == ["show", "trace", "audit", "check", "assay"]
    assert SETTING[1] in PAGE and SETTING[1] in (tutorial.root / SETTING[0]).read_text()


@pytest.mark.parametrize(
    ("command", "shown"),
    [each for each in SHOWN if each[0] != "audit tiny"],  # test_auditing.py runs it
    ids=lambda value: value.split()[0],
)
def test_a_command_prints_what_the_page_shows(command, shown, tutorial):
    mistake = command == "check tiny"
    if mistake:
        tutorial.edit(*SETTING, "pgd: {stepz: 10, restarts: 1}")
    if command.startswith("assay"):
        (script,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
        (tutorial.root / "digits_model.py").write_text(script)
        tutorial.run([sys.executable, "digits_model.py"])

    done = tutorial.run(tutorial.touchstone(*command.split()), check=False)
    if mistake:
        tutorial.edit(SETTING[0], "pgd: {stepz: 10, restarts: 1}", SETTING[1])

    assert done.returncode == mistake
    assert form(done.stdout + done.stderr) == form(shown)
