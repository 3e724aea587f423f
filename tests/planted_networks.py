"""Planted two-class networks as plug-in components, and artefacts with sidecars that jobs of a study read."""

from pathlib import Path

import numpy as np

from touchstone.pipeline.provenance import sidecar_files
from touchstone.records.encoding import encode

WEIGHTS = {"slope": np.array([20.0], np.float32)}
PLUGIN = """
import torch
from torch import nn

def sums(images):
    return (images - 0.5).flatten(1).sum(1)

class Planted(nn.Module):
    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor([20.0]))

    def forward(self, images):
        lead = {formula}
        return torch.stack([-lead, lead], 1)

def {name}(input_shape, classes):
    return Planted()
"""


def plant(formulas):
    """Write a network for each {name: formula of the lead of the second class} into ./plugins/models."""
    folder = Path("plugins/models")
    folder.mkdir(parents=True)
    for name, formula in formulas.items():
        (folder / f"{name}.py").write_text(PLUGIN.format(name=name, formula=formula))


def write(file, noun):
    """Write an artefact with the sidecar of one that has no inputs."""
    sidecar_files.write_with_sidecar(Path(file), encode(noun), {"inputs": {}})
