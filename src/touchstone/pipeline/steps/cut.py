"""cut: take one shard out of an ExampleSet."""

from __future__ import annotations

from collections.abc import Iterator

from touchstone.contracts import PositiveInt
from touchstone.records.nouns import ContractError
from touchstone.records.rows import Rows, joined


def cut(examples: Rows, *, shard: int, shards: PositiveInt, batch_size: PositiveInt) -> Iterator[bytes]:
    """Return the bytes of an ExampleSet that is one of `shards` parts of `examples`, counted from 0, some at a time.

    Parts are rows in a row, as equal as whole batches allow: cut within a batch, the same image would go through a network
    in other company, and its last bits may differ. ContractError where there are fewer batches than shards.
    """
    batches = -(-len(examples) // batch_size)
    if batches < shards:
        raise ContractError(
            f"{examples.path}: {len(examples)} images are {batches} batches of study.batch_size {batch_size}, too few for"
            f" {shards} shards; shards may be from 1 to {batches}"
        )
    first, last = (min(len(examples), batches * part // shards * batch_size) for part in (shard, shard + 1))
    return joined([(examples, first, last)], examples.about)
