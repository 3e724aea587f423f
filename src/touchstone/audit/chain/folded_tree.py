"""What a number rests on, folded: a line for each network and rule, with the seeds and what the jobs made."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from touchstone.messages import listed
from touchstone.provenance.job_folders import job_of, name_of

Group = tuple[str, str]  # a rule, and a network without its seed
WIDTH = 80  # letters of a line
RAW = "raw folder"
NOUNS = {  # of artefacts, by their folder in that of a job
    **{"examples": "example set", "networks": "network", "attacked": "attacked set", "translated": "translated set"},
    **{
        "outputs": "output",
        "margins": "margin file",
        "detectors": "detector",
        "scores": "score file",
        "metrics": "table",
    },
}


def folded_tree(inputs: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Yield the lines of a chain of files, each group of jobs once, below a group that reads it.

    Args:
        inputs: {file: the files that it was made from}, of the whole chain.
    """
    groups: dict[Group, list[str]] = {}
    for file in inputs:
        groups.setdefault(_group(file), []).append(file)
    reads = {
        group: {_group(link) for file in files for link in inputs[file]} - {group} for group, files in groups.items()
    }

    @cache
    def height(group: Group) -> int:
        return 1 + max(map(height, reads[group]), default=0)

    seen: set[Group] = set()

    def below(found: Iterable[Group], depth: int) -> Iterator[str]:
        for group in sorted(found, key=lambda group: (-height(group), group)):
            if group not in seen:
                seen.add(group)
                yield from textwrap.wrap(
                    _line(group, groups[group]),
                    WIDTH,
                    initial_indent="  " * depth,
                    subsequent_indent="  " * (depth + 2),
                )
                yield from below(reads[group], depth + 1)

    yield from below(groups, 1)


def _group(file: str) -> Group:
    rule, job = job_of(file)
    entry, _, seed = job.rpartition(".")
    return rule, entry if seed.isdigit() and entry else job


def _line(group: Group, files: list[str]) -> str:
    rule, entry = group
    seeds = sorted({int(seed) for file in files if (seed := job_of(file)[1].removeprefix(f"{entry}.")).isdigit()})
    counts = Counter(NOUNS.get(name_of(file).partition("/")[0], RAW) for file in files)
    made = listed([f"{count} {noun}{'s' * (count > 1)}" for noun, count in counts.items()])
    return f"{rule} {entry}{_seeds(seeds)}: {made}"


def _seeds(seeds: list[int]) -> str:
    if not seeds:
        return ""
    whole = seeds == list(range(seeds[0], seeds[-1] + 1)) and len(seeds) > 2
    text = f"{seeds[0]} to {seeds[-1]}" if whole else listed([str(seed) for seed in seeds])
    return f", seed{'s' * (len(seeds) > 1)} {text}"
