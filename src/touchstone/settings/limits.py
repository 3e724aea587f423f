"""Limits of a study. Beyond them settings make no sense, or planning would take more than seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from touchstone.settings.files import NAME, Place
from touchstone.settings.known_sets import known
from touchstone.settings.problems import Problem
from touchstone.settings.sections import on_pipelines

LARGEST = 1_000_000  # of any number that CEILINGS does not name; the smallest is its negative
CEILINGS = dict.fromkeys(("seed", "seeds", "split_seed", "bootstrap_seed"), 2**32 - 1)
CEILINGS["learning_rate"] = 10  # beyond, no network learns
CEILINGS["rows"] = 2**63 - 1  # example_ids, which own_images numbers from 10^9 in files of arrays
CHECKS = "evaluations/checks"  # the component that checks attacks
ENTRIES = 500  # in a section
ITEMS, SEEDS = 1_000, 100  # in a list
LEVEL = 1 / 255 - 1e-9  # of images of 8 bits
LETTERS = 60  # in a name; the name of a file consists of several names
CHAIN = 20  # sets, each made of the next
IDLE_WEIGHTS = (
    ("training/adversarial", "clean_weight", 1),
    ("training/ensemble_adversarial", "clean_weight", 1),
    ("training/mma", "clean_weight", 1),
    ("training/trades", "beta", 0),
    ("training/outlier_exposed", "outlier_weight", 0),
)
RATES = {"false_positive_rate", "false_positive_rates", "attacked_false_positive_rate"}
OF_BLOCKS = ("models/wide_resnet", "models/standardising_wide_resnet", "models/densenet_bc")
CELLS = 100_000  # files that the evaluations of a study read; the largest shipped one reads 8,000


def largest(name: str) -> int:
    """Return the largest value of a setting that is a number, by the setting's name."""
    return CEILINGS.get(name, LARGEST)


def most(name: str) -> int:
    """Return the largest number of items of a setting that is a list, by the setting's name."""
    return SEEDS if name == "seeds" else ITEMS


def wrong_name(name: str) -> str:
    """Return why this cannot be the name of an entry, "" if it can."""
    if name == "all":
        return "expected a name other than all, which means every entry"
    if NAME.fullmatch(name) and len(name) <= LETTERS:
        return ""
    return f"a name consists of a-z, 0-9 and _, starts with a letter and has at most {LETTERS} characters"


def chains(examples: dict[str, Any]) -> Iterator[Problem]:
    """Yield each circle of sets that are made of one another, once, and each chain of sets that is too long."""
    reported: set[str] = set()
    for name in examples:
        chain, other = [name], examples[name]["of"]
        while other in examples and other not in chain and len(chain) <= CHAIN:
            chain.append(other)
            other = examples[other]["of"]
        if other in chain:
            circle = [*chain[chain.index(other) :], other]
            if not reported & set(circle):
                reason = f"{' is made of '.join(circle)}: a circle; give one of them a source"
                yield Problem(("examples", circle[0], "of"), reason)
            reported |= set(circle)
        elif other in examples:
            reason = f"starts a chain of sets, each made of the next; a chain may have at most {CHAIN} sets"
            yield Problem(("examples", name, "of"), reason)


