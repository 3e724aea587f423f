"""A torch.export program or a TorchScript file, stored whole."""

from __future__ import annotations

from pathlib import Path

from touchstone.data.ingest.raw_files import read_bytes
from touchstone.models.networks.programs import PROGRAM, as_bytes
from touchstone.records.nouns import Array


def program_file(folder: Path, *, file: str = "weights.pt") -> dict[str, Array]:
    """Return {"program": bytes} of a torch.export program or a TorchScript file.

    For `model: {use: program_file, trust_code: true}`. DamagedFile if the file is missing or empty.
    """
    return {PROGRAM: as_bytes(read_bytes(folder / file))}
