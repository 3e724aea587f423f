"""Planted two-class networks as plug-in components, and artefacts with sidecars that jobs of a study read."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from touchstone.digests import sha256
from touchstone.pipeline.jobs import job_plan, run
from touchstone.pipeline.jobs.artefacts import Artefacts
from touchstone.pipeline.planning.parts import FOLDER
from touchstone.provenance import sidecar_files
from touchstone.provenance.code import code_of
from touchstone.provenance.store import Store
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
    Path(file).write_bytes(data := encode(noun))
    sidecar_files.write_sidecar(Path(file), sha256(data), {"inputs": {}})


def run_task(task):
    """Run a task as a job of a study does, and write its artefact with a sidecar beside it."""
    found = code_of(task.step, task.settings)
    listed = Path(FOLDER, "code", f"{found.digest.removeprefix('sha256:')}.json")
    listed.parent.mkdir(parents=True, exist_ok=True)
    listed.write_text(json.dumps({"definitions": found.definitions, "packages": found.packages}))
    plan = job_plan.JobPlan("own", "measure", "net.0", (replace(task, code=found.digest),), {}, {})
    artefacts = Artefacts(plan, Store("own"))
    run.run(artefacts, Path("logs"))
    made = artefacts.made[task.output]
    Path(task.output).write_bytes(made.path.read_bytes())
    facts = {name: value for name, value in made.record.items() if name != "artefact"}
    sidecar_files.write_sidecar(Path(task.output), made.record["artefact"], facts)
