"""cut: take one shard out of an ExampleSet."""

from __future__ import annotations

from collections.abc import Iterator

from touchstone.contracts import PositiveInt
from touchstone.records.nouns import ContractError
from touchstone.records.rows import Rows, joined


def cut(examples: Rows, *, shard: int, shards: PositiveInt, batch_size: PositiveInt) -> Iterator[bytes]:
    """Take one shard out of a set.

    A shard is a run of consecutive rows. Shards are as equal as whole batches allow: if a batch were cut, an image would
    pass through a network beside other images, and its last bits might differ.

    Args:
        examples: the set.
        shard: which shard, from 0.
        shards: how many there are.
        batch_size: images per batch of the study.

    Returns:
        The bytes of the shard, an ExampleSet, some at a time.

    Raises:
        ContractError: there are fewer batches than shards.
    """
    batches = -(-len(examples) // batch_size)
    if batches < shards:
        raise ContractError(
            f"{examples.path}: {len(examples)} images are {batches} batches of study.batch_size {batch_size}, too few for"
            f" {shards} shards; shards may be from 1 to {batches}"
        )
    first, last = (min(len(examples), batches * part // shards * batch_size) for part in (shard, shard + 1))
    return joined([(examples, first, last)], examples.about)
