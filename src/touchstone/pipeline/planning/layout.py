"""Where the artefacts of a study are, and which entries it handles together."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from touchstone.pipeline.planning.parts import Net, Set
from touchstone.pipeline.provenance.addresses import BUNDLE, Address
from touchstone.pipeline.settings.sections import on_detectors, on_pipelines
from touchstone.pipeline.settings.study import Study
from touchstone.report import packing

SUFFIX = ".safetensors"


class Layout:
    """The networks of a study, its groups, and the address of each artefact."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.folder = f"data/{study.name}"

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
        return frozenset(f"data/raw/{source}" for source in self.study["sources"])

    @property
    def unpinned(self) -> list[str]:
        """The sources whose sha256 is null: their raw files are not verified."""
        return [name for name, entry in self.study["sources"].items() if entry["sha256"] is None]

    @property
    def more_pages(self) -> list[str]:
        """The files that the report step writes besides the page."""
        return [
            f"reports/{self.study.name}/{name}"
            for name in (packing.METRICS, "metrics.json", "claims.csv", "claims.tex", "ROOT", "figures")
        ]

    def file(self, kind: str, *parts: object) -> str:
        """Return the path of an artefact in the study's folder."""
        ending = ".csv" if kind == "metrics" else SUFFIX
        return "/".join([self.folder, kind, *map(str, parts)]) + ending

    def set_file(self, examples: Set) -> str:
        """Return the path of an example set."""
        return self.file(examples.kind, examples.address)

    def outputs_of(self, net: object, examples: Set) -> str:
        """Return the address of a network's outputs on an example set."""
        return self._bundled(("outputs", net), examples, examples.address)

    def margins_of(self, net: object, margin: str, examples: Set) -> str:
        """Return the address of a set's distances to a network's decision boundary."""
        return self._bundled(("margins", net, margin), examples, examples.address)

    def scores_of(self, net: object, detector: str, examples: Set) -> str:
        """Return the address of a detector's scores on an example set."""
        group = self.group_of("detectors", detector)
        return self._bundled(("scores", net, group), examples, f"{detector}/{examples.address}")

    def detector_of(self, net: object, detector: str) -> str:
        """Return the address of a detector that is fitted on a network."""
        return str(Address(self._bundle("detectors", net, self.group_of("detectors", detector)), detector))

    def _bundle(self, *parts: object) -> str:
        return "/".join([self.folder, *map(str, parts)]) + BUNDLE

    def _bundled(self, parts: tuple[object, ...], examples: Set, member: str) -> str:
        """Return the address of one set's result, a member of its job's bundle.

        Args:
            parts: The path of the bundle, up to its batch.
            examples: The example set.
            member: The name of the member.
        """
        return str(Address(self._bundle(*parts, self._batch_of(examples)), member))

    def _batch_of(self, examples: Set) -> str:
        """Return the set's batch as a path: its groups, then the victim and the translator's seed if there are any."""
        detector, translator = examples.guard[0], Net.parse_open(examples.translator)
        groups = [
            self.group_of("examples", examples.examples),
            *([self.group_of("attacks", examples.attack)] if examples.attack else []),
            *([self.group_of("detectors", detector)] if detector else []),
            *([self.group_of("translators", translator[0])] if examples.translator else []),
        ]
        victim = [examples.victim] if examples.victim and not detector else []
        return "/".join(["_".join(groups), *victim, *([translator[1]] if examples.translator else [])])

    def group_of(self, section: str, entry: str) -> str:
        """Return the name of the group that contains an entry."""
        return self._groups[section, entry]

    @cached_property
    def _groups(self) -> dict[tuple[str, str], str]:
        sections: dict[str, dict[str, list[str]]] = self.study["groups"]
        group_names: dict[tuple[str, str], str] = {}
        for section, groups in sections.items():
            for name, members in groups.items():
                for entry in members:
                    group_names.setdefault((section, entry), name)
        return group_names

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

    def calibration(self, net: Net, detector: str = "") -> str:
        """Return the set of clean images that calibrates a network's detectors, or one of them."""
        own: str | None = self.study["detectors"][detector]["calibration"] if detector else None
        of_network: str | None = self.study["classifiers"][net.entry]["calibration"]
        return own or of_network or str(self.study["study"]["calibration"])
