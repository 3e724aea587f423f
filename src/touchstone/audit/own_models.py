"""A verifier's own copy of a model, in any form that `touchstone assay` opens: whether it gives the stated logits."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from touchstone.assay import program_export, user_models
from touchstone.audit import closeness
from touchstone.audit.problems import RECOMPUTATION, Result, counted
from touchstone.audit.recomputation import Recomputation
from touchstone.audit.selection import Selection
from touchstone.audit.study_evidence import NETWORKS
from touchstone.numerics import tensors
from touchstone.provenance import sidecar_files
from touchstone.records import encoding
from touchstone.records.nouns import Array, Checkpoint, ExampleSet, Outputs

BATCH = 256


def check(
    reader: Recomputation,
    name: str,
    path: Path,
    records: dict[str, dict[str, Any]],
    result: Result,
    *,
    trust_code: bool = False,
) -> None:
    """Check a network of the verifier's own against the one in a study's pack.

    A checkpoint takes the place of the one in the pack. Any other model must give the logits that the pack states.

    Args:
        reader: Of the pack.
        name: Of the network, such as "cnn.0"; "" if the study has only one.
        path: Of the verifier's file.
        records: Of the pack.
        result: Receives what was proved, or the problems.
        trust_code: Whether the file may run its code.

    Raises:
        ValueError: The study has no such network, or the file is no model.
    """
    file = _file_of(reader.selection, name)
    data = path.read_bytes()
    try:
        encoding.decode(data, Checkpoint)
    except ValueError:
        _check_logits(reader, file, path, result, trust_code)
        return
    target = reader.folder / file
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    if (digest := sidecar_files.artefact_digest(target)) != (stated := records.get(file, {}).get("artefact")):
        result.add(RECOMPUTATION, file, f"is another network than {path}: that has digest {digest}, the pack {stated}")


def _file_of(selection: Selection, name: str) -> str:
    every = {Path(each).stem: each for each, task in selection.tasks.items() if task.step in NETWORKS}
    if not name and len(every) == 1:
        return next(iter(every.values()))
    if not name:
        raise ValueError(f"--model: the study has several networks; write NETWORK=FILE with one of {', '.join(every)}")
    if name not in every:
        raise ValueError(f"--model {name}: the study has no such network; it has {', '.join(every)}")
    return every[name]


def _check_logits(reader: Recomputation, file: str, path: Path, result: Result, trust_code: bool) -> None:
    """Check that a model gives the logits that the pack states of the network in a file."""
    tasks, images = reader.selection.tasks, 0
    settings, name, device = tasks[file].settings, Path(file).stem, reader.device or "cpu"
    outputs = [
        output for output in reader.selection.files
        if tasks[output].step == "infer" and tasks[output].inputs.get("checkpoint") == file
        and "translators" not in tasks[output].inputs
    ]  # fmt: skip
    own: nn.Module | None = None
    with tempfile.TemporaryDirectory(prefix="touchstone-model-") as folder:
        for output in outputs:
            pair: tuple[ExampleSet, Outputs] | None = None
            with result.reading(RECOMPUTATION, output, "cannot be read"):
                examples = reader.noun(str(tasks[output].inputs["examples"]), "ExampleSet")
                pair = examples, reader.noun(output, "Outputs")
            if pair is None:
                continue
            if own is None:
                shape = examples.images.shape[1:]
                mean, std = settings.get("mean", [0.0] * shape[0]), settings.get("std", [1.0] * shape[0])
                own = network(str(path), shape, mean, std, Path(folder), device, trust_code=trust_code)
            with result.reading(RECOMPUTATION, output, f"is not what {path} gives"):
                compare(own, *pair, device)
                images += len(examples)
    if own is None:
        raise ValueError(f"--model {path}: the pack holds no logits of {name} to compare it with")
    if images:
        result.proved.append(f"{counted(images, 'prediction')} of {name} are also what {path} gives")


def network(
    model: str,
    shape: Sequence[int],
    mean: Sequence[float],
    std: Sequence[float],
    folder: Path,
    device: str,
    *,
    trust_code: bool = False,
) -> nn.Module:
    """Return a model from a file or of a name, behind its normalisation, in eval mode.

    Args:
        model: What `touchstone assay` takes.
        shape: (C, H, W) of its images.
        mean: Of each channel, in pixels of [0, 1].
        std: Likewise.
        folder: An empty place for its program.
        device: Where to put it.
        trust_code: Whether a file may run its code.

    Raises:
        ValueError: The model cannot be opened.
        FileNotFoundError: There is no such file.
    """
    channels, height, width = shape
    brought = user_models.open_model(model, trust_code=trust_code)
    opened = program_export.put_into_file(brought, (channels, height, width), folder / "model")
    return tensors.with_normalisation(opened.program((channels, height, width)), mean, std).eval().to(device)


def compare(own: nn.Module, examples: ExampleSet, stated: Outputs, device: str) -> closeness.Closeness:
    """Check that a model gives the stated logits of images.

    Args:
        own: The model, from pixels to logits.
        examples: The images.
        stated: What the pack says that it returns.
        device: Where the model is.

    Raises:
        ValueError: Says what differs.
    """
    with torch.no_grad():
        rows = torch.from_numpy(examples.images).to(device)
        logits = torch.cat([own(batch) for (batch,) in tensors.batches(BATCH, rows)]).float().cpu().numpy()
    computed = Outputs(logits, examples.labels, examples.example_ids)
    return closeness.compare(_logits_only(stated), computed)


def _logits_only(stated: Outputs) -> Outputs:
    logits: Array = stated.logits
    return Outputs(logits, stated.labels, stated.example_ids)
