"""Where the artefacts of a study are: which job makes each, and under which name."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from touchstone.pipeline.planning.parts import Net, Set
from touchstone.provenance.job_folders import RAW, RESULTS
from touchstone.report import packing
from touchstone.settings.sections import on_detectors, on_pipelines
from touchstone.settings.study import Study

SUFFIX = ".safetensors"


class Layout:
    """The networks of a study, and the path of each artefact.

    A path names the job that makes the artefact. An artefact belongs to the job of the network that it is about, and
    that of an attack on a whole defence to the job of the defence. So no two jobs wait for each other.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.folder = f"{RESULTS}/{study.name}"
        self.made_by: dict[
            str, tuple[str, tuple[Any, ...]]
        ] = {}  # path -> the step that makes it, and what it is about

    def nets(self, section: str) -> list[Net]:
        """Return the networks or defences of a section, one per entry and seed.

        Args:
            section: `classifiers`, `translators` or `defences`.
        """
        return [Net(name, seed) for name, entry in self.study[section].items() for seed in entry["seeds"]]

    def models(self, entry: str) -> list[Net]:
        """Return the networks or defences of one entry, one per seed.

        Jobs run and attack a defence just like a network.
        """
        section = "defences" if entry in self.study["defences"] else "classifiers"
        return [net for net in self.nets(section) if net.entry == entry]

    @cached_property
    def raw_folders(self) -> frozenset[str]:
        """The folders of raw files, one per source."""
        return frozenset(f"{RAW}/{source}" for source in self.study["sources"])

    @property
    def unpinned(self) -> list[str]:
        """The sources whose sha256 is null: their raw files are not verified."""
        return [name for name, entry in self.study["sources"].items() if entry["sha256"] is None]

    @property
    def more_pages(self) -> list[str]:
        """The files that the report step writes besides the page."""
        return [
            f"reports/{self.study.name}/{name}"
            for name in ("README.md", packing.METRICS, "metrics.json", "claims.csv", "claims.tex", "ROOT", "figures")
        ]

    # --- artefacts: each has a path in the folder of the job that makes it ---

    def raw(self, source: str) -> str:
        """Return the folder of a source's raw files, which all studies share."""
        return self._made_by(f"{RAW}/{source}", "fetch", source)

    def set_file(self, examples: Set) -> str:
        """Return the path of an example set."""
        if examples.kind == "examples":
            return self._artefact(
                "prepare", self.study.name, f"examples/{examples.address}", "prepare", examples.examples
            )
        if self._is_defence(examples.victim):
            rule, job = "defend", examples.victim
        elif examples.translator:
            rule, job = "translate", examples.translator.rpartition(".")[2]
        else:
            rule, job = ("detect" if examples.victim_detector[0] else "attack"), examples.victim.partition("+")[0]
        step = "translate" if examples.translator else "attack"
        return self._artefact(rule, job, f"{examples.kind}/{examples.address}", step, examples)

    def network(self, net: Net) -> str:
        """Return the path of a trained network or translator."""
        return self._artefact("train", net, f"networks/{net}", "train", net)

    def outputs_of(self, net: Net, examples: Set) -> str:
        """Return the path of a network's outputs on an example set."""
        if self._is_defence(examples.victim):
            rule, job = "defend", examples.victim
        elif net.entry in self.study["defences"]:
            rule, job = "defend", str(net)
        else:
            rule, job = ("detect" if net.entry in self.with_detectors else "measure"), str(net)
        return self._artefact(rule, job, f"outputs/{net}/{examples.address}", "infer", net, examples)

    def margins_of(self, net: Net, margin: str, examples: Set) -> str:
        """Return the path of a set's distances to a network's decision boundary."""
        name = f"margins/{net}/{margin}/{examples.address}"
        return self._artefact("measure", net, name, "measure", net, margin, examples)

    def detector_of(self, net: Net, detector: str) -> str:
        """Return the path of a detector that is fitted on a network."""
        return self._artefact("detect", net, f"detectors/{net}/{detector}", "fit", net, detector)

    def scores_of(self, net: Net, detector: str, examples: Set) -> str:
        """Return the path of a detector's scores on an example set."""
        rule, job = ("defend", examples.victim) if self._is_defence(examples.victim) else ("detect", str(net))
        name = f"scores/{net}/{detector}/{examples.address}"
        return self._artefact(rule, job, name, "score", net, detector, examples)

    def metrics(self, evaluation: str) -> str:
        """Return the path of the table of an evaluation."""
        paper = self.study["evaluations"][evaluation]["system"]
        return self._artefact("evaluate", paper, f"metrics/{evaluation}", "evaluate", evaluation, ending=".csv")

    @property
    def page(self) -> str:
        """The path of the report's page."""
        return self._made_by(f"reports/{self.study.name}/report.html", "report")

    def _artefact(self, rule: str, job: object, name: str, step: str, *about: object, ending: str = SUFFIX) -> str:
        return self._made_by(f"{self.folder}/{rule}/{job}/{name}{ending}", step, *about)

    def _made_by(self, path: str, step: str, *about: object) -> str:
        self.made_by[path] = (step, about)
        return path

    def _is_defence(self, victim: str) -> bool:
        return bool(victim) and Net.parse(victim).entry in self.study["defences"]

    @cached_property
    def with_detectors(self) -> frozenset[str]:
        """The entries of networks on which detectors are fitted."""
        entries = {
            name
            for question in self.study["evaluations"].values()
            if question["detectors"] or question["certificates"]
            for name in (*question["classifiers"], *question["rivals"])
        }
        routed = (net for net in self.nets("defences") if self.study["defences"][net.entry]["router"])
        return frozenset(entries - self.study["defences"].keys()) | {self.router_of(net).entry for net in routed}

    def adaptive(self, attack: str) -> bool:
        """Return whether an attack targets a network behind a detector."""
        return on_detectors(self.study["attacks"][attack])

    def fits(self, attack: str, victim: str) -> bool:
        """Return whether an attack applies to a victim.

        An attack on a pipeline needs a defence.
        """
        return not on_pipelines(self.study["attacks"][attack]) or victim in self.study["defences"]

    def guarded(self, net: object, detector: str) -> str:
        """Return the name of a guarded network, as in NET+DETECTOR@FPR.

        FPR is the false-positive rate of the threshold that adaptive attacks have to stay below.
        """
        return f"{net}+{detector}@{self.study['study']['attacked_false_positive_rate']:g}"

    def architecture(self, net: Net) -> dict[str, Any]:
        """Return the `model` block of a trained entry."""
        section = "classifiers" if net.entry in self.study["classifiers"] else "translators"
        block: dict[str, Any] = self.study[section][net.entry]["model"]
        return block

    def partner(self, section: str, entry: str, seed: int) -> Net:
        """Return the network of an entry with this seed, or else with its first seed."""
        seeds = self.study[section][entry]["seeds"]
        return Net(entry, seed if seed in seeds else seeds[0])

    def router_of(self, defence: Net) -> Net:
        """Return the network that a defence's router reads: its encoder or classifier."""
        entry = self.study["defences"][defence.entry]
        return self.partner("classifiers", entry["encoder"] or entry["classifier"], defence.seed)

    def same_split(self, net: Net, examples: str | None) -> bool:
        """Return whether a network may meet a set: not if both belong to random splits of the classes, to different ones.

        Args:
            net: a network or a defence.
            examples: a set to test on or to fit a detector on; None for no set.
        """
        defence = self.study["defences"].get(net.entry)
        train = self.study["classifiers"][defence["classifier"] if defence else net.entry].get("train")
        splits = [self._split(name) for name in (train, examples)]
        return None in splits or splits[0] == splits[1]

    def _split(self, examples: str | None) -> int | None:
        """Return the number of the random split of the classes that a set is a part of; None if it is of none."""
        if examples is None:
            return None
        entry: dict[str, Any] = self.study["examples"][examples]
        return entry["split"] if entry["use"] == "data/class_split" else self._split(entry["of"])

    def calibration(self, net: Net, detector: str = "") -> str:
        """Return the set of clean images that calibrates a network's detectors, or one of them."""
        own: str | None = self.study["detectors"][detector]["calibration"] if detector else None
        of_network: str | None = self.study["classifiers"][net.entry]["calibration"]
        return own or of_network or str(self.study["study"]["calibration"])