def levels(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield the sizes of L-infinity attacks that are in levels from 0 to 255, where pixels lie between 0 and 1."""
    for name, entry in resolved["evaluations"].items():
        parts = [resolved[section][part] for section in ("attacks", "margins") for part in entry[section]]
        if any(part.get("norm") == "l2" for part in parts):
            continue
        for key in ("eps", "main_eps", "up_to"):
            sizes = entry.get(key)
            for size in sizes if isinstance(sizes, list) else [sizes]:
                if isinstance(size, int | float) and size > 1:
                    reason = f"pixels lie between 0 and 1, got {size:g}; write eight levels of 255 as 8/255"
                    yield Problem(("evaluations", name, key), reason)


def crops(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield the trainings that shift images further than these are large: some of the images would be all black."""
    for section in ("classifiers", "translators"):
        for name, entry in resolved[section].items():
            shape = known(entry["train"], resolved["examples"], resolved["sources"]).shape if entry["train"] else None
            if shape and (side := min(shape[1:])) <= entry.get("crop", 0):
                reason = f"shifts images by up to {entry['crop']} pixels, and those of {entry['train']} have {side}"
                yield Problem((section, name, "crop"), f"{reason}; shift by less")


def depths(classifiers: dict[str, Any]) -> Iterator[Problem]:
    """Yield the networks of a depth that their blocks cannot have."""
    for name, entry in classifiers.items():
        waiting: list[tuple[Place, dict[str, Any]]] = [(("classifiers", name, "model"), entry["model"])]
        while waiting:
            place, model = waiting.pop()
            waiting += [
                ((*place, key), part) for key, part in model.items() if isinstance(part, dict) and "use" in part
            ]
            depth = model.get("depth", 0)
            if model["use"] in OF_BLOCKS and (depth < 10 or depth % 6 != 4):
                reason = f"expected 6 n + 4 with n at least 1, such as 16, 22 or 28, got {depth}"
                yield Problem((*place, "depth"), reason)


def idle_weights(classifiers: dict[str, Any]) -> Iterator[Problem]:
    """Yield the trainings whose weights leave nothing of what they are named for."""
    for name, entry in classifiers.items():
        for use, key, weight in IDLE_WEIGHTS:
            if entry["use"] == use and entry[key] == weight:
                reason = f"at {weight} the images are never attacked, or the outliers never used"
                yield Problem(("classifiers", name, key), f"{reason}; name another training, such as clean")


def neighbours(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield the detectors that look for more nearest neighbours than there are images."""
    for name, entry in resolved["detectors"].items():
        rows = known(entry["fit"], resolved["examples"], resolved["sources"]).rows if entry["fit"] else None
        among = min((number for number in (rows, entry.get("references")) if number), default=None)
        if among is not None and (entry.get("k") or 0) >= among:
            reason = f"looks for the {entry['k']:,} nearest of {among:,} images; expected fewer"
            yield Problem(("detectors", name, "k"), reason)


def momenta(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield the networks that Adam would train with a momentum of 1: its mean would then ignore every gradient."""
    for section in ("classifiers", "translators"):
        for name, entry in resolved[section].items():
            if (entry.get("optimizer"), entry.get("momentum")) == ("adam", 1):
                yield Problem((section, name, "momentum"), "must be less than 1 with optimizer: adam")


def emptied(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield the trainings whose settings leave nothing to learn from, or nothing of the attack that they are named for."""
    for name, entry in resolved["classifiers"].items():
        if entry.get("smoothing") == 1:
            yield Problem(("classifiers", name, "smoothing"), "must be less than 1: every class would be equally right")
        if entry.get("steps") == 0 and entry.get("eps"):
            yield Problem(("classifiers", name, "steps"), "must be at least 1: at 0 nothing is attacked")
        for key in ("dropout", "input_dropout"):
            if entry["model"].get(key) == 1:
                yield Problem(
                    ("classifiers", name, "model", key), "must be less than 1: nothing would be left to learn"
                )


def false_alarms(resolved: dict[str, Any], written: dict[str, Any]) -> Iterator[Problem]:
    """Yield false positive rates that flag every image, and the study's own below one false alarm of the calibration set.

    Args:
        resolved: The sections of the study.
        written: Those that the study's own file writes. Small sets may inherit a rate that is too low.
    """
    calibration = resolved["study"]["calibration"]
    exists = calibration in resolved["examples"]
    rows = known(calibration, resolved["examples"], resolved["sources"]).rows if exists else None
    for place, entry in _with_rates(resolved):
        own: Any = written
        for key in place:
            own = own.get(key) if isinstance(own, dict) else None
        for key in RATES & entry.keys():
            for rate in entry[key] if isinstance(entry[key], list) else [entry[key]]:
                if rate == 1:
                    yield Problem((*place, key), "must be less than 1, where every image is flagged")
                elif rows and rate and rate * rows < 1 and isinstance(own, dict) and key in own:
                    reason = f"is below one false alarm among the {rows:,} images of {calibration}, got {rate:g}"
                    yield Problem((*place, key), f"{reason}; expected at least {1 / rows:.2g}")


def _with_rates(resolved: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Yield the blocks of settings that may have false positive rates."""
    yield ("study",), resolved["study"]
    for section in ("evaluations", "defences", "figures"):
        for name, entry in resolved[section].items():
            yield (section, name), entry


def resamples(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield the evaluations whose intervals come from a single resample, which does not vary."""
    for name, entry in resolved["evaluations"].items():
        if entry.get("resamples") == 1:
            yield Problem(("evaluations", name, "resamples"), "expected at least 2, got 1: intervals need hundreds")


def budgets(resolved: dict[str, Any], written: dict[str, Any]) -> Iterator[Problem]:
    """Yield attacks of no size, and steps that lead across all images that an attack may reach.

    Attacks of eps 0 are there to be checked: they must change nothing. A study may add one, but make none of another.

    Args:
        resolved: The sections of the study.
        written: Those that the study's own file writes.
    """
    own = written.get("attacks") or {}
    questions = resolved["evaluations"].values()
    checked = {name for question in questions if question["use"] == CHECKS for name in question["attacks"]}
    for name, entry in resolved["attacks"].items():
        change = own.get(name)
        if (
            isinstance(change, dict)
            and "eps" in change
            and _moves_nothing(entry)
            and not (name in checked and "use" in change)
        ):
            least = "1/255" if entry.get("eps") else "0"
            reason = f"must be {'at least' if entry.get('eps') else 'above'} {least}: this attack would change no image"
            yield Problem(("attacks", name, "eps"), reason)
        if isinstance(change, dict) and entry.get("random_start") is False and (entry.get("restarts") or 1) > 1:
            key = "restarts" if "restarts" in change else "random_start"
            reason = f"without a random start, its {entry['restarts']} restarts are one and the same; use one"
            yield Problem(("attacks", name, key), reason)
        key = "eps" if isinstance(change, dict) and "eps" in change and "step_size" not in change else "step_size"
        yield from _long_steps(("attacks", name), entry, key)
        yield from _short_ways(("attacks", name), entry)
        yield from _idle_parts(("attacks", name), entry)
    for section in ("classifiers", "translators"):
        for name, entry in resolved[section].items():
            attack = entry.get("attack")
            for place, block in (((), entry), (("attack",), attack)):
                if isinstance(block, dict) and block.get("eps") == 0:
                    reason = "must be above 0: this training would change no image; name a training on clean images"
                    yield Problem((section, name, *place, "eps"), reason)
                if isinstance(block, dict):
                    yield from _idle_parts((section, name, *place), block)
                    yield from _long_steps((section, name, *place), block, "step_size")
                    yield from _short_ways((section, name, *place), block)


def _idle_parts(place: Place, block: dict[str, Any]) -> Iterator[Problem]:
    """Yield the attacks that another one is made of and that would change no image."""
    for key, value in block.items():
        for index, part in enumerate(value if isinstance(value, list) else ()):
            if isinstance(part, dict) and part.get("eps") == 0 and "use" in part:
                yield Problem((*place, key, str(index), "eps"), "must be above 0: this attack would change no image")


def _moves_nothing(entry: dict[str, Any]) -> bool:
    """Return whether an attack is too small to change an image of 8 bits."""
    eps = entry.get("eps")
    least = LEVEL if entry.get("norm", "linf") == "linf" else 0
    return isinstance(eps, float) and (eps == 0 or eps < least)


def _long_steps(place: Place, block: dict[str, Any], key: str) -> Iterator[Problem]:
    """Yield, under a key, a step that is longer than the way between the two farthest points within eps."""
    eps, step = block.get("eps"), block.get("step_size")
    if isinstance(eps, float) and isinstance(step, float) and step > 2 * eps > 0:
        reason = f"step_size {step:g} leads across all that eps {eps:g} allows; expected at most 2 eps, {2 * eps:g}"
        yield Problem((*place, key), reason)


def _short_ways(place: Place, block: dict[str, Any]) -> Iterator[Problem]:
    """Yield steps that together do not lead as far as an attack may go."""
    eps, step, steps = (block.get(key) for key in ("eps", "step_size", "steps"))
    if isinstance(eps, float) and isinstance(step, float) and isinstance(steps, int) and step * steps < eps:
        reason = f"{steps} steps of {step:g} lead {step * steps:g} far, and eps {eps:g} is farther"
        yield Problem((*place, "step_size"), f"{reason}; expected at least eps / steps, {eps / steps:g}")


def sizes(resolved: dict[str, Any], is_own: Callable[[Place], bool]) -> Iterator[Problem]:
    """Yield the evaluation that reads the most files, if all evaluations together read too many.

    Args:
        resolved: The sections of the study.
        is_own: Whether the study's own file wrote what is at a place: its seeds are then what is too large.
    """
    files = {name: _files_read(question, resolved) for name, question in resolved["evaluations"].items()}
    total = sum(files.values())
    if total > CELLS:
        name = max(files, key=files.__getitem__)
        reason = (
            f"networks, sets, attacks, translators and detectors of evaluations.{name} make {files[name]:,} files. All"
            f" evaluations together read {total:,} and may read at most {CELLS:,}: name fewer seeds or entries"
        )
        seeds = ("classifiers", "defaults", "seeds")
        yield Problem(seeds if is_own(seeds) and not is_own(("evaluations", name)) else ("evaluations", name), reason)


def _files_read(question: dict[str, Any], resolved: dict[str, Any]) -> int:
    """Return about how many files an evaluation reads."""
    models = resolved["classifiers"] | resolved["defences"]
    nets = sum(len(models[model]["seeds"]) for model in question["classifiers"])
    attacks = [resolved["attacks"][attack] for attack in question["attacks"]]
    guarded = sum(attack["use"].startswith("adaptive/") and not on_pipelines(attack) for attack in attacks)
    attacked = len(question["attacked"] or question["examples"])
    sets = len(question["examples"]) + attacked * (len(attacks) - guarded) * max(1, len(question["victims"]))
    sets *= 1 + len(question["translators"])
    detectors = len(question["detectors"])
    certificates = len(question["examples"]) * len(question["certificates"])
    return int(
        nets * (certificates + sets * (1 + detectors + len(question["margins"])) + 2 * attacked * guarded * detectors)
    )
