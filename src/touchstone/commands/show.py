"""`touchstone show WHAT`: print the verdicts of a finished study, or check an artefact and print what it holds."""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors import deserialize

from touchstone.commands import _number_table, _verdicts
from touchstone.commands._command_line import refuse_unused
from touchstone.messages import nearest, say
from touchstone.pipeline.auditing.findings import actual_digests, altered_bytes, no_such_file
from touchstone.pipeline.provenance import chain, sidecar_files
from touchstone.pipeline.provenance.addresses import Address
from touchstone.pipeline.settings.files import DEFAULT_STUDY
from touchstone.pipeline.settings.study import Study, load

SHOWN = 5  # members of a bundle, before the rest is counted


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `show`."""
    parser.add_argument(
        "what",
        nargs="?",
        default=DEFAULT_STUDY,
        help="a study that has run, or an artefact: data/STUDY/FILE, FILE.zip#MEMBER",
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument(
        "--number", nargs="+", metavar="CLAIM", help="of a study: what the verdicts on these claims rest on"
    )
    shown.add_argument("--paper", metavar="PAPER", help="of a study: only the claims of this paper")
    shown.add_argument("--table", nargs=2, metavar=("EVALUATION", "METRIC"),
                       help="of a study: one metric as a table, such as: detection auroc")  # fmt: skip
    parser.add_argument("--out", metavar="FILE", help="of an artefact: write its own bytes to this file")
    parser.add_argument("--all", action="store_true", help="of a bundle: list every member")


def main(options: argparse.Namespace) -> int:
    """Print the verdicts of a study, or what an artefact holds.

    Returns 1 if a claim that the study asks for has no figures, else 0. Whether the figures agree with the claims never
    changes the exit code.

    Raises:
        ValueError: The study or the artefact is not there, or the artefact's bytes were altered.
    """
    of_study = {"--number": options.number, "--paper": options.paper, "--table": options.table}
    if _is_artefact(options.what):
        typed = {name: value is not None for name, value in of_study.items()}
        refuse_unused(typed, f"is only for a study, and {options.what} is an artefact")
        return _show_artefact(options)
    typed = {"--out": options.out is not None, "--all": options.all}
    refuse_unused(typed, f"is only for an artefact, and {options.what} is a study")
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


def _is_artefact(what: str) -> bool:
    if "#" in what or sidecar_files.sidecar_path(Path(what)).is_file():
        return True
    return "/" in what and not what.endswith(".yaml")


def _title(study: Study, paper: str) -> str:
    """Return the title of one of a study's papers."""
    papers = study["papers"]
    if paper not in papers:
        raise ValueError(
            f"--paper {paper}: {study.name} has no such paper; it has {', '.join(papers)}.{nearest(paper, papers)}"
        )
    return str(papers[paper]["name"])


def _show_artefact(options: argparse.Namespace) -> int:
    """Print an artefact's step, digest, inputs and arrays, or the members of a bundle."""
    address = Address.parse(options.what)
    path = Path(address.file)
    if not path.exists():
        raise no_such_file(str(path))
    members = sidecar_files.members(path)
    if altered := _altered(path if not address.member else Path(str(address))):
        raise ValueError(altered)
    if members and not address.member:
        if options.out:
            raise ValueError(f"{path}: holds {len(members)} artefacts; name one of them, such as {path}#{members[0]}")
        shown = members if options.all else members[:SHOWN]
        say(*(str(Address(address.file, member)) for member in shown))
        if len(members) > len(shown):
            say(f"and {len(members) - len(shown)} more members (--all lists them)")
        return 0
    if address.member and address.member not in members:
        raise ValueError(f"{path}: has no member {address.member}.{nearest(address.member, members)}")
    artefact = Path(str(address))
    if options.out:
        Path(options.out).write_bytes(sidecar_files.read_artefact(artefact))
        return 0
    record = sidecar_files.read_sidecar(artefact)
    say(f"{address}  {record['artefact']}")
    say(f"step: {record['step']}")
    for link in chain.links(record):
        say(f"from: {link['file']}")
    if address.file.endswith((".safetensors", ".zip")):
        for name, array in sorted(deserialize(sidecar_files.read_artefact(artefact))):  # type: ignore[no-untyped-call]
            say(f"array: {name} {array['dtype']} {array['shape']}")
    return 0


def _altered(artefact: Path) -> str:
    """Return that an artefact's bytes are not those of its sidecar, or ""."""
    if not sidecar_files.exists(artefact):
        return ""
    problem = altered_bytes(actual_digests([artefact], True)[artefact], sidecar_files.read_sidecar(artefact))
    return problem and f"{artefact}: ALTERED: {problem}; delete it and run the study again"
