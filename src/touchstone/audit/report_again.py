"""Build the report of one's own finished study again; in another process, while its chain is checked."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from threadpoolctl import threadpool_limits

from touchstone.audit.chain.findings import Finding
from touchstone.audit.chain.report_pages import first_difference
from touchstone.audit.problems import UNREADABLE
from touchstone.audit.recomputation import Recomputation
from touchstone.audit.selection import Selection
from touchstone.messages import first_line
from touchstone.pipeline.jobs.results import run_report
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import sidecar_files


def of_own_study(plan: Plan, root: Path, scratch: Path) -> Recomputation:
    """Return what computes files of a finished study in its project again.

    Args:
        plan: The plan of the study.
        root: The project's folder, where all inputs lie.
        scratch: An empty folder, in which everything is computed.
    """
    raw = {Path(file).name: root / file for file in plan.layout.raw_folders}
    return Recomputation(Selection(plan), root, None, raw, scratch=scratch)


@contextmanager
def begun(plan: Plan, root: Path = Path()) -> Iterator[Callable[[], list[Finding]]]:
    """Build a report again in another process while the block runs.

    Yields:
        A function that waits for it and returns what `rebuild` returned there, or raises what it raised.
    """
    receiver, sender = get_context("fork").Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="touchstone-audit-") as scratch:
        process = get_context("fork").Process(
            target=_send, args=(sender, plan, root.resolve(), Path(scratch)), daemon=True
        )
        process.start()
        sender.close()

        def wait() -> list[Finding]:
            try:
                result: list[Finding] | Exception = receiver.recv()
            except EOFError:
                raise ChildProcessError("the process that built the report again was ended") from None
            if isinstance(result, Exception):
                raise result
            return result

        try:
            yield wait
        finally:
            process.kill()
            process.join()


def _send(sender: Connection, plan: Plan, root: Path, scratch: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the other process, too, which ends this one
    try:
        sender.send(rebuild(plan, root, scratch))
    except (ValueError, OSError) as error:  # which the command line puts into words
        sender.send(error)


def rebuild(plan: Plan, root: Path, scratch: Path) -> list[Finding]:
    """Build a report again, and return the pages that differ.

    In another environment a difference proves nothing, so the finding is marked as unchecked.

    Args:
        plan: The plan of the study.
        root: The project's folder, where all inputs lie.
        scratch: An empty folder, for the report.
    """
    page = plan.layout.page
    task, reader, findings = plan.tasks[page], of_own_study(plan, root, scratch), []
    try:
        elsewhere = ", ".join(reader.elsewhere(task))
        with chdir(scratch), threadpool_limits(1):
            run_report(reader.job(task))  # not by way of the other steps, which import torch
    except UNREADABLE as error:
        return [Finding(page, f"could not be recomputed: {first_line(error)}", unchecked=True)]
    where = f" in another environment ({elsewhere})" if elsewhere else ""
    records = (sidecar_files.read_sidecar(folder / page) for folder in (root, scratch))
    for name in sorted({name for record in records for name in record.get("pages", ())}):
        place = Path(page).parent / name
        first, second = (path.read_bytes() if path.is_file() else b"" for path in (root / place, scratch / place))
        if first != second:
            problem = f"is not what the chain gives{where}: {first_difference(name, first, second)}"
            findings.append(Finding(place.as_posix(), problem, unchecked=bool(elsewhere)))
    return findings
