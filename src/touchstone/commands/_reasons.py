"""Why `touchstone check` counts files as still to compute: how their settings or code differ from those that made them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from touchstone.audit.chain_checks import differing
from touchstone.audit.problems import counted
from touchstone.pipeline.planning.parts import Net, Set
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import sidecar_files

MOST, NAMES = 5, 3  # reasons that are listed, and names of changed code in one
MADE_FROM_THESE = "made from what is computed"
REPEATED = ("cells.", "settings.")  # settings of what an evaluation or a report reads, which they repeat


def reasons(plan: Plan, files: Iterable[str]) -> Iterator[str]:
    """Yield why files have to be computed again, the reason of most files first; nothing of files that were never here.

    Args:
        plan: of the study.
        files: which the store lacks.
    """
    found: Counter[str] = Counter()
    codes = plan.codes()
    for file in files:
        task = plan.tasks[file]
        try:
            record = sidecar_files.read_sidecar(Path(file))
        except ValueError:  # it was never made here
            continue
        if sidecar_files.malformed(record):
            continue
        words = differing(record["settings"], task.settings)
        if words.startswith(REPEATED):
            found[MADE_FROM_THESE] += 1
        elif words:
            setting = words.removeprefix("component.").removeprefix("loop.")
            found[f"{_entry(plan, file)}: {setting}"] += 1
        elif record["code"] != codes[file].digest:
            names = codes[file].differences(record["definitions"], record["packages"])
            found[f"other code: {', '.join(names[:NAMES])}{' and more' if len(names) > NAMES else ''}"] += 1
        else:
            found[MADE_FROM_THESE] += 1
    derived = found.pop(MADE_FROM_THESE, 0)
    for reason, number in found.most_common(MOST):
        yield f"{reason} ({counted(number, 'file')})"
    if len(found) > MOST:
        yield f"and {len(found) - MOST} more reasons"
    if found and derived:
        yield f"{MADE_FROM_THESE} ({counted(derived, 'file')})"


def _entry(plan: Plan, file: str) -> str:
    """Return the entry whose settings decide a file, as the study names it."""
    _, about = plan.layout.made_by[file]
    entry = next((one for one in reversed(about) if isinstance(one, str)), about[0] if about else "report")
    if isinstance(entry, Set):
        return entry.translator.rpartition(".")[0] or entry.attack
    return entry.entry if isinstance(entry, Net) else str(entry)
