"""`touchstone show ADDRESS`: check an artefact's bytes and print what it holds, also if it is a member of a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors import deserialize

from touchstone.messages import nearest, say
from touchstone.pipeline.auditing.findings import actual_digests, altered_bytes, no_such_file
from touchstone.pipeline.provenance import chain, sidecar_files
from touchstone.pipeline.provenance.addresses import Address

SHOWN = 5  # members of a bundle, before the rest is counted


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `show`."""
    parser.add_argument("address", help="an artefact: data/STUDY/FILE, or FILE.zip#MEMBER of a bundle")
    parser.add_argument("--out", metavar="FILE", help="write the artefact's own bytes to this file")
    parser.add_argument("--all", action="store_true", help="list every member of a bundle")


def main(options: argparse.Namespace) -> int:
    """Print an artefact's step, digest, inputs and arrays, or the members of a bundle.

    Raises:
        ValueError: It is not there, or its bytes were altered.
    """
    address = Address.parse(options.address)
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
