"""Check what the evidence of `evaluate` states of each image, and compute the checks of its attacks again from that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from touchstone.api.evaluation_checks import failed
from touchstone.api.evaluation_evidence import ROWS, decode_rows
from touchstone.audit.problems import BYTES, RECOMPUTATION, Result, counted
from touchstone.records.nouns import Array, ExampleSet

# What no attack can do: {name of the mask: the mask that it lies in, by how `evaluate` computes both}.
WITHIN = (
    *((each, "clean") for each in ("white_box", "single_step", "noise")),
    ("black_box", "white_box"),
    *(("robust", each) for each in ("black_box", "single_step", "noise")),
    ("large_eps", "robust"),
)


def read(folder: Path, count: int, result: Result) -> dict[str, Array] | None:
    """Return the masks of an unpacked evidence file, None if there are none.

    Args:
        folder: The unpacked evidence.
        count: The number of its images.
        result: Receives the problem.
    """
    with result.reading(BYTES, ROWS, "cannot be read"):
        return decode_rows((folder / ROWS).read_bytes(), count)
    return None


def check(
    rows: dict[str, Array],
    right: dict[str, Array],
    sets: tuple[ExampleSet, ExampleSet],
    further: int,
    result: Result,
) -> None:
    """Check the masks against the predictions, the images and one another.

    Args:
        rows: The stated masks.
        right: Which predictions are right, "clean" and "attacked".
        sets: The clean images and the attacked ones.
        further: How many attacks of the author's own ran as well.
        result: Receives the problems.
    """
    expected = {"clean": right["clean"], "robust": right["clean"] & right["attacked"]}
    wrong = {f"{name} is not what the predictions say": rows[name] != mask for name, mask in expected.items()}
    wrong |= {f"right in {part} and wrong in {whole}": rows[part] & ~rows[whole] for part, whole in WITHIN}
    wrong["wrong in robust, but no loss rises"] = ~rows["robust"] & ~rows["loss_rises"]
    if not further:
        every = rows["black_box"] & rows["single_step"] & rows["noise"]
        wrong["wrong in robust, and no attack fooled it"] = every & ~rows["robust"]
    moved = (sets[0].images != sets[1].images).any(axis=(1, 2, 3))
    wrong["robust and not moved by the attack, yet its loss rises"] = rows["robust"] & ~moved & rows["loss_rises"]
    for what, mask in wrong.items():
        if mask.any():
            result.add(
                RECOMPUTATION, ROWS, f"{counted(int(mask.sum()), 'image')}, first image {np.argmax(mask)}: {what}"
            )


def check_checks(about: dict[str, Any], rows: dict[str, Array], result: Result) -> tuple[str, ...]:
    """Compute the checks of the attacks again, and compare those that failed with those that the author lists.

    Args:
        about: What the evidence says.
        rows: The masks.
        result: Receives the problem.

    Returns:
        The checks that failed, in words.
    """
    computed = failed({name: float(mask.mean()) for name, mask in rows.items()}, noise=0.0)
    stated = about.get("failed_checks")
    if stated != list(computed):
        listed = "; ".join(computed) or "none"
        said = "; ".join(map(str, stated)) if isinstance(stated, list) else repr(stated)
        result.add(RECOMPUTATION, "failed_checks", f"its author says {said[:200] or 'none'!r}; {ROWS} gives {listed!r}")
    return computed
