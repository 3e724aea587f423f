"""gather: join the shards of an artefact into the bytes that one job would have written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from touchstone.records.nouns import ContractError
from touchstone.records.rows import Rows, joined

PASSES = "passes"  # of an attacked shard: through the network, in whole numbers
SHARES = ("no_score_gradient_clean", "no_score_gradient")  # of the images of an attacked shard


def gather(parts: Sequence[Rows]) -> Iterator[bytes]:
    """Join the rows of shards, in their order.

    Args:
        parts: the shards.

    Returns:
        The bytes of the artefact, some at a time. An attack's notes that are means over images cover all images.

    Raises:
        ContractError: an example is in two shards, or shards differ in what they have in common.
    """
    ids = np.concatenate(
        [np.frombuffer(b"".join(part.values("example_ids", 0, len(part))), np.int64) for part in parts]
    )
    if len(np.unique(ids)) < len(ids):
        raise ContractError(f"{parts[0].path}: an example of it stands in another shard too")
    about = _said_alike(parts)
    if "notes" in about:
        about["notes"] |= _noted_of_all(parts)
    return joined([(part, 0, len(part)) for part in parts], about)


def _said_alike(parts: Sequence[Rows]) -> dict[str, Any]:
    """Return the facts that all shards share, without those that are measured on their own images."""
    said = []
    for part in parts:
        notes = {key: value for key, value in part.about.get("notes", {}).items() if key not in _measured(part)}
        said.append(part.about | ({"notes": notes} if "notes" in part.about else {}))
        if said[-1] != said[0]:
            raise ContractError(f"{part.path}: does not say of its images what {parts[0].path} says of its own")
    return said[0]


def _measured(part: Rows) -> tuple[str, ...]:
    attacked = PASSES in part.about.get("notes", {})
    return (PASSES, "forward_passes", "gradient_passes", *SHARES) if attacked else ()


def _noted_of_all(parts: Sequence[Rows]) -> dict[str, float]:
    """Return the attack's notes about the whole set, from the notes of its shards and rounded as the attack does."""
    notes, counts = [part.about["notes"] for part in parts], [len(part) for part in parts]
    if PASSES not in notes[0]:
        return {}
    total = sum(counts)
    told = {
        f"{kind}_passes": round(sum(note[PASSES][kind] for note in notes) / total, 3)
        for kind in ("forward", "gradient")
    }
    for name in (name for name in SHARES if name in notes[0]):
        # A share of at most 800,000 images gives their number back, even if it is rounded to 6 digits. The attack step
        # computes this mean in float32.
        images = sum(round(note[name] * count) for note, count in zip(notes, counts, strict=True))
        told[name] = round(float(np.float32(images) / np.float32(total)), 6)
    return told
