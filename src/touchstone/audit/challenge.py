"""Challenge a pack: attack a random sample of its images again, and search for points that its margins deny.

Comparing stored files cannot tell a weak attack from a robust network. So the challenge runs attacks itself, on images that
no author can foresee:

- the attack that each record names, on some images of its set (`attack_reruns`);
- the attack suite, on images that all attacks of one budget left right, where no suite is among these attacks, or only
  one of which no more than its successes could be compared;
- a search for nearer points than the margins, for which every attacked image of the pack counts, too (`nearer_points`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from touchstone import digests
from touchstone.audit import attack_reruns, attacked_again, nearer_points, robust_unions
from touchstone.audit.artefact_checks import MOST_PROBLEMS
from touchstone.audit.attack_reruns import Rerun
from touchstone.audit.nearer_points import Nearer
from touchstone.audit.problems import CHALLENGE, UNREADABLE, Result, counted
from touchstone.audit.recomputation import Recomputation
from touchstone.audit.resting_claims import RestingClaims
from touchstone.evaluations.statistics import intervals
from touchstone.pipeline.planning.parts import Task
from touchstone.records.nouns import Array, LeftOutError

DEFAULT = 1  # image of each attacked set: what the time of its attacks allows, see benchmarks/results/challenge.md
SEARCHED = 8  # times as many images of each network meet the suite, and a search for nearer points


@dataclass
class Counts:
    """What the challenge did, in numbers.

    Attributes:
        sets: Attacked sets of which some images were attacked again.
        by_success: The files of those of which only the successes of the attack were compared.
        absent: Those whose networks or detectors are not in the pack.
        left: Those that were left out after too many findings.
        contradicted: Those that the challenge contradicts.
        images: Images that were attacked again.
        still: Attacked images that equal their clean ones.
        others: Images that came out otherwise, in sets that are not contradicted.
        subjects: Pairs of a network and a set whose margins were compared.
        nearer: Points that are nearer than margins.
        unions: Unions of attacks whose images met the suite.
        met: How many images these are.
        fallen: How many of these the suite fooled.
        seconds: Processor time, by what it was spent on.
    """

    sets: int = 0
    by_success: list[str] = field(default_factory=list)
    absent: int = 0
    left: int = 0
    contradicted: int = 0
    images: int = 0
    still: int = 0
    others: int = 0
    subjects: int = 0
    nearer: list[Nearer] = field(default_factory=list)
    unions: int = 0
    met: int = 0
    fallen: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


def challenge(reader: Recomputation, result: Result, count: int | None = None, seed: int | None = None) -> None:
    """Challenge a pack, and say what was done, what it could have noticed, and what it contradicts.

    Args:
        reader: Of the pack.
        result: Receives sentences and problems.
        count: Images of each attacked set; 0 for no challenge, None for `DEFAULT`.
        seed: Of the sample; None for one from the system.
    """
    count = DEFAULT if count is None else count
    if count == 0:
        strong = "whether the attacks were as strong as their records say"
        result.unchecked.append(f"{strong}: with --challenge 0, none was run again")
        return
    seed = attacked_again.fresh_seed() if seed is None else seed
    random, counts = np.random.default_rng(seed), Counts()
    reader.random = np.random.default_rng(random.integers(2**63))
    claims = RestingClaims(reader.selection, reader.folder)
    for part, run in (("attacks", _attacks), ("margins", _margins), ("suite", _suites)):
        started = time.process_time()
        run(reader, result, count, random, claims, counts)
        counts.seconds[part] = time.process_time() - started
    result.challenged += _sentences(counts, count, seed)
    if counts.left:
        sets = counted(counts.left, "attacked set")
        result.unchecked.append(f"the attacks of the other {sets}: none was run again after {MOST_PROBLEMS} findings")
    if counts.by_success:
        sets = counted(len(counts.by_success), "attacked set")
        result.unchecked.append(
            f"whether the images of {sets}, such as {counts.by_success[0]}, are what the attack returns: a GPU, random"
            " numbers or the last bits decide them. Only its successes were compared, so an attack that fools a tenth more"
            " images than the file shows usually passes"
        )
    if counts.absent:
        sets = counted(counts.absent, "attacked set")
        result.unchecked.append(f"the strength of the attacks of {sets}: the pack lacks their networks or detectors")


def _attacks(
    reader: Recomputation,
    result: Result,
    count: int,
    random: np.random.Generator,
    claims: RestingClaims,
    counts: Counts,
) -> None:
    found: dict[str, Rerun | None] = {}
    for file, others in _same_attack(reader).items():
        task = reader.selection.tasks[file]
        if counts.contradicted == MOST_PROBLEMS:
            counts.left += 1
            continue
        if not reader.has(task):
            counts.absent += 1
            continue
        if file not in found:
            found |= _rerun_together(reader, [each for each in others if reader.has(each)], count, random)
        with result.reading(CHALLENGE, file, "its attack cannot be run again"):
            try:
                one = found.get(file) or attack_reruns.reruns(reader, [task], count, random)[0]
            except LeftOutError:
                continue
            counts.sets, counts.images = counts.sets + 1, counts.images + one.looked
            counts.still += one.still
            counts.others += 0 if one.contradicts else len(one.others)
            if one.by_success:
                counts.by_success.append(file)
            if one.contradicts:
                counts.contradicted += 1
                ids = reader.noun(file, "ExampleSet").example_ids
                result.add(CHALLENGE, file, _words(task, one, ids) + claims.on(file))


def _same_attack(reader: Recomputation) -> dict[str, list[Task]]:
    """Return for each attacked set the attacks that differ from its own in their sets only, itself among them."""
    tasks = [reader.selection.tasks[file] for file in reader.selection.files]
    attacks = {task.output: _but_its_set(task) for task in tasks if task.step == "attack"}
    alike: dict[str, list[Task]] = {}
    for file, attack in attacks.items():
        alike.setdefault(attack, []).append(reader.selection.tasks[file])
    return {file: alike[attack] for file, attack in attacks.items()}


def _but_its_set(task: Task) -> str:
    inputs = {role: files for role, files in task.inputs.items() if role != "examples"}
    return digests.canonical({"settings": task.settings, "inputs": inputs})


def _rerun_together(
    reader: Recomputation, tasks: list[Task], count: int, random: np.random.Generator
) -> dict[str, Rerun | None]:
    """Return what an attack says of each of its files; None of all if one cannot be read, so that each is run by itself."""
    files = [task.output for task in tasks]
    try:
        return dict(zip(files, attack_reruns.reruns(reader, tasks, count, random), strict=True))
    except UNREADABLE:
        return dict.fromkeys(files)


def _words(task: Task, found: Rerun, ids: Array) -> str:
    """Return in words which images of a file are none that its attack returns."""
    attack = str(task.settings["component"]["use"]).partition("/")[2]
    row = found.fooled if found.fooled is not None else (found.unmoved or found.others)[0]
    what = "equals its clean image" if row in found.unmoved else "is not what that attack returns"
    fooled = "; that attack succeeds with it, the file does not" if row == found.fooled else ""
    still = f", {len(found.unmoved)} of them equal to their clean images" if found.unmoved else ""
    return (
        f"by its record the attack {attack} made it, but image {ids[row]} {what}{fooled}. Of {found.looked} images that were"
        f" attacked again, {len(found.others)} are others{still}"
    )


def _margins(
    reader: Recomputation,
    result: Result,
    count: int,
    random: np.random.Generator,
    claims: RestingClaims,
    counts: Counts,
) -> None:
    for subject in nearer_points.subjects(reader):
        if not all(reader.has(task) for task in subject.tasks):
            continue
        counts.subjects += 1
        with result.reading(CHALLENGE, subject.tasks[0].output, "its margins cannot be searched"):
            for found in nearer_points.nearer(reader, subject, SEARCHED * count, random):
                counts.nearer.append(found)
                if found.contradicts:
                    result.add(
                        CHALLENGE, found.file, _denied(found) + claims.on(*(task.output for task in subject.tasks))
                    )


def _denied(found: Nearer) -> str:
    return (
        f"image {found.image} has the margin {found.margin:.4g}, and another class at the distance {found.distance:.4g}"
        f" ({found.found_by}); {found.count} of {found.total} images have points nearer than the margin by more than a"
        f" search misses"
    )


def _suites(
    reader: Recomputation,
    result: Result,
    count: int,
    random: np.random.Generator,
    claims: RestingClaims,
    counts: Counts,
) -> None:
    unions = list(robust_unions.unions(reader, counts.by_success))
    for union in unions:
        with result.reading(CHALLENGE, union.files[0], "its images cannot be attacked with the suite"):
            try:
                robust, clean = union.robust(reader)
            except LeftOutError:
                continue
            if not robust.any():
                continue
            model = reader.job(union.task).model()
            device = union.task.settings["device"] if reader.device is None else reader.device
            images, labels = (torch.from_numpy(each).to(device) for each in (clean.images, clean.labels))
            found = attacked_again.challenge(
                model, images, labels, robust, eps=union.eps, norm=union.norm, count=SEARCHED * count,
                seed=int(random.integers(2**31)),
            )  # fmt: skip
            counts.unions, counts.met = counts.unions + 1, counts.met + len(found.rows)
            counts.fallen += found.count
            low = intervals.binomial(int(robust.sum()), len(robust)).low
            words = attacked_again.contradiction(found, clean.example_ids, low or 0.0, len(unions))
            if words and (named := claims.on(*union.files, worst=True)):
                result.add(CHALLENGE, union.files[0], words + named)


def _sentences(counts: Counts, count: int, seed: int) -> Iterator[str]:
    """Yield what was attacked again, what the challenge could have noticed, and how long it took."""
    seconds = counts.seconds
    if counts.sets:
        others = f"; {counts.others} came out otherwise, no more than on another processor" if counts.others else ""
        compared = counts.sets - len(counts.by_success)
        of_those = f" of the {compared:,} sets whose images were compared" if counts.by_success else " of a set"
        missed = (
            f" If a share p{of_those} is false, the drawn images miss it with probability (1 - p)^{count}: a half with"
            f" {0.5**count:.2g}, a tenth with {0.9**count:.2g}"
        )
        yield (
            f"{counted(counts.images, 'image')} of {counted(counts.sets, 'attacked set')}, attacked again as the"
            f" records say: {count} or more of each, drawn with the seed {seed}{others}.{missed if compared else ''}"
            f" ({seconds['attacks']:.0f} s)"
        )
    if counts.still:
        still = counted(counts.still, "attacked image")
        yield f"{still} that equal their clean ones: of each set that has any, one more was attacked"
    if counts.subjects:
        nearer = sum(one.count for one in counts.nearer if not one.contradicts)
        some = f"; {nearer:,} have a point nearer by a tenth, which is within what searches miss" if nearer else ""
        yield (
            f"the margins of {counted(counts.subjects, 'pair')} of network and set: compared with the attacked images of"
            f" that network, and with a search on {SEARCHED * count} images of each{some} ({seconds['margins']:.0f} s)"
        )
    if counts.unions:
        yield (
            f"{counted(counts.met, 'image')} that {counted(counts.unions, 'union')} of attacks leave right, attacked with"
            f" the attack suite: it fooled {counts.fallen} ({seconds['suite']:.0f} s)"
        )
