"""The tasks of each step up to the scores: their inputs and settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from touchstone import registry
from touchstone.numerics import precision
from touchstone.pipeline.planning.layout import Layout
from touchstone.pipeline.planning.parts import Net, Set, Task


class Tasks:
    """The task that makes each artefact. One method per step, named after the step, returns it."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.study = layout, layout.study
        self._blocks: dict[tuple[str, str], dict[str, Any]] = {}  # component_block asks for each many times

    def _torch(self, **settings: Any) -> dict[str, Any]:
        """Return the settings plus those of every torch job.

        The default precision and memory format are omitted.
        """
        study = self.study["study"]
        shared = {key: study[key] for key in ("device", "threads")}
        if study["precision"] == precision.TF32:
            shared["precision"] = precision.TF32
        if study["memory_format"] != precision.CONTIGUOUS:
            shared["memory_format"] = study["memory_format"]
        return shared | settings

    def component_block(self, section: str, entry: str) -> dict[str, Any]:
        """Return an entry's `use` and the settings that this component reads. The caller does not change them."""
        if (section, entry) not in self._blocks:
            block = self.study[section][entry]
            names = registry.used(block["use"]).settings
            self._blocks[section, entry] = {"use": block["use"]} | {name: block[name] for name in names}
        return self._blocks[section, entry]

    def fetch(self, source: str) -> Task:
        """Return the task that downloads a source."""
        settings = {"component": self.component_block("sources", source), "sha256": self._folder_digest(source)}
        return Task("fetch", {}, self.layout.raw(source), settings)

    def _folder_digest(self, source: str) -> str | None:
        """Return the digest that the raw files of a source must have; None if any will do, or if it checks its own."""
        entry = self.study["sources"][source]
        return None if "sha256" in registry.used(entry["use"]).settings else entry["sha256"]

    def prepare(self, examples: str) -> Task:
        """Return the task that turns raw files into an example set."""
        entry = self.study["examples"][examples]
        settings = {"component": self.component_block("examples", examples), "seed": entry["seed"]}
        inputs: dict[str, str | list[str]] = {}
        if entry["source"]:
            inputs["folder"] = self.layout.raw(entry["source"])
            settings["sha256"] = self._folder_digest(entry["source"])
        if entry["of"]:
            inputs["examples"] = self.layout.set_file(Set(entry["of"]))
        return Task("prepare", inputs, self.layout.set_file(Set(examples)), settings)

    def train(self, net: Net) -> Task:
        """Return the task that trains a network, or converts a file of weights."""
        section = "classifiers" if net.entry in self.study["classifiers"] else "translators"
        entry = self.study[section][net.entry]
        if entry["use"].startswith("pretrained/"):
            return self._converted(net, entry)
        objective = self.component_block(section, net.entry)
        references = {
            *("train", "validation", "outliers", "classifier", "static_networks", "draws", "backward"),
            *("calibration", "source", "seeds", "model"),
        }
        loop = {key: value for key, value in entry.items() if key not in objective and key not in references}
        settings = self._torch(component=objective, architecture=entry["model"], seed=net.seed, loop=loop)
        if section == "classifiers" and (watched := watched_attacks(objective)):
            settings["watched"] = watched
        if self.study["study"]["precision"] == precision.BFLOAT16:
            settings["precision"] = precision.BFLOAT16
        inputs: dict[str, str | list[str]] = {
            "train": self.layout.set_file(Set(entry["train"])),
            "validation": self.layout.set_file(Set(entry["validation"])),
        }
        if entry["outliers"]:
            inputs["outliers"] = [self.layout.set_file(Set(name)) for name in entry["outliers"]]
        if entry.get("classifier"):
            victim = self.layout.partner("classifiers", entry["classifier"], net.seed)
            inputs["classifier"] = self.layout.network(victim)
            settings["classifier_architecture"] = self.layout.architecture(victim)
        if entry.get("static_networks"):
            static = [self.layout.partner("classifiers", name, net.seed) for name in entry["static_networks"]]
            inputs["static_networks"] = [self.layout.network(other) for other in static]
            settings["static_architectures"] = [self.layout.architecture(other) for other in static]
        return Task("train", inputs, self.layout.network(net), settings)

    def _converted(self, net: Net, entry: dict[str, Any]) -> Task:
        """Return the task that converts a file of weights to a checkpoint."""
        settings = self._torch(component=self.component_block("classifiers", net.entry), architecture=entry["model"])
        settings |= {key: entry[key] for key in ("input_shape", "classes", "mean", "std")}
        settings["sha256"] = self._folder_digest(entry["source"])
        inputs: dict[str, str | list[str]] = {"folder": self.layout.raw(entry["source"])}
        return Task("convert", inputs, self.layout.network(net), settings)

    def _model(self, net: Net) -> tuple[dict[str, str | list[str]], dict[str, Any]]:
        """Return the inputs and settings that a job needs to load a network or defence."""
        if net.entry not in self.study["defences"]:
            return {"checkpoint": self.layout.network(net)}, {"architecture": self.layout.architecture(net)}
        entry = self.study["defences"][net.entry]
        classifier = Net(entry["classifier"], net.seed)
        translators = [self.layout.partner("translators", name, net.seed) for name in entry["translator"]]
        inputs, settings = self._model(classifier)
        inputs["translators"] = [self.layout.network(translator) for translator in translators]
        settings["translator_architectures"] = [self.layout.architecture(translator) for translator in translators]
        if entry["router"]:
            read = self.layout.router_of(net)
            inputs["router"] = self.layout.detector_of(read, entry["router"])
            if read != classifier:
                inputs["encoder"] = self.layout.network(read)
                settings["encoder_architecture"] = self.layout.architecture(read)
            settings["router"] = self.component_block("detectors", entry["router"])
            settings["false_positive_rate"] = f"{entry['false_positive_rate']:g}"
            settings["router_confounding"] = self._labels(self._label_of(entry["router"]))
        return inputs, settings

    def _as_attacked(self, net: Net) -> tuple[dict[str, str | list[str]], dict[str, Any]]:
        """Return the inputs and settings that a job needs to attack a network or defence."""
        inputs, settings = self._model(net)
        entry = self.study["classifiers"].get(net.entry, {})
        if entry.get("backward"):
            other = self.layout.partner("classifiers", entry["backward"], net.seed)
            inputs["backward"] = self.layout.network(other)
            settings["backward_architecture"] = self.layout.architecture(other)
        return inputs, settings | self._drawn(net)

    def _drawn(self, net: Net) -> dict[str, int]:
        """Return the settings of a job on a network that draws random numbers; none for another network."""
        draws = self.study["classifiers"].get(net.entry, {}).get("draws", 1)
        return {"draws": draws, "seed": net.seed} if draws > 1 else {}

    def attack(self, attacked: Set) -> Task:
        """Return the task that attacks a set."""
        network = Net.parse(attacked.victim)
        inputs, settings = self._as_attacked(network)
        inputs["examples"] = self.layout.set_file(Set(attacked.examples))
        settings |= self._torch(
            component=self.component_block("attacks", attacked.attack),
            seed=network.seed,
            batch_size=self.study["study"]["batch_size"],
        )
        detector, rate = attacked.victim_detector
        if detector:
            inputs["detector"] = self.layout.detector_of(network, detector)
            calibration = Set(self.layout.calibration(network))  # clean images that an attacker may imitate
            read = self._component("detectors", detector).call.data
            if "in_distribution" in self._component("attacks", attacked.attack).call.data:
                read = (*read, "images")  # an attack on the score starts from images, even if the detector reads none
            inputs |= self._read(read, network, calibration, "typical_")
            settings |= {"detector": self.component_block("detectors", detector), "false_positive_rate": rate}
            settings["confounding"] = self._labels(self._label_of(detector))
        return Task("attack", inputs, self.layout.set_file(attacked), settings)

    def _labels(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the settings of the confounding labels with these names."""
        selected = set(names)
        return {name: block for name, block in self.study["confounding"].items() if name in selected}

    def _label_of(self, detector: str) -> list[str]:
        """Return the confounding label whose gradient norms a detector reads, if any."""
        label = self.study["detectors"][detector].get("label")
        return [label] if label else []

    def translate(self, translated: Set) -> Task:
        """Return the task that translates a set."""
        net = Net.parse(translated.translator)
        inputs: dict[str, str | list[str]] = {
            "examples": self.layout.set_file(replace(translated, translator="")),
            "checkpoint": self.layout.network(net),
        }
        settings = self._torch(architecture=self.layout.architecture(net), batch_size=self.study["study"]["batch_size"])
        return Task("translate", inputs, self.layout.set_file(translated), settings)

    def infer(self, net: Net, examples: Set) -> Task:
        """Return the task that runs a network on a set.

        It computes the gradient norms of all confounding labels. A plan leaves out those that nothing reads.
        """
        inputs, settings = self._model(net)
        settings |= self._torch(batch_size=self.study["study"]["batch_size"]) | self._drawn(net)
        settings["confounding"] = {} if net.entry in self.study["defences"] else self.study["confounding"]
        inputs["examples"] = self.layout.set_file(examples)
        return Task("infer", inputs, self.layout.outputs_of(net, examples), settings)

    def measure(self, net: Net, margin: str, examples: Set) -> Task:
        """Return the task that measures distances to a network's decision boundary."""
        inputs, settings = self._as_attacked(net)
        settings |= self._torch(
            component=self.component_block("margins", margin),
            seed=net.seed,
            batch_size=self.study["study"]["batch_size"],
        )
        read = {"examples": self.layout.set_file(examples)} | inputs
        return Task("measure", read, self.layout.margins_of(net, margin, examples), settings)

    def _component(self, section: str, entry: str) -> registry.Component:
        return registry.used(self.study[section][entry]["use"])

    def _read(self, data: tuple[str, ...], net: Net, examples: Set, prefix: str = "") -> dict[str, str]:
        """Return the input files of a detector on one set, by role."""
        files = {}
        if {"logits", "features", "gradient_norms", "labels"} & set(data):
            files[prefix + "outputs"] = self.layout.outputs_of(net, examples)
        if "images" in data:
            files[prefix + "examples"] = self.layout.set_file(examples)
        if "model" in data:
            files[prefix + "examples"] = self.layout.set_file(examples)
            files["checkpoint"] = self.layout.network(net)
        return files

    def _detector_settings(self, detector: str, net: Net) -> dict[str, Any]:
        settings = self._torch(
            component=self.component_block("detectors", detector), batch_size=self.study["study"]["batch_size"]
        )
        if "model" in self._component("detectors", detector).data:
            settings["architecture"] = self.layout.architecture(net)
        return settings

    def fit(self, net: Net, detector: str) -> Task:
        """Return the task that fits a detector on a network."""
        entry, component = self.study["detectors"][detector], self._component("detectors", detector)
        # A detector of unknown classes may be fitted on a network with fewer classes than the one that it guards.
        other = entry["classifier"]
        fitted = self.layout.partner("classifiers", other, net.seed) if other else net
        inputs: dict[str, str | list[str]] = {}
        if component.fit is not None:
            kinds = tuple(data.removeprefix("fit_") for data in component.fit.data if data.startswith("fit_"))
            inputs |= self._read(kinds, fitted, Set(entry["fit"]), "fit_")
            kinds = tuple(data.removeprefix("anomalous_") for data in component.fit.data if "anomalous_" in data)
            for name in entry["anomalous"]:
                attacked = name in self.study["attacks"]
                anomalous = Set(entry["fit"], str(fitted), name) if attacked else Set(name)
                for role, file in self._read(kinds, fitted, anomalous, "anomalous_").items():
                    inputs[role] = [*inputs.get(role, []), file]
        inputs |= self._read(component.call.data, net, Set(self.layout.calibration(net, detector)))
        settings = self._detector_settings(detector, net) | {
            "seed": net.seed,
            "false_positive_rates": self.study["study"]["false_positive_rates"],
        }
        return Task("fit", inputs, self.layout.detector_of(net, detector), settings)

    def score(self, net: Net, detector: str, examples: Set) -> Task:
        """Return the task that scores a set with a detector."""
        data = self._component("detectors", detector).call.data
        inputs: dict[str, str | list[str]] = {"detector": self.layout.detector_of(net, detector)}
        inputs |= self._read(data, net, examples)
        settings = self._detector_settings(detector, net)
        return Task("score", inputs, self.layout.scores_of(net, detector, examples), settings)


def watched_attacks(objective: dict[str, Any]) -> dict[str, Any]:
    """Return the attacks under which a training's accuracy is measured after each epoch; none if it attacks no image.

    They are the attack of the training and, with its eps, PGD of 20 steps, which leaves an image once it is misclassified:
    the accuracy is the same. An objective without an attack of its own, such
    as `trades` or `mma`, has PGD of as many steps as its inner loop.
    """
    own = objective.get("attack")
    if own is None and objective.get("steps") and objective.get("attack_inliers", True):
        own = {
            "use": "attacks/pgd",
            **{key: objective[key] for key in ("eps", "steps", "step_size") if key in objective},
        }
    if own is None or "eps" not in own:
        return {}
    pgd = {"use": "attacks/pgd", "eps": own["eps"], "steps": 20, "stop_on_success": True}
    return {"training_attack": own, "pgd": pgd}
