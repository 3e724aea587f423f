"""The evidence of one call of `evaluate`: its images, the attacked ones, the logits of both, and what it returned."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from touchstone.api.arguments import check_whole
from touchstone.api.attacked_rows import CHECKED
from touchstone.contracts import Model
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.numerics.tensors import batches
from touchstone.provenance import archive
from touchstone.records import encoding
from touchstone.records.nouns import Array, ExampleSet, Outputs

KIND = "evaluation"
SETS = ("clean", "attacked")
SOURCE = "images passed to evaluate()"
ROWS = "rows.csv"  # one line per image: what it was classified as under each attack, 1 for right
COLUMNS = ("image", *CHECKED)
MOST_COPIES = 100  # at most one image in so many, or a single one, may be an exact copy: its interval counts it twice


class Record(NamedTuple):
    """How the images were attacked: with it and the model, whoever has the evidence attacks them in the same way again.

    Attributes:
        steps, restarts, queries: of the suite.
        seed: of all random numbers.
        further: how many attacks of the caller's own ran as well.
        stand_in: whether attacks followed another model, `backward`.
    """

    steps: int
    restarts: int
    queries: int
    seed: int
    further: int = 0
    stand_in: bool = False


LONGEST = Record(1_000, 1_000, 100_000, 2**63 - 1, 1_000, True)  # of an attack that `touchstone verify` repeats


def copies(images: Array) -> Array:
    """Return the rows whose image an earlier row has, too, by the digests of their pixels.

    Args:
        images: (N, C, H, W).
    """
    digests = [hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest() for image in images]
    first: dict[bytes, int] = {}
    return np.array([row for row, digest in enumerate(digests) if first.setdefault(digest, row) != row], np.int64)


def too_many_copies(images: Array) -> str:
    """Return what is wrong if more images are exact copies than an interval can ignore; "" otherwise."""
    rows = copies(images)
    if len(rows) <= max(1, len(images) // MOST_COPIES):
        return ""
    return (
        f"{len(rows):,} of the {len(images):,} images are exact copies of others, such as image {rows[0]}; the intervals"
        " count each as an image of its own"
    )


def check_different(images: Array) -> None:
    """Raise ValueError if there are too many copies among the images (N, C, H, W)."""
    if problem := too_many_copies(images):
        raise ValueError(f"evidence: {problem}: leave the copies out")


def check_repeatable(attack: Record) -> None:
    """Raise TypeError or ValueError if an attack is none that `touchstone verify` repeats."""
    check_whole(0, **attack._asdict())
    for name, value, most in zip(Record._fields, attack, LONGEST, strict=True):
        if value > most:
            raise ValueError(
                f"evidence: {name} is {value:,}, and `touchstone verify` repeats no attack with more than {most:,}:"
                " lower it, or omit evidence"
            )


def write(
    path: Path,
    model: Model,
    images: Tensor,
    labels: Tensor,
    attacked: Tensor,
    *,
    eps: float,
    rows: Mapping[str, Array],
    attack: Record,
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
        rows: One mask (N,) for each name of CHECKED: the checks are computed from them.
        attack: How the images were attacked.
        accuracies: "clean" and "robust".
        failed_checks: Signs that the attacks were too weak.
        batch_size: Images per forward pass.
    """
    files = {ROWS: encode_rows(rows)}
    for name, pixels in zip(SETS, (images, attacked), strict=True):
        with torch.no_grad():
            logits = torch.cat([model(batch) for (batch,) in batches(batch_size, pixels)])
        ids, classes = np.arange(len(pixels)), labels.cpu().numpy()
        examples = ExampleSet(pixels.detach().cpu().float().numpy(), classes, ids, SOURCE)
        files[f"{name}.safetensors"] = encoding.encode(examples)
        files[f"{name}_logits.safetensors"] = encoding.encode(Outputs(logits.float().cpu().numpy(), classes, ids))
    about: dict[str, Any] = {"eps": eps, "norm": "linf", "attack": _plain(attack)}
    about |= {"failed_checks": list(failed_checks)}
    about |= {
        f"{name}_accuracy": {end: getattr(interval, end) for end in ("value", "low", "high")}
        for name, interval in accuracies.items()
    }
    archive.write(path, KIND, about, [(name, lambda data=data: data) for name, data in files.items()])  # type: ignore[misc]


def _plain(attack: Record) -> dict[str, int]:
    """Return a record as JSON has it: integers of numpy are none of Python's."""
    pairs = zip(Record._fields, attack, LONGEST, strict=True)
    return {name: type(most)(value) for name, value, most in pairs}


def encode_rows(rows: Mapping[str, Array]) -> bytes:
    """Return the table of the masks, as CSV that people can read."""
    table = np.stack([rows[name].astype(int) for name in CHECKED], axis=1)
    lines = [",".join(map(str, (image, *line))) for image, line in enumerate(table.tolist())]
    return ("\n".join([",".join(COLUMNS), *lines]) + "\n").encode()


def decode_rows(data: bytes, count: int) -> dict[str, Array]:
    """Return the masks of a table that `encode_rows` wrote, of `count` images.

    Raises:
        ValueError: The table is not one that `encode_rows` writes.
    """
    header, *lines = data.decode("ascii").splitlines()
    if tuple(header.split(",")) != COLUMNS or len(lines) != count:
        raise ValueError(f"expected the columns {', '.join(COLUMNS)} and {count:,} lines")
    cells = np.array([line.split(",")[1:] for line in lines])
    if cells.shape != (count, len(CHECKED)) or not np.isin(cells, ["0", "1"]).all():
        raise ValueError("expected 0 or 1 in every column, for each image")
    rows = dict(zip(CHECKED, (cells == "1").T, strict=True))
    if encode_rows(rows) != data:
        raise ValueError("its images are not in order")
    return rows
