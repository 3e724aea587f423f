"""`touchstone show WHAT`: print the verdicts of a finished study, or check an artefact and print what it holds."""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors import deserialize

from touchstone.commands import _number_table, _verdicts
from touchstone.commands._command_line import refuse_unused
from touchstone.messages import nearest, say
from touchstone.pipeline.auditing.findings import altered_bytes, artefacts_named, is_artefact
from touchstone.pipeline.planning.layout import SUFFIX
from touchstone.pipeline.provenance import chain, sidecar_files
from touchstone.pipeline.provenance.job_folders import name_of
from touchstone.pipeline.settings.files import DEFAULT_STUDY
from touchstone.pipeline.settings.study import Study, load


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `show`."""
    parser.add_argument(
        "what",
        nargs="?",
        default=DEFAULT_STUDY,
        help="a study that has run, an artefact by its path or name, or the folder of a job",
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument(
        "--number", nargs="+", metavar="CLAIM", help="of a study: what the verdicts on these claims rest on"
    )
    shown.add_argument("--paper", metavar="PAPER", help="of a study: only the claims of this paper")
    shown.add_argument("--table", nargs=2, metavar=("EVALUATION", "METRIC"),
                       help="of a study: one metric as a table, such as: detection auroc")  # fmt: skip


def main(options: argparse.Namespace) -> int:
    """Print the verdicts of a study, or what an artefact holds.

    Returns 1 if a claim that the study asks for has no figures, else 0. Whether the figures agree with the claims never
    changes the exit code.

    Raises:
        ValueError: The study or the artefact is not there, or the artefact's bytes were altered.
    """
    of_study = {"--number": options.number, "--paper": options.paper, "--table": options.table}
    if is_artefact(options.what):
        typed = {name: value is not None for name, value in of_study.items()}
        refuse_unused(typed, f"is only for a study, and {options.what} is an artefact")
        return _show_artefact(options.what)
    name = Path(options.what).stem
    if not _verdicts.table_of(name).is_file():  # a finished report may be of settings that are gone
        name = load(options.what).name
    if options.number:
        _verdicts.print_in_full(name, options.number)
        return 0
    if options.table:
        print(_number_table.number_table(name, *options.table), end="")
        return 0
    return _verdicts.print_verdicts(name, options.paper and _title(load(options.what), options.paper))


def _title(study: Study, paper: str) -> str:
    """Return the title of one of a study's papers."""
    papers = study["papers"]
    if paper not in papers:
        raise ValueError(
            f"--paper {paper}: {study.name} has no such paper; it has {', '.join(papers)}.{nearest(paper, papers)}"
        )
    return str(papers[paper]["name"])


def _show_artefact(what: str) -> int:
    """Print an artefact's step, digest, inputs and arrays, or the names of the artefacts of a job."""
    files = artefacts_named(what)
    if len(files) > 1:
        say(*map(name_of, files))
        return 0
    path = Path(files[0])
    record = sidecar_files.read_sidecar(path)
    if not path.exists():
        raise ValueError(f"{path}: is missing; run the study again")
    if problem := altered_bytes(sidecar_files.artefact_digest(path), record):
        raise ValueError(
            f"{path}: ALTERED: {problem}; delete {sidecar_files.sidecar_path(path).parent} and run the study again"
        )
    say(f"{path}  {record['artefact']}")
    say(f"step: {record['step']}")
    for link in chain.links(record):
        say(f"from: {link['file']}")
    if path.suffix == SUFFIX:
        for name, array in sorted(deserialize(path.read_bytes())):  # type: ignore[no-untyped-call]
            say(f"array: {name} {array['dtype']} {array['shape']}")
    return 0
