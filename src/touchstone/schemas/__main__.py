"""`python -m touchstone.schemas FOLDER`: write the JSON schemas, by which an editor completes and checks settings files."""

from __future__ import annotations

import sys
from pathlib import Path

from touchstone.schemas import files

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m touchstone.schemas FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.texts().items():
        (folder / name).write_text(text, encoding="utf-8")
        print(folder / name)
