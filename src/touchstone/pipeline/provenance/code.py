"""Digests of the code of steps and components, imports included.

Comments and docstrings do not count.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from touchstone import plugins
from touchstone.digests import canonical, file_digest, sha256
from touchstone.pipeline.provenance import parsed_code

PACKAGE = plugins.PACKAGE
# It determines the bytes of every artefact. Whole files are written by records/streams.py, which is in no job's digest;
# tests/unit/records/test_streams.py checks that it writes the same bytes.
ALWAYS = "records/encoding.py"
CPU_PATHS = "numerics/cpu_paths.py"  # its pins determine the last bits of every number
# These files are not Python, so no import leads to them. The page depends on them.
TEMPLATES = {"report/page.py": "report/templates"}


def source_digest(source: bytes) -> str:
    """Return the digest of a Python file's code without its comments and docstrings.

    Raises:
        SyntaxError: The bytes are not Python code.
    """
    return parsed_code.digest_of(ast.parse(source))


@cache
def _parsed(path: Path, stamp: int) -> tuple[str, tuple[str, ...]]:
    """Return the digest of a file's code, and the package files that it imports."""
    try:
        digest, modules = parsed_code.parsed(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    files = (Path(*module.split(".")[1:]).with_suffix(".py").as_posix() for module in modules)
    return digest, tuple(file for file in files if plugins.located(file, PACKAGE) is not None)


def code_files(roots: Iterable[str]) -> dict[str, str]:
    """Return {file: digest of its code} of the roots and their imports."""
    waiting, digests = [ALWAYS, *roots], {}
    while waiting:
        name = waiting.pop()
        if name in digests:
            continue
        path = plugins.located(name, PACKAGE) or PACKAGE / name
        digests[name], imports = _parsed(path, path.stat().st_mtime_ns)
        waiting.extend(imports)
        if name in TEMPLATES:
            for template in sorted((PACKAGE / TEMPLATES[name]).iterdir()):
                if template.is_file() and template.suffix != ".py":
                    digests[f"{TEMPLATES[name]}/{template.name}"] = file_digest(template)
    parsed_code.save()
    return dict(sorted(digests.items()))


def code_digest(files: dict[str, str]) -> str:
    """Return one digest of the result of `code_files`."""
    return sha256(canonical(files).encode())


def computes(step: str) -> bool:
    """Return whether a step computes numbers.

    If so, its output may depend on the processor.
    """
    return step != "fetch"


def roots(step: str, settings: object) -> list[str]:
    """Return the code files that a job starts from.

    These are its step, its components and the pinned CPU paths.
    """
    pins = [CPU_PATHS] if computes(step) else []
    return [f"pipeline/steps/{step}.py", *sorted(f"{use}.py" for use in set(uses(settings))), *pins]


def uses(value: object) -> Iterator[str]:
    """Yield every `use:` in a value, however deep."""
    if isinstance(value, dict):
        if isinstance(value.get("use"), str):
            yield value["use"]
        for item in value.values():
            yield from uses(item)
    elif isinstance(value, list):
        for item in value:
            yield from uses(item)
