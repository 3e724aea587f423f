"""Which example sets of a study one job handles together."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import product

from touchstone.pipeline.planning.layout import Layout
from touchstone.pipeline.planning.parts import Batch, Set


class Batches:
    """The groups of example sets that one job attacks, translates or runs a network on."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.study = layout, layout.study

    @cached_property
    def attacked(self) -> frozenset[tuple[str, str, str]]:
        """The attacks that some evaluation or detector requires.

        Each is a triple: example set, attack, and the detector that an adaptive attack targets ("" for none).
        """
        triples = set()
        for question in self.study["evaluations"].values():
            for examples in question["attacked"] or question["examples"]:
                for attack in question["attacks"]:
                    guards = question["detectors"] if self.layout.adaptive(attack) else [""]
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
                (
                    self.layout.group_of("examples", e),
                    self.layout.group_of("attacks", a),
                    d and self.layout.group_of("detectors", d),
                )
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
        """Return one batch per group of required attacks.

        The victim is a wildcard. An adaptive attack has one victim per detector that an evaluation combines it with.
        """
        groups = self.study["groups"]
        batches = []
        for examples, attacks, detectors in self.attacked_groups:
            sets = [
                Set(entry, self.layout.guarded("{net}", guard) if guard else "{victim}", attack)
                for guard in (groups["detectors"][detectors] if detectors else [""])
                for entry in groups["examples"][examples]
                for attack in groups["attacks"][attacks]
                if (entry, attack, guard) in self.attacked
            ]
            name = "_".join(part for part in (examples, attacks, detectors) if part)
            batches.append(Batch(name, tuple(sets), detectors))
        return batches

    @cached_property
    def translated(self) -> frozenset[tuple[str, str, str]]:
        """The translations that some evaluation requires.

        Each is a triple: example set, attack ("" for none), translator.
        """
        triples = set()
        for question in self.study["evaluations"].values():
            attacked = product(
                question["attacked"] or question["examples"],
                (name for name in question["attacks"] if not self.layout.adaptive(name)),
            )
            sets = [*((name, "") for name in question["examples"]), *attacked]
            triples |= {(*one, translator) for one in sets for translator in question["translators"]}
        return frozenset(triples)

    def translated_batches(self) -> list[Batch]:
        """Return the batches that each group of translators creates.

        The seed of the translators is a wildcard.
        """
        batches = []
        for group, members in self.study["groups"]["translators"].items():
            for batch in [*self.clean_batches(), *self.attacked_batches()]:
                sets = [
                    replace(one, translator=f"{name}.{{seed}}")
                    for one in batch.sets
                    for name in members
                    if (one.examples, one.attack, name) in self.translated
                ]
                if sets:
                    batches.append(Batch(f"{batch.name}_{group}", tuple(sets)))
        return batches

    def all_batches(self) -> list[Batch]:
        """Return every batch that jobs run networks on."""
        return [*self.clean_batches(), *self.attacked_batches(), *self.translated_batches()]
