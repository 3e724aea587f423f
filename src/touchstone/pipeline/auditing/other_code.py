"""Which code built an artefact, if it is not the code here. A report in git may be older than the code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from touchstone import plugins
from touchstone.pipeline.auditing.findings import Finding
from touchstone.pipeline.planning.plan import roots_of
from touchstone.pipeline.provenance import code, git, sidecar_files
from touchstone.pipeline.provenance.sidecar_files import Record
from touchstone.pipeline.settings.files import printable

BUILT = "built by other code: "
SHOWN = 5  # names of changed code in one sentence
ROOT = re.compile(r"\w+(/\w+)*\.py")  # a record that somebody sent may name any path


def changed_code(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names whose digests differ, or that only one of two results of `code.code_files` has."""
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def names(record: Record, code_of: Callable[[tuple[str, ...]], dict[str, str]] = code.code_files) -> list[str]:
    """Return the code by which an artefact was built and that is other code here.

    Args:
        record: Of the artefact, of the right form.
        code_of: What returns today's code of some roots.
    """
    roots = roots_of(record["step"], [record["settings"]])
    here = (root for root in roots if ROOT.fullmatch(root) and plugins.located(root, code.PACKAGE) is not None)
    return changed_code(record["files"], code_of(tuple(here)))


def notes(records: Iterable[tuple[str, Record]], root: Path) -> Iterator[Finding]:
    """Yield a note for each artefact that was built by other code than the code here.

    Args:
        records: Pairs of an artefact and its record. Malformed records are skipped, because other checks report them.
        root: The project's folder. Its history may contain that code.
    """
    code_of = cache(code.code_files)  # many artefacts start from the same files
    for file, record in records:
        if sidecar_files.malformed(record):
            continue
        try:
            changed = names(record, code_of)
        except RecursionError:
            problem = "cannot be compared with the code here: its settings are nested too deeply"
            yield Finding(file, problem, unchecked=True)
            continue
        if changed:
            more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
            shown = printable(", ".join(changed[:SHOWN]))
            commit = _commit(root, {name: record["files"].get(name) for name in changed})
            origin = f"that code is in commit {commit}" if commit else "that code is in no commit here"
            yield Finding(file, f"{BUILT}{shown}{more}; {origin}", note=True)


def _commit(root: Path, files: dict[str, str | None]) -> str | None:
    """Return the newest commit with this code and its date; None if there is none, or a record was forged."""
    if not all(name.isprintable() and isinstance(digest, str | None) for name, digest in files.items()):
        return None
    return git.commit_of_code(root, tuple(files.items()))
