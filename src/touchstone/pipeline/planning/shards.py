"""Shards: split the jobs on a large example set, and merge their results.

The number of shards is a setting of the example set, because the number of images is unknown until the set is prepared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from touchstone.pipeline.planning.parts import Rule, Task
from touchstone.pipeline.provenance.addresses import Address

SHARD = "shard"  # the wildcard
PART_STEPS = {"attack": "attack_part"}  # the steps that have a variant for shards


def sharded(rule: Rule) -> list[Rule]:
    """Return the rule that works on one shard, and the rule that gathers the shards."""
    gathering = replace(rule, name=f"gather_{rule.name}", step="gather", gathers=rule.step)
    return [replace(rule, wildcards=(*rule.wildcards, SHARD)), gathering]


def shard_of(file: str, shard: object) -> str:
    """Return the path of one shard of an artefact. A shard is always a whole file, never a member of a bundle.

    The shards of data/STUDY/attacked/SET.safetensors are data/STUDY/shards/attacked/SET/SHARD.safetensors, those of the
    member SET of a bundle data/STUDY/outputs/NET/BATCH.zip are data/STUDY/shards/outputs/NET/BATCH/SET/SHARD.safetensors.
    """
    place = Address.parse(file)
    data, study, rest = place.file.split("/", 2)
    parts = [rest.rpartition(".")[0], *([place.member] if place.member else []), f"{shard}.safetensors"]
    return "/".join([data, study, "shards", *parts])


def on_shard(task: Task, shard: str) -> Task:
    """Return the task for one shard of a task's example set."""
    inputs = task.inputs | {"examples": shard_of(str(task.inputs["examples"]), shard)}
    step = PART_STEPS.get(task.step, task.step)
    return replace(task, step=step, inputs=inputs, output=shard_of(task.output, shard))


def cutting(file: str, shards: int, batch_size: int) -> Iterator[Task]:
    """Yield the tasks that cut an example set, one for each shard."""
    for shard in range(shards):
        settings = {"shard": shard, "shards": shards, "batch_size": batch_size}
        yield Task("cut", {"examples": file}, shard_of(file, shard), settings)


def gathering(task: Task, shards: int) -> Task:
    """Return the task that merges the shards of a task's output."""
    parts: list[str] = [shard_of(task.output, shard) for shard in range(shards)]
    return Task("gather", {"parts": parts}, task.output, {"shards": shards})
