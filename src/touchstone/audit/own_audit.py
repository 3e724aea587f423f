"""`touchstone audit`: check the chain of a study, compute a sample of it again, and build its report again."""

from __future__ import annotations

import json
import random
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

from touchstone.audit.chain import audit, other_code
from touchstone.audit.chain.findings import Finding, in_short, is_artefact
from touchstone.audit.chain.report_pages import ExpectedRoot
from touchstone.audit.problems import counted
from touchstone.messages import listed, say
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import chain
from touchstone.settings.study import load


def _stated(study: str, expected: ExpectedRoot | None) -> str:
    """Return the root digest of a report, and how it is the expected one."""
    actual = (Path("reports") / study / chain.ROOT).read_text().strip()
    if expected is None:
        comparison = ""
    elif expected.digest == actual:
        comparison = ", which is the one you gave"
    else:
        comparison = f", and {expected.digest} with the processor that you gave: all files have the same bytes"
    return f". Root digest: {actual}{comparison}"


def _counted(findings: list[Finding], wrong: int) -> str:
    """Return how many findings are wrong, and how many others were printed."""
    notes = sum(finding.note for finding in findings)
    unchecked = len(findings) - wrong - notes
    others = [f"{unchecked:,} not checked"] * bool(unchecked) + [counted(notes, "note")] * bool(notes)
    return counted(wrong, "finding") + (f"; besides, {listed(others)}" if others else "")


def _audited_with_data(
    plan: Plan, expected_root: ExpectedRoot | None, quiet: bool, render: bool, recompute: int | None, seed: int
) -> list[Finding]:
    """Return what an audit finds where the study's data is; the arguments are those of `run_audit`."""
    from touchstone.audit import report_again  # it imports scipy

    rebuilds = render and Path(plan.layout.page).exists()
    with report_again.begun(plan) if rebuilds else nullcontext() as rebuilt:
        findings = audit.audit(plan, expected_root=expected_root, quiet=quiet)
        from touchstone.audit import own_study  # it imports torch

        return findings + own_study.check(plan, findings, render, recompute, seed, rebuilt=rebuilt)


def run_audit(
    what: str,
    as_json: bool = False,
    expected_root: ExpectedRoot | None = None,
    render: bool = True,
    recompute: int | None = 0,
    seed: int | None = None,
) -> int:
    """Print the findings of an audit of a study or of one file, as text or as JSON.

    Args:
        what: A study, or an artefact.
        as_json: Whether to print JSON.
        expected_root: The root digest that the report of a study should have; None to compare none.
        render: Whether to rebuild the report of a study.
        recompute: How many other artefacts of a study to compute again; None for as many as take a few seconds.
        seed: The random seed that selects these artefacts; None for a random seed.

    Returns:
        0 if the chain is whole, 1 if something is wrong, chain.PARTLY if nothing is wrong but not everything was checked.
        Notes change nothing.

    Raises:
        ValueError: A sidecar is missing or unreadable.
    """
    if is_artefact(what):
        findings, stated = audit.audit_file(what, quiet=as_json), ""
    else:
        study = load(what)
        plan = Plan(study)
        if not chain.absent(Path(), plan.folder):
            seed = random.randrange(1_000_000) if seed is None else seed
            findings = _audited_with_data(plan, expected_root, as_json, render, recompute, seed)
        else:
            findings = audit.audit(plan, expected_root=expected_root, quiet=as_json)
            if recompute:
                findings.append(Finding(plan.folder, "is not here, so nothing was computed again", unchecked=True))
        stated = "" if any(not finding.note for finding in findings) else _stated(study.name, expected_root)
    wrong = [finding for finding in findings if not (finding.unchecked or finding.note)]
    unchecked = any(finding.unchecked for finding in findings)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        say(*in_short(findings, audit.CREATED, other_code.BUILT))
        if wrong:
            say(_counted(findings, len(wrong)))
        else:
            say("Nothing is wrong, but not everything was checked" if unchecked else f"The chain is whole{stated}")
    return 1 if wrong else chain.PARTLY if unchecked else 0
