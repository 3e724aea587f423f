"""A TorchScript file, stored whole."""

from __future__ import annotations

from pathlib import Path

from touchstone.ingest.raw_files import read_bytes
from touchstone.network_files import trust
from touchstone.network_files.programs import GRAPH, as_bytes
from touchstone.records.encoding import DamagedFile
from touchstone.records.nouns import Array


def torchscript(folder: Path, *, file: str = "weights.pt") -> dict[str, Array]:
    """Return {"program": bytes} of a TorchScript file.

    For `model: {use: torchscript_program}`. TorchScript runs code, so the user must have trusted this file on this
    machine (`touchstone assay FILE --trust-code`). DamagedFile otherwise, and if the file is missing or empty.
    """
    data = read_bytes(folder / file)
    if not trust.trusted(data):
        raise DamagedFile(f"{folder / file}: {trust.refusal(data)}")
    return {GRAPH: as_bytes(data)}
