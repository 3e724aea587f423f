"""`python -m touchstone.settings.schemas FOLDER`: write JSON schemas, by which editors complete and check settings."""

from __future__ import annotations

import sys
from pathlib import Path

from touchstone.settings.schemas import files

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m touchstone.settings.schemas FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.texts().items():
        (folder / name).write_text(text, encoding="utf-8")
        print(folder / name)
