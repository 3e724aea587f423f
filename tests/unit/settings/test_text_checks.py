"""Texts that no reader of a report could read, and addresses with a password, are refused."""

import pytest

from projects import study_text
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load
from touchstone.settings.text_checks import hidden_letter

FILE = {"use": "download", "sha256": "sha256:" + "0" * 64, "licence": "MIT", "citation": "A. Author"}
FLOWERS = {"use": "own_images", "source": "mine", "labelled": False, "height": 28, "width": 28, "colour": "gray"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"title": "My\u202estudy"}, "title: holds '\\u202e', which nobody would see"),
        (
            {"change": {"evaluations": {"robustness": {"question": "\u200b"}}}},
            "change.evaluations.robustness.question: holds '\\u200b', which nobody would see",
        ),
        (
            {
                "data": {
                    "sources": {"mine": FILE | {"url": "https://me:secret@example.org/flowers.zip"}},
                    "ood_far": ["textures", {"flowers": FLOWERS}],
                }
            },
            "data.sources.mine.url: has a password, which every report and record would show",
        ),
        ({"change": {"claims": {"F2": " "}}}, "change.claims.F2: expected its roles, or a text that says why"),
        ({"change": {"groups": {"test": "digits_test"}}}, "change.groups.test: is a data role; write it in data"),
    ],
    ids=["a title turned round", "an invisible question", "a password", "a blank reason", "a role among groups"],
)
def test_a_text_that_says_nothing_is_refused(tmp_path, changes, message):
    path = tmp_path / "mine.yaml"
    path.write_text(study_text("digits", **changes))

    with pytest.raises(ParamsError) as error:
        load(str(path))

    assert any(message in line and line.startswith(f"{path}:") for line in str(error.value).splitlines()), error.value


def test_letters_of_any_script_and_ends_of_lines_are_visible():
    assert hidden_letter("Ziffern, 数字,\n\tأرقام – «0»") == ""
    assert hidden_letter("a\x07") == "'\\x07'"
