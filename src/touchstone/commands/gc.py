"""`touchstone gc STUDY`: list, or delete, files that no study needs and what the action cache holds above its limit."""

from __future__ import annotations

import argparse
from pathlib import Path

from touchstone.commands._command_line import add_study
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import sidecar_files
from touchstone.pipeline.provenance.cache import Cache, Pruned
from touchstone.pipeline.settings.study import load

GB = 1e9


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `gc`."""
    add_study(parser)
    parser.add_argument("--delete", action="store_true", help="delete them; without it, they are only listed")
    parser.add_argument("--limit", type=float, default=20.0, help="GB that the action cache may hold (default: 20)")


def main(options: argparse.Namespace) -> int:
    """List the files, and delete them with --delete."""
    return collect(options.study, options.limit, options.delete)


def collect(study: str, limit_gb: float, delete: bool, root: Path = Path()) -> int:
    """Print, or delete, files that no rule makes and cached outputs without use.

    Outputs that the cache holds above its limit go too, those that were used longest ago first.
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
