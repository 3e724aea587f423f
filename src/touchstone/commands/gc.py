"""`touchstone gc STUDY`: list, or delete, files that no study needs and what the action cache holds above its limit."""

from __future__ import annotations

import argparse
import math
from contextlib import nullcontext
from pathlib import Path

from touchstone.commands._command_line import add_study
from touchstone.pipeline.orchestration import locks
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import bundles, sidecar_files
from touchstone.pipeline.provenance.addresses import Address, files_of
from touchstone.pipeline.provenance.cache import Cache, Pruned
from touchstone.pipeline.provenance.folders import files_below
from touchstone.pipeline.settings.study import load

GB = 1e9


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `gc`."""
    add_study(parser)
    parser.add_argument("--delete", action="store_true", help="delete them; without it, they are only listed")
    parser.add_argument("--limit", type=_limit, default=20.0, help="GB that the action cache may hold (default: 20)")


def _limit(text: str) -> float:
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not limit >= 0:  # above NaN is nothing, so the whole cache would go
        raise argparse.ArgumentTypeError(f"{text}: expected a number of GB, 0 or more")
    return limit


def main(options: argparse.Namespace) -> int:
    """List the files, and delete them with --delete; return 3 if another run is active in this folder."""
    try:
        with locks.claimed() if options.delete else nullcontext():
            return collect(options.study, options.limit, options.delete)
    except locks.Busy as error:
        return locks.report_busy(error)


def collect(study: str, limit_gb: float, delete: bool, root: Path = Path()) -> int:
    """List the files that no rule creates and count the unused outputs in the cache; with `delete`, delete both.

    If the cache is still above its limit, its least recently used outputs are included.
    """
    plan = Plan(load(study, root))
    leftovers = left_behind(plan, root)
    for address in leftovers:
        print(address)
    if delete:
        _remove(root, leftovers)
    store = Cache.at(root)
    cached = store.prune(limit_gb * GB, dry=not delete) if store else Pruned(0, 0, 0)
    verb = "removed" if delete else "to remove (--delete does it)"
    held = f"{cached.outputs} cached outputs ({cached.size / GB:.2f} GB)"
    print(f"{len(leftovers)} files, {held} and {cached.entries} cache entries without an output {verb}")
    return 0


def left_behind(plan: Plan, root: Path) -> list[str]:
    """Return the artefacts in the study's folder that no job of the study makes, sorted: files, and members of bundles."""
    current = {task.output for rule, wildcards in plan.jobs() for task in plan.tasks(rule, **wildcards)}
    files, found = set(files_of(current)), list[str]()
    for beside in files_below(root / plan.folder, sidecar_files.SIDECAR):
        file = beside.relative_to(root).as_posix().removesuffix(sidecar_files.SIDECAR)
        if file not in files:
            found.append(file)
        else:
            members = (str(Address(file, member)) for member in sidecar_files.members(root / file))
            found += [address for address in members if address not in current]
    return sorted(found)


def _remove(root: Path, leftovers: list[str]) -> None:
    """Delete files with their sidecars, and write bundles again without the members that are left over."""
    gone = [Address.parse(address) for address in leftovers]
    for file in {place.file for place in gone}:
        path, members = root / file, {place.member for place in gone if place.file == file}
        if members == {""}:
            path.unlink(missing_ok=True)
            sidecar_files.sidecar_path(path).unlink(missing_ok=True)
            continue
        kept = [member for member in sidecar_files.members(path) if member not in members]
        records = {member: sidecar_files.read_sidecar(root / str(Address(file, member))) for member in kept}
        with bundles.written(path) as bundle:
            for member in kept:
                bundle.add(member, bundles.read(path, member))
        sidecar_files.write_bundle_sidecar(path, records)
