"""The graph of a study: which file is made by which step from which files, under which settings.

Addresses are those of design.md 3. A Task makes one file; a job of the workflow does the tasks of one batch, so that
torch is imported once for many files. Everything here depends on the settings and a job's wildcards alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache
from itertools import product
from typing import Any

from touchstone import digests, packing, provenance, registry
from touchstone.params import Study, on_pipelines

SUFFIX = ".safetensors"
NETWORKS = ("trained", "net", "victim", "seed")  # wildcards that stand for a network, or for its seed


@dataclass(frozen=True)
class Task:
    """One file to make: the step, its inputs by role, its settings."""

    step: str
    inputs: dict[str, str | list[str]]
    output: str
    settings: dict[str, Any]

    @property
    def input_files(self) -> list[str]:
        """Every input, in order."""
        return [file for files in self.inputs.values() for file in ([files] if isinstance(files, str) else files)]

    def as_json(self) -> dict[str, Any]:
        """Return the plain form whose digest a job is rerun for; a sidecar holds all of it."""
        inputs = {role: [files] if isinstance(files, str) else files for role, files in self.inputs.items()}
        return {"inputs": inputs, "output": self.output, "settings": self.settings}


@dataclass(frozen=True)
class Set:
    """The address of an example set: an entry, perhaps attacked, perhaps translated after that."""

    examples: str
    victim: str = ""
    attack: str = ""
    translator: str = ""

    @property
    def address(self) -> str:
        """The set's part of a path: entry/victim/attack/translator, what does not apply left out."""
        return "/".join(part for part in (self.examples, self.victim, self.attack, self.translator) if part)

    @property
    def guard(self) -> tuple[str, str]:
        """The detector that stands before the victim, and the false-positive rate of its threshold; "" for none."""
        detector, _, rate = self.victim.partition("+")[2].partition("@")
        return detector, rate

    @property
    def kind(self) -> str:
        """The folder that the set lies in."""
        return "translated" if self.translator else "attacked" if self.attack else "examples"

    def of(self, wildcards: Mapping[str, str]) -> Set:
        """Return the set with {victim} and the {seed} of its translator filled in."""
        return replace(self, victim=self.victim.format(**wildcards), translator=self.translator.format(**wildcards))


@dataclass(frozen=True)
class Batch:
    """Example sets that one job handles together: a group, attacked by a group of attacks or not, translated by a group
    of translators or not.
    """

    name: str
    sets: tuple[Set, ...]
    detectors: str = ""  # adaptive: the group of detectors that stand before the network, one victim each

    @property
    def wildcards(self) -> tuple[str, ...]:
        """What else than the network tells its jobs apart: the victim, the translators' seed, both or neither."""
        parts = {"victim": self.sets[0].victim, "seed": self.sets[0].translator}
        return tuple(name for name, part in parts.items() if f"{{{name}}}" in part)


@dataclass(frozen=True)
class Rule:
    """One rule of the workflow: a step, the wildcards that tell its jobs apart, what all of them have in common."""

    name: str
    step: str
    wildcards: tuple[str, ...] = ()
    batch: Batch | None = None
    detectors: str = ""

    @property
    def slots(self) -> str:
        """The wildcards as a path: {net}/{victim}."""
        return "/".join(f"{{{name}}}" for name in self.wildcards)


@dataclass(frozen=True)
class Net:
    """A trained network, or a defence: an entry and its seed."""

    entry: str
    seed: int

    def __str__(self) -> str:
        return f"{self.entry}.{self.seed}"

    @classmethod
    def parse(cls, text: str) -> Net:
        """Return the network that an address names; of NET+DETECTOR@FPR the network."""
        entry, seed = text.split("+")[0].rsplit(".", 1)
        return cls(entry, int(seed))


@dataclass(frozen=True)
class CellPlan:
    """Where one artefact stands in an evaluation; the file is read when the evaluation runs."""

    role: str
    file: str
    facts: dict[str, Any] = field(default_factory=dict)


