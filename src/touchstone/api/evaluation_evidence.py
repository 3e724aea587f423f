"""The evidence of one call of `evaluate`: its images, the attacked ones, the logits of both, and what it returned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from touchstone.contracts import Model
from touchstone.evidence_files import archive
from touchstone.numerics.tensors import batches
from touchstone.records import encoding
from touchstone.records.nouns import ExampleSet, Outputs
from touchstone.statistics.intervals import Interval

KIND = "evaluation"
SETS = ("clean", "attacked")
SOURCE = "images passed to evaluate()"


def write(
    path: Path,
    model: Model,
    images: Tensor,
    labels: Tensor,
    attacked: Tensor,
    *,
    eps: float,
    accuracies: dict[str, Interval],
    failed_checks: Sequence[str],
    batch_size: int,
) -> None:
    """Write the evidence of an evaluation. The model itself is not in it: a verifier needs the model from elsewhere.

    Args:
        path: The file to write.
        model: Images to logits, in eval mode.
        images: (N, C, H, W) in [0, 1].
        labels: (N,).
        attacked: The worst image found for each row, (N, C, H, W).
        eps: Radius of the attacks (L-inf).
        accuracies: "clean" and "robust".
        failed_checks: Signs that the attacks were too weak.
        batch_size: Images per forward pass.
    """
    files = {}
    for name, rows in zip(SETS, (images, attacked), strict=True):
        with torch.no_grad():
            logits = torch.cat([model(batch) for (batch,) in batches(batch_size, rows)])
        ids, classes = np.arange(len(rows)), labels.cpu().numpy()
        examples = ExampleSet(rows.detach().cpu().float().numpy(), classes, ids, SOURCE)
        files[f"{name}.safetensors"] = encoding.encode(examples)
        files[f"{name}_logits.safetensors"] = encoding.encode(Outputs(logits.float().cpu().numpy(), classes, ids))
    about: dict[str, Any] = {"eps": eps, "norm": "linf", "failed_checks": list(failed_checks)}
    about |= {
        f"{name}_accuracy": {end: getattr(interval, end) for end in ("value", "low", "high")}
        for name, interval in accuracies.items()
    }
    archive.write(path, KIND, about, [(name, lambda data=data: data) for name, data in files.items()])  # type: ignore[misc]
