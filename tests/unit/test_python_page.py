"""docs/python.md: the lines that draw a picture draw it from the report that is in the repository."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_lines_of_the_page_draw_a_picture(tmp_path, monkeypatch):
    names: dict[str, object] = {}
    read, draw = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text(), re.DOTALL)
    monkeypatch.chdir(ROOT)
    exec(read, names)
    monkeypatch.chdir(tmp_path)

    exec(draw, names)

    (picture,) = tmp_path.iterdir()
    assert "<svg" in picture.read_text()[:500]
