"""The files of a study, and the batches that one job creates together."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from touchstone.pipeline.planning.parts import Batch, Net, Set
from touchstone.pipeline.provenance.addresses import BUNDLE, Address
from touchstone.pipeline.settings.sections import on_pipelines
from touchstone.pipeline.settings.study import Study
from touchstone.report import packing

SUFFIX = ".safetensors"


class Batches:
    """The names of a study's files and networks, and the batches of its example sets."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.folder = f"data/{study.name}"

    # --- names ------------------------------------------------------------------------------------------------

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
        return self._bundled(("scores", net, group), examples, f"{detector}/{examples.address}", whole=True)

    def detector_of(self, net: object, detector: str) -> str:
        """Return the address of a detector that is fitted on a network."""
        return str(Address(self._bundle("detectors", net, self.group_of("detectors", detector)), detector))

    def _bundle(self, *parts: object) -> str:
        return "/".join([self.folder, *map(str, parts)]) + BUNDLE

    def _bundled(self, parts: tuple[object, ...], examples: Set, member: str, whole: bool = False) -> str:
        """Return the address of one set's result: usually a member of the job's bundle.

        A result that is computed shard by shard is large, so it gets a separate file. Scores are never sharded.

        Args:
            parts: The path of the bundle, up to its batch.
            examples: The example set.
            member: The name of the member.
            whole: Whether one job processes the whole set, even if the set has shards.
        """
        if not whole and self.study["examples"][examples.examples]["shards"] > 1:
            return self.file(*map(str, parts), member)
        return str(Address(self._bundle(*parts, self._batch_of(examples)), member))

    def _batch_of(self, examples: Set) -> str:
        """Return a path: the set's batch, then the networks that its jobs differ in."""
        detector, translator = examples.guard[0], Net.parse_open(examples.translator)
        groups = [
            self.group_of("examples", examples.examples),
            *([self.group_of("attacks", examples.attack)] if examples.attack else []),
            *([self.group_of("detectors", detector)] if detector else []),
            *([self.group_of("translators", translator[0])] if examples.translator else []),
        ]
        victim = [examples.victim] if examples.victim and not detector else []
        return "/".join(["_".join(groups), *victim, *([translator[1]] if examples.translator else [])])

    # --- batches ----------------------------------------------------------------------------------------------

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
        entry = self.study["attacks"][attack]
        return str(entry["use"]).startswith("adaptive/") and not on_pipelines(entry)

    def fits(self, attack: str, victim: str) -> bool:
        """Return whether an attack applies to a victim.

        An attack on a pipeline needs a defence.
        """
        return not on_pipelines(self.study["attacks"][attack]) or victim in self.study["defences"]

    @cached_property
    def attacked(self) -> frozenset[tuple[str, str, str]]:
        """The attacks that some evaluation or detector requires.

        Each is a triple: example set, attack, and the detector that an adaptive attack targets ("" for none).
        """
        triples = set()
        for question in self.study["evaluations"].values():
            for examples in question["attacked"] or question["examples"]:
                for attack in question["attacks"]:
                    guards = question["detectors"] if self.adaptive(attack) else [""]
                    triples |= {(examples, attack, guard) for guard in guards}
        for detector in self.study["detectors"].values():
            triples |= {(detector["fit"], name, "") for name in detector["anomalous"] if name in self.study["attacks"]}
        return frozenset(triples)

    @cached_property
    def attacked_groups(self) -> list[tuple[str, str, str]]:
        """The groups of the required attacks, sorted.

        Each is a triple of groups: example sets, attacks, detectors ("" for none).
        """
        return sorted(
            {
                (self.group_of("examples", e), self.group_of("attacks", a), d and self.group_of("detectors", d))
                for e, a, d in self.attacked
            }
        )

    def shards_of(self, group: list[str]) -> int:
        """Return the number of shards of every example set in a group."""
        shards: int = self.study["examples"][group[0]]["shards"]
        return shards

    def clean_batches(self) -> list[Batch]:
        """Return one batch per group of example sets."""
        return [
            Batch(name, tuple(Set(entry) for entry in members), shards=self.shards_of(members))
            for name, members in self.study["groups"]["examples"].items()
        ]

    def attacked_batches(self) -> list[Batch]:
        """Return one batch per group of required attacks.

        The victim is a wildcard. An adaptive attack has one victim per detector that an evaluation combines it with.
        """
        groups = self.study["groups"]
        adaptive_pairs = {triple[1:] for triple in self.attacked}
        batches = []
        for examples, attacks, detectors in self.attacked_groups:
            sets = [
                Set(entry, self.guarded("{net}", guard) if guard else "{victim}", attack)
                for guard in (groups["detectors"][detectors] if detectors else [""])
                for entry in groups["examples"][examples]
                for attack in groups["attacks"][attacks]
                if not guard or (attack, guard) in adaptive_pairs
            ]
            name = "_".join(part for part in (examples, attacks, detectors) if part)
            batches.append(Batch(name, tuple(sets), detectors, self.shards_of(groups["examples"][examples])))
        return batches

    def guarded(self, net: object, detector: str) -> str:
        """Return the name of a guarded network, as in NET+DETECTOR@FPR.

        FPR is the false-positive rate of the threshold that adaptive attacks have to stay below.
        """
        return f"{net}+{detector}@{self.study['study']['attacked_false_positive_rate']:g}"

    def translatable_batches(self, translators: list[str]) -> list[Batch]:
        """Return the clean and attacked batches that these translators translate."""
        names = set()
        for question in self.study["evaluations"].values():
            if set(translators) & set(question["translators"]):
                groups = {self.group_of("examples", name) for name in question["examples"]}
                attacked = {self.group_of("examples", name) for name in question["attacked"] or question["examples"]}
                attacks = {self.group_of("attacks", name) for name in question["attacks"] if not self.adaptive(name)}
                names |= groups | {f"{e}_{a}" for e in attacked for a in attacks}
        return [batch for batch in [*self.clean_batches(), *self.attacked_batches()] if batch.name in names]

    def translated_batches(self) -> list[Batch]:
        """Return the batches that each group of translators creates.

        The seed of the translators is a wildcard.
        """
        return [
            Batch(
                f"{batch.name}_{group}",
                tuple(replace(s, translator=f"{name}.{{seed}}") for s in batch.sets for name in members),
                shards=batch.shards,
            )
            for group, members in self.study["groups"]["translators"].items()
            for batch in self.translatable_batches(members)
        ]

    def all_batches(self) -> list[Batch]:
        """Return every batch that jobs run networks on."""
        return [*self.clean_batches(), *self.attacked_batches(), *self.translated_batches()]
