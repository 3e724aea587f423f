"""Every picture of docs/gallery.md is drawn by its own three lines from the report that is in the repository."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READ, *PICTURES = re.findall(r"```python\n(.*?)```", (ROOT / "docs/gallery.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def numbers():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        names = {}
        exec(READ, names)
    return names


def test_there_are_seven_pictures_of_three_lines():
    assert len(PICTURES) == 7 and all(len(ast.parse(lines).body) == 3 for lines in PICTURES)


@pytest.mark.parametrize("lines", PICTURES, ids=lambda lines: re.search(r'"(\w+)\.svg"', lines)[1])
def test_three_lines_draw_a_picture(lines, numbers, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    exec(lines, dict(numbers))

    (picture,) = tmp_path.iterdir()
    assert "<svg" in picture.read_text()[:500]
