"""A torch.export program: graph and weights in one file, read as data."""

from __future__ import annotations

from pathlib import Path

from touchstone.network_files.programs import GRAPH, graph_bytes
from touchstone.network_files.pt2_archive import read_program
from touchstone.records.nouns import Array


def exported_program(folder: Path, *, file: str = "weights.pt") -> dict[str, Array]:
    """Return the weights of a .pt2 program by name, and its graph as "program".

    For `model: {use: exported_program}`. DamagedFile says what is wrong, such as a pickled weight.
    """
    graph, weights = read_program(folder / file)
    return {**weights, GRAPH: graph_bytes(graph)}
