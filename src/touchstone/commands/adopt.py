"""`touchstone adopt FILE`: take verified results of another machine into a study of this project."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from touchstone import parsed_files
from touchstone.commands._command_line import raw_folders
from touchstone.numerics import devices
from touchstone.pipeline.orchestration import locks
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.study import load


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `adopt`."""
    parser.add_argument("file", help="evidence of all claims of the study, with weights")
    parser.add_argument("--study", metavar="STUDY", help="the study here (default: the one with the same name)")
    parser.add_argument("--trust-code", action="store_true", help="run networks whose code is in their file")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="what verifying computes on")
    parser.set_defaults(threads=1)  # it computes in the environment of jobs


def main(options: argparse.Namespace) -> int:
    """Adopt the evidence; return 1 if it is not verified, 3 if another run is active in this folder."""
    parsed_files.distrust()
    try:
        with locks.claimed():
            return _adopt(options)
    except locks.Busy as error:
        return locks.report_busy(error)


def _adopt(options: argparse.Namespace) -> int:
    """Verify the evidence, and write its results to the store.

    The clean sets are prepared again from the raw files here. Otherwise labels that were swapped everywhere would be
    adopted.
    """
    from touchstone.evidence import adoption, verification
    from touchstone.evidence.problems import counted
    from touchstone.evidence.selection import Selection
    from touchstone.evidence.study_evidence import about_study
    from touchstone.evidence_files import archive

    path = Path(options.file)
    devices.check_option(options.device)
    about = about_study(archive.read_manifest(path))
    study = load(options.study or about["study"])
    if study.name != about["study"]:
        raise ValueError(f"{path}: is of the study {about['study']}, not of {study.name}")
    if about["claims"]:
        raise ValueError(f"{path}: is of some claims only; adopting needs the evidence of the whole study")
    selection, raw = Selection(Plan(study)), raw_folders(None)
    adoption.check_raw(selection, raw)
    with tempfile.TemporaryDirectory(prefix="touchstone-adopt-") as name:
        brought = verification.Options(study=study, raw=raw, device=options.device, trust_code=options.trust_code)
        result = verification.verify(path, brought, Path(name))
        if result.problems or result.unchecked:
            print("\n".join([*map(str, result.problems), *result.unchecked]))
            print(f"{path}: nothing was adopted, because it could not be verified")
            return 1
        written = adoption.adopt(selection, Path(name), result.evidence)
    print(f"{counted(written, 'result')} adopted from {path} ({result.evidence})")
    print(f"touchstone run {study.name} computes what is left")
    return 0
