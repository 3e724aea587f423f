"""Which code built an artefact, if it is not the code here. A report in git may be older than the code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from touchstone.audit.chain.findings import Finding
from touchstone.messages import printable
from touchstone.provenance import code, git, sidecar_files
from touchstone.provenance.sidecar_files import Record

BUILT = "built by other code: "
SHOWN = 5  # names of changed code in one sentence


Codes = dict[tuple[code.Node, ...], code.Code]  # by the definitions that a task starts from


def names(record: Record, here: Codes) -> list[str]:
    """Return the definitions and packages by which an artefact was built and that are others here.

    Args:
        record: Of the artefact, of the right form.
        here: The code here, as far as it was read. What this record needs is added.
    """
    roots = code.roots(record["step"], record["settings"])
    if roots not in here:
        here[roots] = code.code_from(roots)
    found = here[roots]
    return [] if found.digest == record["code"] else found.differences(record["definitions"], record["packages"])


def notes(records: Iterable[tuple[str, Record]], root: Path) -> Iterator[Finding]:
    """Yield a note for each artefact that was built by other code than the code here.

    Args:
        records: Pairs of an artefact and its record. Malformed records are skipped, because other checks report them.
        root: The project's folder. Its history may contain that code.
    """
    here: Codes = {}
    for file, record in records:
        if sidecar_files.malformed(record):
            continue
        try:
            changed = names(record, here)
        except RecursionError:
            problem = "cannot be compared with the code here: its settings are nested too deeply"
            yield Finding(file, problem, unchecked=True)
            continue
        if changed:
            more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
            shown = printable(", ".join(changed[:SHOWN]))
            commit = _commit(root, {name: record["definitions"].get(name) for name in changed})
            origin = f"that code is in commit {commit}" if commit else "that code is in no commit here"
            yield Finding(file, f"{BUILT}{shown}{more}; {origin}", note=True)


def _commit(root: Path, files: dict[str, str | None]) -> str | None:
    """Return the newest commit with this code and its date; None if there is none, or a record was forged."""
    if not all(name.isprintable() and isinstance(digest, str | None) for name, digest in files.items()):
        return None
    return git.commit_of_code(root, tuple(files.items()))
