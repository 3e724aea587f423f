"""The graph of a study: which step creates which file from which files.

A Task creates one artefact: a file, or a member of its job's bundle. A job of the workflow does the tasks of one batch,
so it imports torch only once for many files. A plan depends only on the settings and on a job's wildcards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property, lru_cache
from itertools import product

from touchstone import digests
from touchstone.pipeline.planning.batches import Batches
from touchstone.pipeline.planning.layout import Layout
from touchstone.pipeline.planning.parts import Batch, Rule, Set, Task
from touchstone.pipeline.planning.patterns import NETWORKS, as_pattern, starred
from touchstone.pipeline.planning.questions import Questions
from touchstone.pipeline.planning.readers import Readers, find_readers
from touchstone.pipeline.planning.tasks import Tasks
from touchstone.pipeline.provenance import code
from touchstone.pipeline.provenance.addresses import Address, files_of
from touchstone.pipeline.settings.study import Study, load


class Plan:
    """The plan of a study: its rules, and the jobs behind its report."""

    def __init__(self, study: Study) -> None:
        self.study, self.folder = study, f"data/{study.name}"
        self.layout = Layout(study)
        self.batches = Batches(self.layout)
        steps = Tasks(self.layout)
        self.questions = Questions(self.layout, steps)
        self._tasks_of: dict[str, Callable[..., Iterator[Task]]] = {
            "fetch": steps.fetch,
            "prepare": steps.prepare,
            "train": steps.train,
            "attack": steps.attack,
            "translate": steps.translate,
            "infer": steps.infer,
            "measure": steps.measure,
            "fit": steps.fit,
            "score": steps.score,
            "evaluate": self.questions.evaluate,
            "report": self.questions.report,
        }
        self._cached = lru_cache(maxsize=None)(self._tasks)
        self._used = lru_cache(maxsize=None)(lambda *job: self._readers.used(self._cached(*job)))

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """The rules of the workflow by name. No two rules create the same file."""
        rules = [
            Rule("fetch", "fetch", ("source",)),
            Rule("prepare", "prepare", ("examples",)),
            Rule("train", "train", ("trained",)),
        ]
        attacked, every = self.batches.attacked_batches(), self.batches.all_batches()
        rules += [_batch_rule("attack", batch, *(["net"] if batch.detectors else [])) for batch in attacked]
        rules += [_batch_rule("translate", batch) for batch in self.batches.translated_batches()]
        rules += [_batch_rule("infer", batch, "net") for batch in every]
        rules += [_batch_rule("measure", batch, "net", "margin") for batch in self.batches.clean_batches()]
        for detectors in self.study["groups"]["detectors"]:
            rules.append(Rule(f"fit_{detectors}", "fit", ("net",), detectors=detectors))
            for batch in every:
                if batch.detectors in ("", detectors):
                    name = f"score_{detectors}_{batch.name}"
                    rules.append(Rule(name, "score", ("net", *batch.wildcards), batch, detectors))
        rules += [Rule("evaluate", "evaluate", ("evaluation",)), Rule("report", "report")]
        return {rule.name: rule for rule in rules}

    def rules_of(self, step: str) -> list[Rule]:
        """Return the rules of one step."""
        return [rule for rule in self.rules.values() if rule.step == step]

    @cached_property
    def wildcard_values(self) -> dict[str, list[str]]:
        """The values of each wildcard."""
        sections = ("classifiers", "translators", "defences")
        networks = {section: [str(net) for net in self.layout.nets(section)] for section in sections}
        return {
            "source": list(self.study["sources"]),
            "examples": list(self.study["examples"]),
            "trained": networks["classifiers"] + networks["translators"],
            "net": networks["classifiers"] + networks["defences"],
            "victim": networks["classifiers"] + networks["defences"],
            "seed": sorted({str(net.seed) for net in self.layout.nets("translators")}),
            "margin": list(self.study["margins"]),
            "evaluation": list(self.study["evaluations"]),
        }

    def jobs(self) -> list[tuple[Rule, dict[str, str]]]:
        """Return every job that the report depends on, in the order of the rules.

        Returns:
            Pairs of a rule and its wildcards' values.
        """
        return self._jobs

    @cached_property
    def _jobs(self) -> list[tuple[Rule, dict[str, str]]]:
        order = {name: place for place, name in enumerate(self.rules)}
        behind = self.jobs_behind([f"reports/{self.study.name}/report.html"])
        return sorted(behind, key=lambda job: (order[job[0].name], *job[1].values()))

    def jobs_behind(self, files: Iterable[str]) -> list[tuple[Rule, dict[str, str]]]:
        """Return every job that makes one of these files or something that they depend on, each job once.

        Raises:
            KeyError: the study does not make one of the files.
        """
        waiting, done = set(files), set[str]()
        jobs: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[Rule, dict[str, str]]] = {}
        while waiting:
            rule, wildcards = self.maker(waiting.pop())
            jobs[rule.name, tuple(wildcards.items())] = rule, wildcards
            tasks = self.tasks(rule, **wildcards)
            done.update(files_of(task.output for task in tasks))
            waiting |= set(files_of(name for task in tasks for name in task.input_files))
            waiting -= done
        return list(jobs.values())

    @cached_property
    def _readers(self) -> Readers:
        def made_with(address: str) -> tuple[Task, ...]:
            rule, wildcards = self.maker(address)
            return self._cached(rule, tuple(sorted(wildcards.items())))

        return find_readers(f"reports/{self.study.name}/report.html", made_with)

    def maker(self, file: str) -> tuple[Rule, dict[str, str]]:
        """Return the rule that creates a file, and its wildcards' values.

        The study need not contain the networks in the file's name.

        Raises:
            KeyError: No rule creates the file.
        """
        file = Address.parse(file).file
        for rule, fixed, pattern in self._makers.get(starred(file), []):
            if match := re.fullmatch(as_pattern(pattern), file):
                values = fixed | match.groupdict()
                return rule, {name: values[name] for name in rule.wildcards}
        raise KeyError(file)

    @cached_property
    def _makers(self) -> dict[str, list[tuple[Rule, dict[str, str], str]]]:
        """The rules by their files; networks and seeds in these stay wildcards."""
        values = self.wildcard_values
        makers: dict[str, list[tuple[Rule, dict[str, str], str]]] = {}
        for rule in self.rules.values():
            closed = [name for name in rule.wildcards if name not in NETWORKS]
            for chosen in product(*(values[name] for name in closed)):
                fixed = dict(zip(closed, chosen, strict=True))
                filled = fixed | {name: f"{{{name}}}" for name in NETWORKS}
                for output in self.files(rule):
                    pattern = output.format(**filled)
                    makers.setdefault(starred(pattern), []).append((rule, fixed, pattern))
        return makers

    def outputs(self, rule: Rule) -> list[str]:
        """Return the addresses of a rule's outputs, with wildcards, in task order."""
        sets = rule.batch.sets if rule.batch else ()
        match rule.step:
            case "attack" | "translate":
                return [self.layout.set_file(examples) for examples in sets]
            case "infer":
                return [self.layout.outputs_of("{net}", examples) for examples in sets]
            case "measure":
                return [self.layout.margins_of("{net}", "{margin}", examples) for examples in sets]
            case "fit":
                return [self.layout.detector_of("{net}", name) for name in self.members(rule)]
            case "score":
                return [self.layout.scores_of("{net}", *pair) for pair in self._scored(rule.batch, rule.detectors)]
        plain = {
            "fetch": "data/raw/{source}",
            "prepare": self.layout.file("examples", "{examples}"),
            "train": self.layout.file("checkpoints", "{trained}"),
            "evaluate": self.layout.file("metrics", "{evaluation}"),
            "report": f"reports/{self.study.name}/report.html",
        }
        return [plain[rule.step]]

    def files(self, rule: Rule) -> list[str]:
        """Return the files that a rule writes, with wildcards."""
        return files_of(self.outputs(rule))

    def _scored(self, batch: Batch | None, detectors: str) -> Iterator[tuple[str, Set]]:
        """Yield (detector, set) for each set that a detector of the group scores.

        These are all sets except those that target another detector.
        """
        for name in self.study["groups"]["detectors"][detectors]:
            for examples in batch.sets if batch else ():
                if examples.guard[0] in ("", name):
                    yield name, examples

    def members(self, rule: Rule) -> list[str]:
        """Return the detectors of a rule's group."""
        members: list[str] = self.study["groups"]["detectors"][rule.detectors]
        return members

    def tasks(self, rule: Rule, **wildcards: str) -> tuple[Task, ...]:
        """Return the tasks of one job, in the order of its outputs; for a bundle, only those that the report needs."""
        return self._used(rule, tuple(sorted(wildcards.items())))

    def _tasks(self, rule: Rule, items: tuple[tuple[str, str], ...]) -> tuple[Task, ...]:
        wildcards = dict(items)
        if rule.detectors:
            wildcards["detectors"] = rule.detectors
        batch = () if rule.batch is None else (rule.batch,)
        return tuple(self._tasks_of[rule.step](*batch, **wildcards))


def _batch_rule(step: str, batch: Batch, *names: str) -> Rule:
    return Rule(f"{step}_{batch.name}", step, (*names, *batch.wildcards), batch)


@cache
def plan_of(study: str) -> Plan:
    """Return the plan of a study in this folder; each process reads the settings only once."""
    return Plan(load(study))


def digests_of(tasks: tuple[Task, ...]) -> tuple[str, str]:
    """Return the digests of a job's settings and of its code.

    Snakemake reruns a job if one of them or an input changes.
    """
    return settings_digest(tasks), code.job_digest(code.code_of(task.step, task.settings).digest for task in tasks)


def settings_digest(tasks: tuple[Task, ...]) -> str:
    """Return the digest of a job's settings and of its input and output addresses."""
    return digests.sha256(digests.canonical([task.as_json() for task in tasks]).encode())
