"""A torch.export program: graph and weights in one file, read as data and never as code."""

from __future__ import annotations

from pathlib import Path

from touchstone.network_files.programs import GRAPH, graph_bytes
from touchstone.network_files.pt2_archive import read_program
from touchstone.records.nouns import Array


def exported_program(folder: Path, *, file: str = "weights.pt") -> dict[str, Array]:
    """Return the weights of the .pt2 program in `folder`/`file` by name, and as "program" its graph.

    For `model: {use: exported_program}`. DamagedFile says what is wrong, such as a weight that is a pickle.
    """
    graph, weights = read_program(folder / file)
    return {**weights, GRAPH: graph_bytes(graph)}