class Plan:
    """Everything that the workflow asks about a study."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.folder = f"data/{study.name}"
        self._cached = lru_cache(maxsize=None)(self._tasks)

    # --- names ------------------------------------------------------------------------------------------------

    def nets(self, section: str) -> list[Net]:
        """Return the networks of `classifiers` or `translators`, or the `defences`, one per entry and seed."""
        return [Net(name, seed) for name, entry in self.study[section].items() for seed in entry["seeds"]]

    def models(self, entry: str) -> list[Net]:
        """Return the networks or the defences of one entry, one per seed: both are run and attacked alike."""
        section = "defences" if entry in self.study["defences"] else "classifiers"
        return [net for net in self.nets(section) if net.entry == entry]

    @cached_property
    def raw_folders(self) -> frozenset[str]:
        """The folders of raw files, one per source."""
        return frozenset(f"data/raw/{source}" for source in self.study["sources"])

    @property
    def unpinned(self) -> list[str]:
        """The sources whose raw files are taken as they come: their sha256 is null."""
        return [name for name, entry in self.study["sources"].items() if entry["sha256"] is None]

    @property
    def more_pages(self) -> list[str]:
        """What the report writes besides its page."""
        return [
            f"reports/{self.study.name}/{name}"
            for name in (packing.METRICS, "metrics.json", "claims.csv", "claims.tex", "ROOT", "figures")
        ]

    def file(self, kind: str, *parts: object) -> str:
        """Return the path of an artefact under the study's folder."""
        ending = ".csv" if kind == "metrics" else SUFFIX
        return "/".join([self.folder, kind, *map(str, parts)]) + ending

    def set_file(self, examples: Set) -> str:
        """Return the path of an example set."""
        return self.file(examples.kind, examples.address)

    # --- batches ----------------------------------------------------------------------------------------------

    def group_of(self, section: str, entry: str) -> str:
        """Return the group that an entry is handled in."""
        groups: dict[str, list[str]] = self.study["groups"][section]
        return next(name for name, members in groups.items() if entry in members)

    def adaptive(self, attack: str) -> bool:
        """Return whether an attack is made on a network behind a detector."""
        entry = self.study["attacks"][attack]
        return str(entry["use"]).startswith("adaptive/") and not on_pipelines(entry)

    def fits(self, attack: str, victim: str) -> bool:
        """Return whether a victim is what the attack is made on: those on pipelines need a defence."""
        return not on_pipelines(self.study["attacks"][attack]) or victim in self.study["defences"]

    @cached_property
    def attacked(self) -> frozenset[tuple[str, str, str]]:
        """What some evaluation or detector asks to be attacked: example set, attack, and the detector that an adaptive
        attack is made on; "" for none.
        """
        wanted = set()
        for question in self.study["evaluations"].values():
            for examples in question["attacked"] or question["examples"]:
                for attack in question["attacks"]:
                    guards = question["detectors"] if self.adaptive(attack) else [""]
                    wanted |= {(examples, attack, guard) for guard in guards}
        for detector in self.study["detectors"].values():
            wanted |= {(detector["fit"], name, "") for name in detector["anomalous"] if name in self.study["attacks"]}
        return frozenset(wanted)

    @cached_property
    def attacked_groups(self) -> list[tuple[str, str, str]]:
        """The groups of what is asked to be attacked, sorted: of example sets, of attacks, of detectors."""
        return sorted(
            {
                (self.group_of("examples", e), self.group_of("attacks", a), d and self.group_of("detectors", d))
                for e, a, d in self.attacked
            }
        )

    def clean_batches(self) -> list[Batch]:
        """Return one batch per group of example sets."""
        return [
            Batch(name, tuple(Set(entry) for entry in members))
            for name, members in self.study["groups"]["examples"].items()
        ]

    def attacked_batches(self) -> list[Batch]:
        """Return one batch per attacked group. {victim} is a wildcard; before an adaptive one stands each detector that
        some evaluation asks it to be made on.
        """
        groups = self.study["groups"]
        asked_on = {asked[1:] for asked in self.attacked}
        found = []
        for examples, attacks, detectors in self.attacked_groups:
            sets = [
                Set(entry, self.guarded("{net}", guard) if guard else "{victim}", attack)
                for guard in (groups["detectors"][detectors] if detectors else [""])
                for entry in groups["examples"][examples]
                for attack in groups["attacks"][attacks]
                if not guard or (attack, guard) in asked_on
            ]
            name = "_".join(part for part in (examples, attacks, detectors) if part)
            found.append(Batch(name, tuple(sets), detectors))
        return found

    def guarded(self, net: object, detector: str) -> str:
        """Return the address of a network behind a detector, at the threshold that adaptive attacks have to get below."""
        return f"{net}+{detector}@{self.study['study']['attacked_false_positive_rate']:g}"

    def translatable_batches(self, translators: list[str]) -> list[Batch]:
        """Return the batches, clean and attacked, that an evaluation asks to be translated by some of `translators`."""
        wanted = set()
        for question in self.study["evaluations"].values():
            if set(translators) & set(question["translators"]):
                groups = {self.group_of("examples", name) for name in question["examples"]}
                attacked = {self.group_of("examples", name) for name in question["attacked"] or question["examples"]}
                attacks = {self.group_of("attacks", name) for name in question["attacks"] if not self.adaptive(name)}
                wanted |= groups | {f"{e}_{a}" for e in attacked for a in attacks}
        return [batch for batch in [*self.clean_batches(), *self.attacked_batches()] if batch.name in wanted]

    def translated_batches(self) -> list[Batch]:
        """Return the batches that a group of translators makes, all of one seed, which is a wildcard."""
        return [
            Batch(
                f"{batch.name}_{group}",
                tuple(replace(s, translator=f"{name}.{{seed}}") for s in batch.sets for name in members),
            )
            for group, members in self.study["groups"]["translators"].items()
            for batch in self.translatable_batches(members)
        ]

    def all_batches(self) -> list[Batch]:
        """Return every batch that networks are run on."""
        return [*self.clean_batches(), *self.attacked_batches(), *self.translated_batches()]

    # --- rules and tasks --------------------------------------------------------------------------------------

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """Every rule of the workflow by name. Their outputs are disjoint."""
        found = [
            Rule("fetch", "fetch", ("source",)),
            Rule("prepare", "prepare", ("examples",)),
            Rule("train", "train", ("trained",)),
            *(self._batch_rule("attack", b, *(["net"] if b.detectors else [])) for b in self.attacked_batches()),
            *(self._batch_rule("translate", batch) for batch in self.translated_batches()),
            *(self._batch_rule("infer", batch, "net") for batch in self.all_batches()),
            *(Rule(f"measure_{b.name}", "measure", ("net", "margin"), b) for b in self.clean_batches()),
        ]
        for detectors in self.study["groups"]["detectors"]:
            found.append(Rule(f"fit_{detectors}", "fit", ("net",), detectors=detectors))
            for batch in self.all_batches():
                if batch.detectors in ("", detectors):
                    name = f"score_{detectors}_{batch.name}"
                    found.append(Rule(name, "score", ("net", *batch.wildcards), batch, detectors))
        found += [Rule("evaluate", "evaluate", ("evaluation",)), Rule("report", "report")]
        return {rule.name: rule for rule in found}

    @staticmethod
    def _batch_rule(step: str, batch: Batch, *names: str) -> Rule:
        return Rule(f"{step}_{batch.name}", step, (*names, *batch.wildcards), batch)

    def rules_of(self, step: str) -> list[Rule]:
        """Return the rules of one step."""
        return [rule for rule in self.rules.values() if rule.step == step]

    @cached_property
    def wildcard_values(self) -> dict[str, list[str]]:
        """The names that each wildcard may take."""
        sections = ("classifiers", "translators", "defences")
        networks = {section: [str(net) for net in self.nets(section)] for section in sections}
        return {
            "source": list(self.study["sources"]),
            "examples": list(self.study["examples"]),
            "trained": networks["classifiers"] + networks["translators"],
            "net": networks["classifiers"] + networks["defences"],
            "victim": networks["classifiers"] + networks["defences"],
            "seed": sorted({str(net.seed) for net in self.nets("translators")}),
            "margin": list(self.study["margins"]),
            "evaluation": list(self.study["evaluations"]),
        }

    def jobs(self) -> list[tuple[Rule, dict[str, str]]]:
        """Return every job behind the report, in the order of the rules."""
        return self._asked

    @cached_property
    def _asked(self) -> list[tuple[Rule, dict[str, str]]]:
        waiting, done = [f"reports/{self.study.name}/report.html"], set[str]()
        found: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[Rule, dict[str, str]]] = {}
        while waiting:
            file = waiting.pop()
            if file in done:
                continue
            rule, wildcards = self.maker(file)
            found[rule.name, tuple(wildcards.items())] = rule, wildcards
            for task in self.tasks(rule, **wildcards):
                done.add(task.output)
                waiting += (name for name in task.input_files if name not in done)
        order = {name: place for place, name in enumerate(self.rules)}
        return sorted(found.values(), key=lambda job: (order[job[0].name], *job[1].values()))

    def maker(self, file: str) -> tuple[Rule, dict[str, str]]:
        """Return the rule that makes a file, with its wildcards; KeyError where none does.

        A network's name is taken as it is, whether the study has such a network or not.
        """
        for rule, given, pattern in self._makers.get(_starred(file), []):
            if match := re.fullmatch(_as_pattern(pattern), file):
                own = given | match.groupdict()
                return rule, {name: own[name] for name in rule.wildcards}
        raise KeyError(file)

    @cached_property
    def _makers(self) -> dict[str, list[tuple[Rule, dict[str, str], str]]]:
        """The rules by the files that they make, the networks' names in them left open."""
        values = self.wildcard_values
        found: dict[str, list[tuple[Rule, dict[str, str], str]]] = {}
        for rule in self.rules.values():
            closed = [name for name in rule.wildcards if name not in NETWORKS]
            for chosen in product(*(values[name] for name in closed)):
                given = dict(zip(closed, chosen, strict=True))
                filled = given | {name: f"{{{name}}}" for name in NETWORKS}
                for output in self.outputs(rule):
                    pattern = output.format(**filled)
                    found.setdefault(_starred(pattern), []).append((rule, given, pattern))
        return found

    def outputs(self, rule: Rule) -> list[str]:
        """Return the files that a job of the rule makes, in the order of its tasks, the rule's wildcards in them."""
        sets = rule.batch.sets if rule.batch else ()
        match rule.step:
            case "attack" | "translate":
                return [self.set_file(examples) for examples in sets]
            case "infer":
                return [self.file("outputs", "{net}", examples.address) for examples in sets]
            case "measure":
                return [self.file("margins", "{net}", "{margin}", examples.address) for examples in sets]
            case "fit":
                return [self.file("detectors", "{net}", name) for name in self.members(rule)]
            case "score":
                return [self.file("scores", "{net}", *pair) for pair in self._scored(rule.batch, rule.detectors)]
        plain = {
            "fetch": "data/raw/{source}",
            "prepare": self.file("examples", "{examples}"),
            "train": self.file("checkpoints", "{trained}"),
            "evaluate": self.file("metrics", "{evaluation}"),
            "report": f"reports/{self.study.name}/report.html",
        }
        return [plain[rule.step]]

    def _scored(self, batch: Batch | None, detectors: str) -> Iterator[tuple[str, str]]:
        """Yield (detector, address) of what a group of detectors scores: each every set, or just those made against it."""
        for name in self.study["groups"]["detectors"][detectors]:
            for examples in batch.sets if batch else ():
                if examples.guard[0] in ("", name):
                    yield name, examples.address

    def members(self, rule: Rule) -> list[str]:
        """Return the detectors that a rule handles together."""
        members: list[str] = self.study["groups"]["detectors"][rule.detectors]
        return members

    def tasks(self, rule: Rule, **wildcards: str) -> tuple[Task, ...]:
        """Return the tasks of one job, in the order of its outputs."""
        return self._cached(rule, tuple(sorted(wildcards.items())))

    def _tasks(self, rule: Rule, items: tuple[tuple[str, str], ...]) -> tuple[Task, ...]:
        wildcards = dict(items)
        if rule.detectors:
            wildcards["detectors"] = rule.detectors
        batch = () if rule.batch is None else (rule.batch,)
        return tuple(getattr(self, f"_{rule.step}")(*batch, **wildcards))

    def _torch(self, **settings: Any) -> dict[str, Any]:
        """Return settings with those that every torch job has."""
        return {key: self.study["study"][key] for key in ("device", "threads")} | settings

    def _own(self, section: str, entry: str) -> dict[str, Any]:
        """Return just the component's part of an entry: its `use` and its own settings."""
        block = self.study[section][entry]
        return {"use": block["use"]} | {key: block[key] for key in registry.used(block["use"]).settings}

    def architecture(self, net: Net) -> dict[str, Any]:
        """Return the `model` block of a trained entry."""
        section = "classifiers" if net.entry in self.study["classifiers"] else "translators"
        block: dict[str, Any] = self.study[section][net.entry]["model"]
        return block

    def _fetch(self, source: str) -> Iterator[Task]:
        settings = {"component": self._own("sources", source), "sha256": self.study["sources"][source]["sha256"]}
        yield Task("fetch", {}, f"data/raw/{source}", settings)

    def _prepare(self, examples: str) -> Iterator[Task]:
        entry = self.study["examples"][examples]
        settings = {"component": self._own("examples", examples), "seed": entry["seed"]}
        inputs: dict[str, str | list[str]] = {}
        if entry["source"]:
            inputs["folder"] = f"data/raw/{entry['source']}"
            settings["sha256"] = self.study["sources"][entry["source"]]["sha256"]
        if entry["of"]:
            inputs["examples"] = self.file("examples", entry["of"])
        yield Task("prepare", inputs, self.file("examples", examples), settings)

    def _train(self, trained: str) -> Iterator[Task]:
        net = Net.parse(trained)
        section = "classifiers" if net.entry in self.study["classifiers"] else "translators"
        entry = self.study[section][net.entry]
        if entry["use"].startswith("pretrained/"):
            yield self._converted(net, entry)
            return
        objective = self._own(section, net.entry)
        references = {"train", "validation", "outliers", "classifier", "calibration", "source", "seeds", "model"}
        loop = {key: value for key, value in entry.items() if key not in objective and key not in references}
        settings = self._torch(component=objective, architecture=entry["model"], seed=net.seed, loop=loop)
        inputs: dict[str, str | list[str]] = {
            "train": self.file("examples", entry["train"]),
            "validation": self.file("examples", entry["validation"]),
        }
        if entry["outliers"]:
            inputs["outliers"] = [self.file("examples", name) for name in entry["outliers"]]
        if entry.get("classifier"):
            victim = self.partner("classifiers", entry["classifier"], net.seed)
            inputs["classifier"] = self.file("checkpoints", victim)
            settings["classifier_architecture"] = self.architecture(victim)
        yield Task("train", inputs, self.file("checkpoints", net), settings)

    def _converted(self, net: Net, entry: dict[str, Any]) -> Task:
        """Return the task that makes a checkpoint of a file: what follows cannot tell it from one that was trained."""
        settings = self._torch(component=self._own("classifiers", net.entry), architecture=entry["model"])
        settings |= {key: entry[key] for key in ("input_shape", "classes", "mean", "std")}
        settings["sha256"] = self.study["sources"][entry["source"]]["sha256"]
        inputs: dict[str, str | list[str]] = {"folder": f"data/raw/{entry['source']}"}
        return Task("convert", inputs, self.file("checkpoints", net), settings)

    def partner(self, section: str, entry: str, seed: int) -> Net:
        """Return the network of an entry with the same seed, else with its first: seeds are paired where they can be."""
        seeds = self.study[section][entry]["seeds"]
        return Net(entry, seed if seed in seeds else seeds[0])

    def _model(self, net: Net) -> tuple[dict[str, str | list[str]], dict[str, Any]]:
        """Return the inputs and settings from which a job gets a network, or a defence as one model."""
        if net.entry not in self.study["defences"]:
            return {"checkpoint": self.file("checkpoints", net)}, {"architecture": self.architecture(net)}
        entry = self.study["defences"][net.entry]
        classifier = Net(entry["classifier"], net.seed)
        translators = [self.partner("translators", name, net.seed) for name in entry["translator"]]
        inputs, settings = self._model(classifier)
        inputs["translators"] = [self.file("checkpoints", translator) for translator in translators]
        settings["translator_architectures"] = [self.architecture(translator) for translator in translators]
        if entry["router"]:
            read = self.router_of(net)
            inputs["router"] = self.file("detectors", read, entry["router"])
            if read != classifier:
                inputs["encoder"] = self.file("checkpoints", read)
                settings["encoder_architecture"] = self.architecture(read)
            settings["router"] = self._own("detectors", entry["router"])
            settings["false_positive_rate"] = f"{entry['false_positive_rate']:g}"
            settings["confounding"] = self._labels(self._label_of(entry["router"]))
        return inputs, settings

    def router_of(self, defence: Net) -> Net:
        """Return the network that a defence's router reads: its encoder, else its classifier."""
        entry = self.study["defences"][defence.entry]
        return self.partner("classifiers", entry["encoder"] or entry["classifier"], defence.seed)

    def _attack(self, batch: Batch, victim: str = "", net: str = "") -> Iterator[Task]:
        for pattern in batch.sets:
            attacked = pattern.of({"victim": victim, "net": net})
            own = Net.parse(attacked.victim)
            inputs, settings = self._model(own)
            inputs["examples"] = self.file("examples", attacked.examples)
            settings |= self._torch(
                component=self._own("attacks", attacked.attack),
                seed=own.seed,
                batch_size=self.study["study"]["batch_size"],
            )
            detector, rate = attacked.guard
            if detector:
                inputs["detector"] = self.file("detectors", own, detector)
                calibration = Set(self.calibration(own))  # clean images that an attacker may imitate
                read = self._component("detectors", detector).call.data
                if "in_distribution" in self._component("attacks", attacked.attack).call.data:
                    read = (*read, "images")  # attacks on scores start there, whatever the detector reads
                inputs |= self._read(read, str(own), calibration, "typical_")
                settings |= {"detector": self._own("detectors", detector), "false_positive_rate": rate}
                settings["confounding"] = self._labels(self._label_of(detector))
            yield Task("attack", inputs, self.set_file(attacked), settings)

    def _labels(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the confounding labels of these names, as the study gives them."""
        wanted = set(names)
        return {name: block for name, block in self.study["confounding"].items() if name in wanted}

    def _label_of(self, detector: str) -> list[str]:
        """Return the confounding label that a detector reads gradient norms of, if any."""
        label = self.study["detectors"][detector].get("label")
        return [label] if label else []

    @cached_property
    def labels_of(self) -> dict[str, set[str]]:
        """The confounding labels, by classifier, whose gradient norms some detector or question reads of it.

        Detectors are fitted and scored by whole groups, so one that is asked brings its group's labels along.
        """
        return {entry: self._labels_read(entry) for entry in self.study["classifiers"]}

    def _labels_read(self, entry: str) -> set[str]:
        asked, labels = set[str](), set[str]()
        for name, question in self.study["evaluations"].items():
            if entry in question["classifiers"]:
                asked |= set(question["detectors"])
                figures = [figure for figure in self.study["figures"].values() if figure["evaluation"] == name]
                labels |= {block["label"] for block in (question, *figures) if block.get("label")}
        asked |= {name for name, detector in self.study["detectors"].items() if detector["classifier"] == entry}
        asked |= {
            defence["router"]
            for defence in self.study["defences"].values()
            if defence["router"] and entry in (defence["encoder"], defence["classifier"])
        }
        for members in self.study["groups"]["detectors"].values():
            if asked & set(members):
                labels |= {label for member in members for label in self._label_of(member)}
        return labels

    def _translate(self, batch: Batch, seed: str, victim: str = "") -> Iterator[Task]:
        for pattern in batch.sets:
            translated = pattern.of({"victim": victim, "seed": seed})
            net = Net.parse(translated.translator)
            inputs: dict[str, str | list[str]] = {
                "examples": self.set_file(replace(translated, translator="")),
                "checkpoint": self.file("checkpoints", net),
            }
            settings = self._torch(architecture=self.architecture(net), batch_size=self.study["study"]["batch_size"])
            yield Task("translate", inputs, self.set_file(translated), settings)

    def _infer(self, batch: Batch, net: str, victim: str = "", seed: str = "") -> Iterator[Task]:
        inputs, settings = self._model(Net.parse(net))
        settings |= self._torch(batch_size=self.study["study"]["batch_size"])
        settings["confounding"] = self._labels(self.labels_of.get(Net.parse(net).entry, []))
        for pattern in batch.sets:
            examples = pattern.of({"net": net, "victim": victim, "seed": seed})
            read = inputs | {"examples": self.set_file(examples)}
            yield Task("infer", read, self.file("outputs", net, examples.address), settings)

    def _measure(self, batch: Batch, net: str, margin: str) -> Iterator[Task]:
        own = Net.parse(net)
        settings = self._torch(
            component=self._own("margins", margin),
            architecture=self.architecture(own),
            seed=own.seed,
            batch_size=self.study["study"]["batch_size"],
        )
        for examples in batch.sets:
            inputs: dict[str, str | list[str]] = {
                "examples": self.set_file(examples),
                "checkpoint": self.file("checkpoints", net),
            }
            yield Task("measure", inputs, self.file("margins", net, margin, examples.address), settings)

    def calibration(self, net: Net) -> str:
        """Return the held-out clean images that the thresholds of a network's detectors come from."""
        own: str | None = self.study["classifiers"][net.entry]["calibration"]
        return own or str(self.study["study"]["calibration"])

    def _component(self, section: str, entry: str) -> registry.Component:
        return registry.used(self.study[section][entry]["use"])

    def _read(self, data: tuple[str, ...], net: str, examples: Set, prefix: str = "") -> dict[str, str]:
        """Return the files that hold a detector's data on one set: outputs, images, or the network itself."""
        files = {}
        if {"logits", "features", "gradient_norms", "labels"} & set(data):
            files[prefix + "outputs"] = self.file("outputs", net, examples.address)
        if "images" in data:
            files[prefix + "examples"] = self.set_file(examples)
        if "model" in data:
            files[prefix + "examples"] = self.set_file(examples)
            files["checkpoint"] = self.file("checkpoints", net)
        return files

    def _detector_settings(self, detector: str, net: Net) -> dict[str, Any]:
        settings = self._torch(component=self._own("detectors", detector), batch_size=self.study["study"]["batch_size"])
        if "model" in self._component("detectors", detector).data:
            settings["architecture"] = self.architecture(net)
        return settings

    def _fit(self, detectors: str, net: str) -> Iterator[Task]:
        for name in self.study["groups"]["detectors"][detectors]:
            entry, found, own = self.study["detectors"][name], self._component("detectors", name), Net.parse(net)
            # A detector of unknown classes may learn on a network that knows fewer, to be used on one that knows more.
            fitted = str(self.partner("classifiers", entry["classifier"], own.seed)) if entry["classifier"] else net
            inputs: dict[str, str | list[str]] = {}
            if found.fit is not None:
                wanted = tuple(data.removeprefix("fit_") for data in found.fit.data if data.startswith("fit_"))
                inputs |= self._read(wanted, fitted, Set(entry["fit"]), "fit_")
                wanted = tuple(data.removeprefix("anomalous_") for data in found.fit.data if "anomalous_" in data)
                sets = [
                    Set(entry["fit"], fitted, other) if other in self.study["attacks"] else Set(other)
                    for other in entry["anomalous"]
                ]
                for anomalous in sets:
                    for role, file in self._read(wanted, fitted, anomalous, "anomalous_").items():
                        inputs[role] = [*inputs.get(role, []), file]
            inputs |= self._read(found.call.data, net, Set(self.calibration(own)))
            settings = self._detector_settings(name, own) | {
                "seed": own.seed,
                "false_positive_rates": self.study["study"]["false_positive_rates"],
            }
            yield Task("fit", inputs, self.file("detectors", net, name), settings)

    def _score(self, batch: Batch, detectors: str, net: str, victim: str = "", seed: str = "") -> Iterator[Task]:
        filled = {"net": net, "victim": victim, "seed": seed}
        for name in self.study["groups"]["detectors"][detectors]:
            asked, settings = (
                self._component("detectors", name).call.data,
                self._detector_settings(name, Net.parse(net)),
            )
            for pattern in batch.sets:
                if pattern.guard[0] in ("", name):
                    examples = pattern.of(filled)
                    inputs: dict[str, str | list[str]] = {"detector": self.file("detectors", net, name)}
                    inputs |= self._read(asked, net, examples)
                    yield Task("score", inputs, self.file("scores", net, name, examples.address), settings)

    # --- evaluations and the report ---------------------------------------------------------------------------

    def _sets(self, question: dict[str, Any], net: Net) -> Iterator[Set]:
        """Yield the sets that a question asks of one classifier: clean, attacked, and each of them translated."""
        victims = [self._paired(name, net.seed) for name in question["victims"]] or [net]
        sets = [Set(name) for name in question["examples"]]
        attacked = question["attacked"] or question["examples"]
        whole = {attack for attack in question["attacks"] if on_pipelines(self.study["attacks"][attack])}
        plain = [attack for attack in question["attacks"] if not self.adaptive(attack)]
        # What is made to fit a defence is made on the one that is asked about, whoever the victims of the others are.
        sets += [
            Set(name, str(victim), attack)
            for attack in plain
            for victim in ([net] if attack in whole else dict.fromkeys(victims))
            for name in attacked
            if self.fits(attack, victim.entry)
        ]
        translators = [self.partner("translators", name, net.seed) for name in question["translators"]]
        yield from sets
        for translator in translators:
            yield from (replace(examples, translator=str(translator)) for examples in sets)
        for detector in question["detectors"]:
            adaptive = [attack for attack in question["attacks"] if self.adaptive(attack)]
            yield from (Set(name, self.guarded(net, detector), attack) for name in attacked for attack in adaptive)

    def _paired(self, entry: str, seed: int) -> Net:
        section = "defences" if entry in self.study["defences"] else "classifiers"
        return self.partner(section, entry, seed)

    def cells(self, evaluation: str, roles: tuple[str, ...]) -> list[CellPlan]:
        """Return the artefacts of the given kinds that an evaluation crosses, each with its place."""
        question = self.study["evaluations"][evaluation]
        found: dict[tuple[str, str], CellPlan] = {}

        def add(role: str, file: str, examples: Set, **facts: Any) -> None:
            own = self._own("attacks", examples.attack) if examples.attack else {}
            facts["settings"] = own | facts.get("settings", {})
            facts |= {key: getattr(examples, key) for key in ("examples", "victim", "attack", "translator")}
            found.setdefault((role, file), CellPlan(role, file, facts))

        nets = [net for name in question["classifiers"] for net in self.models(name)]
        nets = [net for net in nets if question["seeds"] is None or net.seed in question["seeds"]]
        for name in question["examples"] if "examples" in roles else []:
            add("examples", self.file("examples", name), Set(name))
        translators = [n for name in question["translators"] for n in self.nets("translators") if n.entry == name]
        for net in translators if "checkpoints" in roles else []:
            add("checkpoints", self.file("checkpoints", net), Set("", translator=str(net)), seed=net.seed)
        for net in nets:
            own: dict[str, Any] = {"entry": net.entry, "seed": net.seed}
            if defence := self.study["defences"].get(net.entry):
                protected = Net(defence["classifier"], net.seed)
                own["settings"] = {"protects": str(protected)}
                if defence["router"] and "detectors" in roles:
                    rate = {"settings": own["settings"] | {"false_positive_rate": defence["false_positive_rate"]}}
                    file = self.file("detectors", self.router_of(net), defence["router"])
                    add("detectors", file, Set(""), **own | rate, detector=defence["router"])
            elif "checkpoints" in roles:
                add("checkpoints", self.file("checkpoints", net), Set(""), **own)
            for detector in question["detectors"] if "detectors" in roles else []:
                # What it was trained on, which its name need not say.
                trained = {"anomalous": self.study["detectors"][detector]["anomalous"]}
                file = self.file("detectors", net, detector)
                add("detectors", file, Set(""), detector=detector, **own | {"settings": trained})
            if question["fit"]:  # what an evaluation fits or sets a threshold on: clean, and never in its examples
                held_out = Set(question["fit"])
                if "fit_outputs" in roles:
                    add("fit_outputs", self.file("outputs", net, held_out.address), held_out, **own)
                for margin in question["margins"] if "fit_margins" in roles else []:
                    file = self.file("margins", net, margin, held_out.address)
                    add("fit_margins", file, held_out, margin=margin, **own)
            for examples in self._sets(question, net):
                if "examples" in roles and examples.kind != "examples":
                    add("examples", self.set_file(examples), examples, **own)
                if "outputs" in roles:
                    add("outputs", self.file("outputs", net, examples.address), examples, **own)
                for detector in question["detectors"] if "scores" in roles else []:
                    if examples.guard[0] in ("", detector):
                        file = self.file("scores", net, detector, examples.address)
                        add("scores", file, examples, detector=detector, **own)
                if "margins" in roles and examples.kind == "examples":
                    for margin in question["margins"]:
                        add(
                            "margins",
                            self.file("margins", net, margin, examples.address),
                            examples,
                            margin=margin,
                            **own,
                        )
        return list(found.values())

    def _cells_task(self, cells: list[CellPlan]) -> tuple[list[str], list[dict[str, Any]]]:
        return [cell.file for cell in cells], [{"role": cell.role, "file": cell.file, **cell.facts} for cell in cells]

    def _evaluate(self, evaluation: str) -> Iterator[Task]:
        component = self._own("evaluations", evaluation)
        files, cells = self._cells_task(self.cells(evaluation, registry.used(component["use"]).call.data))
        settings = {"evaluation": evaluation, "component": component, "cells": cells}
        yield Task("evaluate", {"cells": files}, self.file("metrics", evaluation), settings)

    def _report(self) -> Iterator[Task]:
        figures, files = {}, []
        for name, entry in self.study["figures"].items():
            component = self._own("figures", name)
            roles = registry.used(component["use"]).call.data
            found = [cell for cell in self.cells(entry["evaluation"], roles) if _pictured(cell, component)]
            wanted, cells = self._cells_task(found)
            files += wanted
            figures[name] = {
                "component": component, "cells": cells, "caption": entry["caption"], "evaluation": entry["evaluation"],
                "also": entry["also"],
            }  # fmt: skip
        metrics = [self.file("metrics", name) for name in self.study["evaluations"]]
        settings = {
            "study": self.study.name,
            "settings": self.study.settings,
            "claims": self.claims(),
            "figures": figures,
            "evaluations": {
                name: {key: entry[key] for key in ("question", "system")}
                for name, entry in self.study["evaluations"].items()
            },
        }
        inputs: dict[str, str | list[str]] = {"metrics": metrics, "cells": sorted(set(files))}
        yield Task("report", inputs, f"reports/{self.study.name}/report.html", settings)

    def claims(self) -> dict[str, Any]:
        """Return what the study says of the published claims: on what data, by which evaluations, who plays which role."""
        calibration = self.study["examples"][self.study["study"]["calibration"]]
        components = {name: entry["use"].split("/")[1] for name, entry in self.study["evaluations"].items()}
        return {
            "data": calibration["use"].split("/")[1],
            "components": components,
            "claims": self.study["claims"],
        }


def digests_of(tasks: tuple[Task, ...]) -> tuple[str, str]:
    """Return the digests of a job's settings and of its code: what it is rerun for, besides its inputs."""
    settings = digests.sha256(provenance.canonical([task.as_json() for task in tasks]).encode())
    return settings, provenance.code_digest(code_files(tasks))


def code_files(tasks: tuple[Task, ...]) -> dict[str, str]:
    """Return the code files that some tasks of one step run, with their digests."""
    return provenance.code_files(provenance.roots(tasks[0].step, [task.settings for task in tasks]))


def _pictured(cell: CellPlan, component: dict[str, Any]) -> bool:
    """Return whether a figure that shows one seed or one classifier shows this cell."""
    return all(
        component.get(key) is None or cell.facts.get(fact) in (None, component[key])
        for key, fact in (("seed", "seed"), ("classifier", "entry"))
    )


def _starred(path: str) -> str:
    """Return a path with a star for each network in it, whether named (cnn.0) or left open ({net}, unet.{seed})."""
    return re.sub(r"\{(?:trained|net|victim)\}|[a-z][a-z0-9_]*\.(?:\d+|\{seed\})", "*", path)


@cache
def _as_pattern(path: str) -> str:
    """Return the regular expression of a path whose networks are left open; one that stands twice is the same twice."""
    parts, seen = [], set[str]()
    for part in re.split(r"(\{[a-z]+\})", path):
        name = part[1:-1]
        if not part.startswith("{"):
            parts.append(re.escape(part))
        elif name in seen:
            parts.append(f"(?P={name})")
        else:
            seen.add(name)
            parts.append(rf"(?P<{name}>\d+)" if name == "seed" else rf"(?P<{name}>[a-z][a-z0-9_]*\.\d+)")
    return "".join(parts)
