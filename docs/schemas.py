"""Write the JSON schemas in src/touchstone/schemas, from which editors complete settings: make tables.

A test fails if a file differs from what the components' signatures and docstrings give.
"""

from __future__ import annotations

from touchstone.schemas import files

if __name__ == "__main__":
    for name, text in files.texts().items():
        path = files.FOLDER / name
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)
            print(f"src/touchstone/schemas/{name} rewritten")
