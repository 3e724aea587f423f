"""`touchstone gc`: what left a study, and what the action cache holds too much or to no use. Dry unless told to delete."""

from __future__ import annotations

from pathlib import Path

from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import sidecar_files
from touchstone.pipeline.provenance.cache import Cache, Pruned
from touchstone.pipeline.settings.study import load

GB = 1e9


def collect(study: str, limit_gb: float, delete: bool, root: Path = Path()) -> int:
    """Print the study's files that no rule makes any more, and how much the cache holds that is above its limit or of no
    use; remove it if told.
    """
    plan = Plan(load(study, root))
    leftovers = left_behind(plan, root)
    for file in leftovers:
        print(file)
        if delete:
            (root / file).unlink(missing_ok=True)
            sidecar_files.sidecar_path(root / file).unlink(missing_ok=True)
    store = Cache.at(root)
    cached = store.prune(limit_gb * GB, dry=not delete) if store else Pruned(0, 0, 0)
    verb = "removed" if delete else "to remove (--delete does it)"
    held = f"{cached.outputs} cached outputs ({cached.size / GB:.2f} GB)"
    print(f"{len(leftovers)} files, {held} and {cached.entries} cache entries without an output {verb}")
    return 0


def left_behind(plan: Plan, root: Path) -> list[str]:
    """Return the artefacts in the study's folder that no job of the study makes, sorted."""
    current = {task.output for rule, wildcards in plan.jobs() for task in plan.tasks(rule, **wildcards)}
    sidecars = (root / plan.folder).rglob("*" + sidecar_files.SIDECAR)
    files = (path.relative_to(root).as_posix().removesuffix(sidecar_files.SIDECAR) for path in sidecars)
    return sorted(file for file in files if file not in current)
