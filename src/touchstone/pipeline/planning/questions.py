"""The tasks of `evaluate` and `report`, and the cells of each evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from touchstone import registry
from touchstone.pipeline.planning.layout import Layout
from touchstone.pipeline.planning.parts import CellPlan, Net, Set, Task
from touchstone.pipeline.planning.tasks import Tasks
from touchstone.provenance.job_folders import name_of
from touchstone.settings.sections import on_pipelines


class Questions:
    """The inputs of a study's evaluations and of its report."""

    def __init__(self, layout: Layout, tasks: Tasks) -> None:
        self.layout, self.tasks, self.study = layout, tasks, layout.study

    def _sets(self, question: dict[str, Any], net: Net) -> Iterator[Set]:
        """Yield the sets that an evaluation needs of one classifier.

        These are the clean and the attacked sets, and the translations of both.
        """
        victims = [self._paired(name, net.seed) for name in question["victims"]] or [net]
        tested = [name for name in question["examples"] if self.layout.same_split(net, name)]
        sets = [Set(name) for name in tested]
        attacked = question["attacked"] or tested
        whole = {attack for attack in question["attacks"] if on_pipelines(self.study["attacks"][attack])}
        direct = whole | set(question["direct_attacks"])
        plain = [attack for attack in question["attacks"] if not self.layout.adaptive(attack)]
        # Direct attacks and attacks on a whole defence target the evaluated network or defence, whatever the victims of
        # the other attacks are.
        sets += [
            Set(name, str(victim), attack)
            for attack in plain
            for victim in ([net] if attack in direct else dict.fromkeys(victims))
            for name in attacked
            if self.layout.fits(attack, victim.entry)
        ]
        translators = [self.layout.partner("translators", name, net.seed) for name in question["translators"]]
        yield from sets
        for translator in translators:
            yield from (replace(examples, translator=str(translator)) for examples in sets)
        for detector in self._detectors(question, net):
            adaptive = [attack for attack in question["attacks"] if self.layout.adaptive(attack)]
            yield from (
                Set(name, self.layout.guarded(net, detector), attack) for name in attacked for attack in adaptive
            )

    def _detectors(self, question: dict[str, Any], net: Net) -> list[str]:
        """Return the detectors of an evaluation that are for a network."""
        fitted = self.study["detectors"]
        return [name for name in question["detectors"] if self.layout.same_split(net, fitted[name]["fit"])]

    def _calibration(self, net: Net, detector: str) -> tuple[str, Set]:
        """Return the scores of the images that gave a detector's thresholds, and these images."""
        calibration = Set(self.layout.calibration(net, detector))
        return self.layout.scores_of(net, detector, calibration), calibration

    def _paired(self, entry: str, seed: int) -> Net:
        section = "defences" if entry in self.study["defences"] else "classifiers"
        return self.layout.partner(section, entry, seed)

    def cells(self, evaluation: str, roles: tuple[str, ...]) -> list[CellPlan]:
        """Return the artefacts that an evaluation or figure reads, each with its facts.

        Args:
            evaluation: The name of the evaluation.
            roles: The kinds of artefacts, such as `outputs` or `scores`.
        """
        question = self.study["evaluations"][evaluation]
        plans: dict[tuple[str, str], CellPlan] = {}

        def add(role: str, file: str, examples: Set, **facts: Any) -> None:
            attack = self.tasks.component_block("attacks", examples.attack) if examples.attack else {}
            facts["settings"] = attack | facts.get("settings", {})
            facts |= {key: getattr(examples, key) for key in ("examples", "victim", "attack", "translator")}
            plans.setdefault((role, file), CellPlan(role, file, facts))

        nets = self._nets(question, "classifiers")
        for name in question["examples"] if "examples" in roles else []:
            add("examples", self.layout.set_file(Set(name)), Set(name))
        translators = [
            n for name in question["translators"] for n in self.layout.nets("translators") if n.entry == name
        ]
        for net in translators if "checkpoints" in roles else []:
            add("checkpoints", self.layout.network(net), Set("", translator=str(net)), seed=net.seed)
        for net in nets:
            network: dict[str, Any] = {"entry": net.entry, "seed": net.seed}
            if defence := self.study["defences"].get(net.entry):
                protected = Net(defence["classifier"], net.seed)
                network["settings"] = {"protects": str(protected)}
                if defence["router"] and "detectors" in roles:
                    rate = {"settings": network["settings"] | {"false_positive_rate": defence["false_positive_rate"]}}
                    file = self.layout.detector_of(self.layout.router_of(net), defence["router"])
                    add("detectors", file, Set(""), **network | rate, detector=defence["router"])
                if defence["router"] and "calibration_scores" in roles:
                    read, router = self.layout.router_of(net), defence["router"]
                    add("calibration_scores", *self._calibration(read, router), **network, detector=router)
            elif "checkpoints" in roles:
                add("checkpoints", self.layout.network(net), Set(""), **network)
            detectors = self._detectors(question, net)
            for detector in detectors if "detectors" in roles else []:
                # A detector's name need not show on which anomalous data it was fitted.
                trained = {"anomalous": self.study["detectors"][detector]["anomalous"]}
                file = self.layout.detector_of(net, detector)
                add("detectors", file, Set(""), detector=detector, **network | {"settings": trained})
            for detector in detectors if "calibration_scores" in roles else []:
                add("calibration_scores", *self._calibration(net, detector), **network, detector=detector)
            if question["fit"]:  # clean data for a fit or a threshold, disjoint from the examples
                held_out = Set(question["fit"])
                if "fit_outputs" in roles:
                    add("fit_outputs", self.layout.outputs_of(net, held_out), held_out, **network)
                for margin in question["margins"] if "fit_margins" in roles else []:
                    file = self.layout.margins_of(net, margin, held_out)
                    add("fit_margins", file, held_out, margin=margin, **network)
            for examples in self._sets(question, net):
                if "examples" in roles and examples.kind != "examples":
                    add("examples", self.layout.set_file(examples), examples, **network)
                if "outputs" in roles:
                    add("outputs", self.layout.outputs_of(net, examples), examples, **network)
                clean = examples.kind == "examples"  # certificates and margins are computed on clean sets only
                scorers = [*detectors, *(_certificates(question, examples.examples) if clean else [])]
                for detector in scorers if "scores" in roles else []:
                    if examples.victim_detector[0] in ("", detector):
                        file = self.layout.scores_of(net, detector, examples)
                        add("scores", file, examples, detector=detector, **network)
                for detector in detectors if "crossed_scores" in roles else []:  # also where another one was attacked
                    file = self.layout.scores_of(net, detector, examples)
                    add("crossed_scores", file, examples, detector=detector, **network)
                for margin in question["margins"] if "margins" in roles and clean else []:
                    add("margins", self.layout.margins_of(net, margin, examples), examples, margin=margin, **network)
        for net in self._nets(question, "rivals"):
            network = {"entry": net.entry, "seed": net.seed}
            for examples in self._sets(question | {"victims": [], "translators": []}, net):
                if "rival_outputs" in roles and not examples.victim_detector[0]:
                    add("rival_outputs", self.layout.outputs_of(net, examples), examples, **network)
                for detector in self._detectors(question, net) if "rival_scores" in roles else []:
                    if examples.victim_detector[0] in ("", detector):
                        file = self.layout.scores_of(net, detector, examples)
                        add("rival_scores", file, examples, detector=detector, **network)
        return list(plans.values())

    def _nets(self, question: dict[str, Any], role: str) -> list[Net]:
        """Return the networks and defences that an evaluation names in a role, of its seeds."""
        nets = (net for name in question[role] for net in self.layout.models(name))
        return [net for net in nets if question["seeds"] is None or net.seed in question["seeds"]]

    def _cells_task(self, cells: list[CellPlan]) -> tuple[list[str], list[dict[str, Any]]]:
        named = [{"role": cell.role, "file": name_of(cell.file), **cell.facts} for cell in cells]
        return [cell.file for cell in cells], named

    def evaluate(self, evaluation: str) -> Task:
        """Return the task that computes the metric rows of an evaluation."""
        component = self.tasks.component_block("evaluations", evaluation)
        files, cells = self._cells_task(self.cells(evaluation, registry.used(component["use"]).call.data))
        settings = {"evaluation": evaluation, "component": component, "cells": cells}
        return Task("evaluate", {"cells": files}, self.layout.metrics(evaluation), settings)

    def report(self) -> Task:
        """Return the task that writes the report."""
        figures, files = {}, []
        for name, entry in self.study["figures"].items():
            component = self.tasks.component_block("figures", name)
            roles = registry.used(component["use"]).call.data
            shown = [cell for cell in self.cells(entry["evaluation"], roles) if _pictured(cell, component)]
            paths, cells = self._cells_task(shown)
            files += paths
            figures[name] = {
                "component": component, "cells": cells, "caption": entry["caption"], "evaluation": entry["evaluation"],
                "also": entry["also"],
            }  # fmt: skip
        metrics = [self.layout.metrics(name) for name in self.study["evaluations"]]
        settings = {
            "study": self.study.name,
            "settings": {name: block for name, block in self.study.settings.items() if name != "papers"},
            "papers": self.study["papers"],
            "claims": self.claims(),
            "figures": figures,
            "components": self._summaries(),
            "evaluations": {
                name: {key: entry[key] for key in ("question", "system")}
                | {"meaning": registry.used(entry["use"]).call.meaning}
                for name, entry in self.study["evaluations"].items()
            },
        }
        inputs: dict[str, str | list[str]] = {"metrics": metrics, "cells": sorted(set(files))}
        return Task("report", inputs, self.layout.page, settings)

    def _summaries(self) -> dict[str, str]:
        """Return {component: one-sentence summary} of the components that the page names."""
        named = ("examples", "classifiers", "translators", "attacks", "margins", "detectors")
        uses = (entry["use"] for section in named for entry in self.study[section].values() if "use" in entry)
        return {use: registry.used(use).call.summary for use in dict.fromkeys(uses)}

    def claims(self) -> dict[str, Any]:
        """Return what the study says of the claims: components of evaluations, entries for roles, variants and words."""
        components = {name: entry["use"].split("/")[1] for name, entry in self.study["evaluations"].items()}
        more = {"variants": self.study.settings.get("variants"), "words": self.study.words}
        given = {name: value for name, value in more.items() if value}
        return {"components": components, "claims": self.study["claims"], **given}


def _certificates(question: dict[str, Any], examples: str) -> list[str]:
    """Return the certificates that an evaluation reads on a clean set.

    Those of `high` bound the scores of ID images, those of `low` the scores of other images. Computing them takes minutes.
    """
    ends = [set(question.get(end, ())) for end in ("low", "high")]
    other, read = ends if examples == question.get("id_examples") else reversed(ends)
    return [name for name in question["certificates"] if name not in other - read]


def _pictured(cell: CellPlan, component: dict[str, Any]) -> bool:
    """Return whether a figure shows this cell.

    A figure may be limited to one seed or classifier.
    """
    return all(
        component.get(key) is None or cell.facts.get(fact) in (None, component[key])
        for key, fact in (("seed", "seed"), ("classifier", "entry"))
    )
