"""Runs the tasks of one job: reads their inputs, calls the step, writes the artefacts and their sidecars."""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from touchstone import cache, chain, cpu_paths, digests, numerics, provenance, registry
from touchstone.error_lines import first_line
from touchstone.plan import code_files
from touchstone.plan_parts import Task
from touchstone.warm import TORCH_STEPS

CACHED = frozenset(
    {
        "prepare",
        "convert",
        "train",
        "translate",
        "attack",
        "attack_part",
        "measure",
        "infer",
        "fit",
        "score",
        "evaluate",
    }
)  # not cut and gather: they cost what a copy costs
# Keep freed memory in the process: gradient norms took twice as long without (peers.md F).
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000"}


class JobError(Exception):
    """A job that cannot be done, in words for its user."""


def environment(threads: int) -> dict[str, str]:
    """Return the environment of every job: its threads, code paths and allocator."""
    counts = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "OPENBLAS", "MKL")}
    return cpu_paths.pinned() | ALLOCATOR | counts | {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}


def set_environment(threads: int) -> bool:
    """Set the environment of a job, here and for what this process starts; return whether that changed anything.

    Pins of another machine's processor are dropped: a job may come from a login node.
    """
    before, wanted = dict(os.environ), environment(threads)
    for name in cpu_paths.PINNED.keys() - wanted.keys():
        os.environ.pop(name, None)
    os.environ.update(wanted)
    return dict(os.environ) != before


def prepare_process(step: str, threads: int) -> None:
    """Start the process again in the environment that its job needs, where the workflow has not set it already.

    numpy and torch read it when they are imported.
    """
    if set_environment(threads if step in TORCH_STEPS else 1):
        os.execv(sys.executable, [sys.executable, "-m", "touchstone", *sys.argv[1:]])


def run(tasks: tuple[Task, ...], root: Path, logs: Path) -> int:
    """Do every task of a job in order; return how many the action cache held.

    Those are copied, and torch is imported only for the rest.
    """
    reader, store = Reader(), cache.Cache.at(root)
    ready, held = False, 0
    last = {file: place for place, task in enumerate(tasks) for file in task.input_files}
    for place, task in enumerate(tasks):
        missing = [file for file in task.input_files if not Path(file).exists()]
        if missing:
            raise JobError(f"{task.output}: the input {missing[0]} is missing")
        job = Job(task, reader, root, logs)
        if store is not None and task.step in CACHED and (digest := store.fetch(job.action, Path(task.output))):
            provenance.write_sidecar(Path(task.output), digest, job.facts)
            held += 1
            continue
        if task.step in TORCH_STEPS and not ready:
            _set_up_torch(task.settings)
            ready = True
        _do(job)
        if store is not None and task.step in CACHED:
            _keep(store, job)
        reader.forget(file for file in task.input_files if last[file] == place)
    return held


def _do(job: Job) -> None:
    """Do one task; where memory runs out, again with half as many images at a time, which changes no image's result.

    JobError where that leads nowhere: at one image, or in training, where the batch is part of what is trained.
    """
    while True:
        try:
            STEPS[job.task.step](job)
            return
        except (MemoryError, RuntimeError) as error:
            if job.task.step not in TORCH_STEPS or not numerics.memory_ran_out(error):
                raise
            ran_out = first_line(error)
        numerics.free_memory()
        batch = job.settings.get("batch_size")
        if batch is None or batch == 1:
            less = "one image at a time is too much" if batch else "give the entry a smaller batch_size"
            raise JobError(f"{job.task.output}: memory ran out ({ran_out}); {less}")
        job.settings = job.settings | {"batch_size": batch // 2}
        told = f"memory ran out at {batch} images at a time; going on with {batch // 2} (study.batch_size)"
        print(f"touchstone: {job.task.output}: {told}", file=sys.stderr)


def _keep(store: cache.Cache, job: Job) -> None:
    """Remember the output in the action cache; a cache that cannot be written to is no reason to lose the output."""
    output = Path(job.task.output)
    try:
        store.keep(job.action, provenance.read_sidecar(output)["artefact"], output)
    except OSError as error:
        print(f"touchstone: {output} is made, but the action cache cannot keep it: {error}", file=sys.stderr)


def _set_up_torch(settings: dict[str, Any]) -> None:
    import torch

    torch.set_num_threads(settings["threads"])
    # What torch.use_deterministic_algorithms(True) does, less its import of the compiler: 1.1 s of every job.
    torch._C._set_deterministic_algorithms(True, warn_only=False)
    torch.backends.cudnn.benchmark = False
    numerics.set_up(settings)
    if settings["device"] == "cuda" and not torch.cuda.is_available():
        raise JobError("study.device is cuda, but torch finds no GPU here; set it to cpu")


class Reader:
    """Reads nouns, each once per job, and checks their bytes against their sidecars."""

    def __init__(self) -> None:
        self._nouns: dict[str, Any] = {}
        self._links: dict[str, dict[str, str]] = {}

    def noun(self, file: str, kind: str) -> Any:
        """Return the noun in a file; JobError names the file where it is damaged or not what its sidecar says."""
        from touchstone import records

        self.link(file)  # the bytes are those that the sidecar vouches for
        if file not in self._nouns:
            try:
                self._nouns[file] = records.decode(Path(file).read_bytes(), records.KINDS[kind])
            except ValueError as error:
                raise JobError(f"{file}: {error}. Delete it and run again to have it remade.") from error
        return self._nouns[file]

    def forget(self, files: Iterable[str]) -> None:
        """Let go of the nouns in some files: a job on many sets need not hold them all."""
        for file in files:
            self._nouns.pop(file, None)

    def link(self, file: str) -> dict[str, str]:
        """Return the file's link in the chain: the digest of its bytes, which are checked, and of its sidecar."""
        if file not in self._links:
            path = Path(file)
            try:
                expected = provenance.read_sidecar(path)["artefact"]
            except ValueError as error:
                raise JobError(str(error)) from error
            found = digests.folder_digest(path) if path.is_dir() else digests.file_digest(path)
            if found != expected:
                raise JobError(
                    f"{file}: its bytes do not match its sidecar, which says {expected}; found {found}."
                    " Delete it and run again to have it remade."
                )
            sidecar = digests.file_digest(provenance.sidecar_path(path))
            self._links[file] = {"file": file, "artefact": expected, "sidecar": sidecar}
        return self._links[file]


class Job:
    """One task with what it needs to be done."""

    def __init__(self, task: Task, reader: Reader, root: Path, logs: Path) -> None:
        self.task, self.reader, self.root, self.logs = task, reader, root, logs
        self.settings = task.settings  # what it is done with: fewer images at a time where memory runs out

    def noun(self, role: str, kind: str) -> Any:
        """Return the noun of a role, None where the task has no such input."""
        file = self.task.inputs.get(role)
        return None if file is None else self.reader.noun(str(file), kind)

    def nouns(self, role: str, kind: str) -> list[Any]:
        """Return the nouns of a role that has many."""
        return [self.reader.noun(file, kind) for file in self.task.inputs.get(role, [])]

    @functools.cached_property
    def facts(self) -> dict[str, Any]:
        """What the sidecar says besides the artefact's digest: a function of inputs, settings, code and environment."""
        files = code_files((self.task,))
        roles = self.task.as_json()["inputs"]
        facts: dict[str, Any] = {
            "step": self.task.step,
            "settings": self.task.settings,
            "inputs": {role: [self.reader.link(file) for file in files] for role, files in roles.items()},
            "code": provenance.code_digest(files),
            "files": files,
            "lock": provenance.lock_digest(self.root),
            "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        }
        with_torch = self.task.step in TORCH_STEPS
        if provenance.computes(self.task.step):
            facts["cpu"] = cpu_paths.record(torch=with_torch)
        if with_torch:
            facts |= {key: self.task.settings[key] for key in ("device", "threads")}
        return facts

    @property
    def action(self) -> str:
        """The key of the action cache: the facts, with the inputs' bytes alone instead of their place in the chain."""
        inputs = {role: [link["artefact"] for link in links] for role, links in self.facts["inputs"].items()}
        return digests.sha256(provenance.canonical({**self.facts, "inputs": inputs}).encode())

    def write(self, noun: Any) -> None:
        """Write the task's artefact and its sidecar."""
        from touchstone import records

        provenance.write_with_sidecar(Path(self.task.output), records.encode(noun), self.facts)

    def write_pieces(self, pieces: Iterable[bytes]) -> None:
        """Write the task's artefact, which is not in memory whole, and its sidecar."""
        path = Path(self.task.output)
        provenance.write_sidecar(path, provenance.write_pieces(path, pieces), self.facts)

    def rows(self, role: str) -> list[Any]:
        """Return the files of a role as Rows, none of their arrays read."""
        from touchstone.rows import Rows

        return [Rows.at(Path(file)) for file in self.task.as_json()["inputs"][role]]

    def model(self, role: str = "checkpoint", architecture: str = "architecture") -> Any:
        """Return the network of a checkpoint, ready to be called on pixels; None where the task has none."""
        file = self.task.inputs.get(role)
        return None if file is None else self._network(str(file), self.settings[architecture])

    def models(self, role: str, architectures: str) -> list[Any]:
        """Return the networks of a role that has many, ready to be called on pixels; none where the task has none."""
        files = self.task.inputs.get(role, [])
        return [
            self._network(file, block) for file, block in zip(files, self.settings.get(architectures, []), strict=True)
        ]

    def _network(self, file: str, block: dict[str, Any]) -> Any:
        from touchstone import networks

        checkpoint = self.reader.noun(file, "Checkpoint")
        if checkpoint.architecture != block:
            raise JobError(f"{file}: holds {checkpoint.architecture}, expected {block}")
        try:
            network = networks.load(bound(block), checkpoint, self.settings["device"])
        except ValueError as error:
            raise JobError(f"{file}: {error}") from error
        return numerics.laid_out(network, self.settings)


def bound(block: dict[str, Any], names: tuple[str, ...] | None = None, function: Any = None) -> Callable[..., Any]:
    """Return a component with its settings bound, nested blocks as callables; only the settings in `names` if given."""
    function = function or registry.load(block["use"])
    settings = {
        key: _bound_value(value) for key, value in block.items() if key != "use" and (names is None or key in names)
    }
    return functools.partial(function, **settings)


def _bound_value(value: Any) -> Any:
    if isinstance(value, dict) and "use" in value:
        return bound(value)
    if isinstance(value, list):
        return [_bound_value(item) for item in value]
    return value


# --- one small adapter per step: its inputs as nouns, its output as a file ----------------------------------------


def _fetch(job: Job) -> None:
    from touchstone import downloads, progress
    from touchstone.steps.fetch import fetch

    target = Path(job.task.output)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        folder = temporary / target.name
        folder.mkdir()
        expected = job.settings["sha256"]
        with progress.reported(job.task.output, job.logs) as report, downloads.watched(report):
            digest = fetch(folder, source=bound(job.settings["component"]), sha256=expected, name=target.name)
        shutil.rmtree(target, ignore_errors=True)
        folder.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if expected is None:
        told = f'to pin what came, write sha256: "{digest}" into sources.{target.name}'
        print(f"touchstone: {target} was fetched under no sha256; {told}", file=sys.stderr)
    provenance.write_sidecar(target, digest, job.facts)


def _prepare(job: Job) -> None:
    from touchstone.steps.prepare import prepare

    folder = job.task.inputs.get("folder")
    block = job.settings["component"]
    job.write(
        prepare(
            bound(block),
            registry.used(block["use"]).data,
            name=block["use"],
            folder=Path(str(folder)) if folder else None,
            sha256=job.settings.get("sha256"),
            examples=job.noun("examples", "ExampleSet"),
            seed=job.settings["seed"],
        )
    )


def _convert(job: Job) -> None:
    from touchstone.steps.convert import convert

    names = ("sha256", "input_shape", "classes", "mean", "std")
    job.write(
        convert(
            Path(str(job.task.inputs["folder"])),
            reader=bound(job.settings["component"]),
            name=job.settings["component"]["use"],
            architecture=bound(job.settings["architecture"]),
            architecture_settings=job.settings["architecture"],
            **{name: job.settings[name] for name in names},
        )
    )


def _train(job: Job) -> None:
    from touchstone import progress
    from touchstone.steps.train import train

    block = job.settings["component"]
    found = registry.used(block["use"])
    companions = None
    if found.companions is not None:
        companions = bound(block, tuple(found.companions.settings), registry.load_companions(block["use"]))
    objective = bound(block, tuple(found.call.settings))
    if "static_networks" in found.data:  # given as settings are: they stay as they are, so the training loop holds none
        objective = functools.partial(objective, static_networks=_static_networks(job))
    with progress.reported(job.task.output, job.logs) as report:
        state = progress.Resume(job.task.output, job.logs, job.action)
        checkpoint = train(
            job.noun("train", "ExampleSet"),
            job.noun("validation", "ExampleSet"),
            job.nouns("outliers", "ExampleSet"),
            job.model("classifier", "classifier_architecture"),
            architecture=numerics.architecture(bound(job.settings["architecture"]), job.settings),
            architecture_settings=job.settings["architecture"],
            objective=numerics.objective(objective, job.settings),
            companions=companions,
            device=job.settings["device"],
            resume=state.read(),
            keep=state.keep,
            progress=report,
            seed=job.settings["seed"],
            **job.settings["loop"],
        )
    job.write(checkpoint)
    state.done()


def _static_networks(job: Job) -> list[Any]:
    """Return the networks that an objective attacks beside the one it trains; JobError for one of other images."""
    examples = job.noun("train", "ExampleSet")
    shape, classes = examples.images.shape[1:], int(examples.labels.max()) + 1
    for file in job.task.inputs["static_networks"]:
        known = job.reader.noun(file, "Checkpoint")
        if known.input_shape != shape or known.classes < classes:
            raise JobError(
                f"{file}: knows {known.classes} classes of images {known.input_shape}, and {job.task.inputs['train']}"
                f" holds {classes} of {shape}; a static network is one of the same data"
            )
    return job.models("static_networks", "static_architectures")


def _cut(job: Job) -> None:
    from touchstone.steps.cut import cut

    (examples,) = job.rows("examples")
    job.write_pieces(cut(examples, **job.settings))


def _gather(job: Job) -> None:
    from touchstone.steps.gather import gather

    job.write_pieces(gather(job.rows("parts")))


def _translate(job: Job) -> None:
    from touchstone.steps.translate import translate

    job.write(translate(job.noun("examples", "ExampleSet"), job.model(), batch_size=job.settings["batch_size"]))


def _attack(job: Job) -> None:
    from touchstone.steps.attack import attack
    from touchstone.steps.attack_part import attack_part

    make = attack_part if job.task.step == "attack_part" else attack
    settings = {key: job.settings[key] for key in ("seed", "batch_size", "device")}
    perturb, model = bound(job.settings["component"]), _model(job)
    defence = _guarded(job, model) if "detector" in job.task.inputs else model
    if "pipeline" in registry.used(job.settings["component"]["use"]).data and "translators" not in job.task.inputs:
        raise JobError(f"{job.task.output}: {job.settings['component']['use']} attacks defences alone")
    asks = registry.used(job.settings["component"]["use"]).call.data
    settings["known"] = "in_distribution" if "in_distribution" in asks else "labels"
    attacked = make(job.noun("examples", "ExampleSet"), model, defence=defence, perturb=perturb, **settings)
    job.write(attacked)


def _model(job: Job) -> Any:
    """Return the task's network, or its defence as one model."""
    model = job.model()
    if "translators" not in job.task.inputs:
        return model
    from touchstone.defences import Pipeline

    translators = job.models("translators", "translator_architectures")
    read = job.model("encoder", "encoder_architecture") if "encoder" in job.task.inputs else model
    router = _guarded(job, read, "router") if "router" in job.task.inputs else None
    return Pipeline(model, translators, router).eval()


def _guarded(job: Job, model: Any, role: str = "detector") -> Any:
    """Return the network behind the task's detector, at the threshold of the task's false-positive rate."""
    import torch

    from touchstone.defences import Guarded
    from touchstone.steps.attack import typical

    block, detector = job.settings[role], job.noun(role, "Detector")
    call = registry.used(block["use"]).call
    outputs, clean = job.noun("typical_outputs", "Outputs"), job.noun("typical_examples", "ExampleSet")
    known = typical(outputs, clean, call.data, block.get("label"), job.settings["device"])
    state = {name: torch.from_numpy(values).to(job.settings["device"]) for name, values in detector.state.items()}
    return Guarded(
        model=model,
        score=bound(block, tuple(call.settings)),
        data=call.data,
        state=state,
        threshold=detector.thresholds[job.settings["false_positive_rate"]],
        spread=detector.spread,
        confounding=job.settings["confounding" if role == "detector" else f"{role}_confounding"],
        label=block.get("label"),
        typical=known,
    )


def _measure(job: Job) -> None:
    from touchstone.steps.measure import measure

    block = job.settings["component"]
    settings = {key: job.settings[key] for key in ("seed", "batch_size", "device")}
    margins = measure(
        job.noun("examples", "ExampleSet"),
        job.model(),
        method=bound(block),
        name=block["use"].split("/")[1],
        norm=block.get("norm", "linf"),
        **settings,
    )
    job.write(margins)


def _infer(job: Job) -> None:
    from touchstone.steps.infer import infer

    settings = {key: job.settings[key] for key in ("confounding", "batch_size", "device")}
    job.write(infer(job.noun("examples", "ExampleSet"), _model(job), **settings))


def _scorer(job: Job) -> Callable[[Any], Any]:
    """Return the function that scores the task's set with a given Detector."""
    from touchstone.steps.score import score

    block = job.settings["component"]
    call = registry.used(block["use"]).call
    return functools.partial(
        score,
        job.noun("outputs", "Outputs"),
        job.noun("examples", "ExampleSet"),
        scorer=bound(block, tuple(call.settings)),
        data=call.data,
        label=block.get("label"),
        model=job.model(),
        batch_size=job.settings["batch_size"],
        device=job.settings["device"],
    )


def _fit(job: Job) -> None:
    from touchstone.steps.fit import fit

    block = job.settings["component"]
    fitted = registry.used(block["use"]).fit
    outputs, sets = job.nouns("anomalous_outputs", "Outputs"), job.nouns("anomalous_examples", "ExampleSet")
    count = max(len(outputs), len(sets))
    detector = fit(
        _scorer(job),
        fitter=None if fitted is None else bound(block, tuple(fitted.settings), registry.load_fit(block["use"])),
        data=() if fitted is None else fitted.data,
        fit_on=(job.noun("fit_outputs", "Outputs"), job.noun("fit_examples", "ExampleSet")),
        anomalous=list(zip(outputs or [None] * count, sets or [None] * count, strict=True)),
        label=block.get("label"),
        model=job.model(),
        seed=job.settings["seed"],
        false_positive_rates=job.settings["false_positive_rates"],
        settings=block,
        device=job.settings["device"],
    )
    job.write(detector)


def _score(job: Job) -> None:
    job.write(_scorer(job)(job.noun("detector", "Detector")))


ROLES = {
    "checkpoints": "Checkpoint",
    "detectors": "Detector",
    "outputs": "Outputs",
    "scores": "Scores",
    "margins": "Margins",
    "examples": "ExampleSet",
}
ROLES |= {f"fit_{role}": ROLES[role] for role in ("outputs", "margins")}


def _cells(job: Job, cells: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return {role: cells} with their nouns read."""
    from touchstone.records import Cell

    found: dict[str, list[Any]] = {role: [] for role in ROLES}
    for cell in cells:
        facts = {key: value for key, value in cell.items() if key != "role"}
        found[cell["role"]].append(Cell(noun=job.reader.noun(cell["file"], ROLES[cell["role"]]), **facts))
    return found


def _evaluate(job: Job) -> None:
    from touchstone.steps.evaluate import evaluate

    block, found = job.settings["component"], _cells(job, job.settings["cells"])
    data = [found[role] for role in registry.used(block["use"]).data]
    job.write(evaluate(job.settings["evaluation"], bound(block), data))


def _report(job: Job) -> None:
    from touchstone.steps.report import report
    from touchstone.verdicts import Asked

    metrics = {Path(str(file)).stem: job.reader.noun(str(file), "Metrics") for file in job.task.inputs["metrics"]}
    figures: dict[str, Any] = {}
    methods = {name for part in ("classifiers", "defences", "detectors") for name in job.settings["settings"][part]}
    questions = job.settings["settings"]["evaluations"]
    for name, figure in job.settings["figures"].items():
        block = figure["component"]
        asked = [figure["evaluation"], *figure["also"]]
        found = _cells(job, figure["cells"]) | {"metrics": [row for name in asked for row in metrics[name].rows]}
        figures[name] = {
            "draw": functools.partial(bound(block), *(found[role] for role in registry.used(block["use"]).data)),
            "caption": figure["caption"],
            "evaluation": figure["evaluation"],
            "component": block["use"],
            "methods": [
                name
                for value in (*block.values(), questions[figure["evaluation"]].get("classifiers"))
                if isinstance(value, list)
                for name in value
                if name in methods
            ],
            "settings": json.dumps({key: value for key, value in block.items() if key != "use"}, sort_keys=True),
            "files": [cell["file"] for cell in figure["cells"]]
            or [f"data/{job.settings['study']}/metrics/{evaluation}.csv" for evaluation in asked],
        }
    behind = chain.reached(Path(), job.task.input_files)
    sources: dict[str, Any] = {file: _source(file, sidecar, job.settings["study"]) for file, sidecar in behind.items()}
    pages = report(
        study=job.settings["study"],
        settings=job.settings["settings"],
        evaluations=job.settings["evaluations"],
        metrics=metrics,
        claims=Asked(**job.settings["claims"]),
        figures=figures,
        provenance=sources,
        components=job.settings["components"],
        maker={"code": job.facts["code"], "code_files": sorted(job.facts["files"]), "lock": job.facts["lock"]},
    )
    folder = Path(job.task.output).parent
    shutil.rmtree(folder / "figures", ignore_errors=True)
    (folder / "figures").mkdir(parents=True)  # an output of the rule in a study without figures too
    for name, data in pages.items():
        provenance.write_whole(folder / name, data)
    page_digests = {name: digests.sha256(data) for name, data in sorted(pages.items())}
    facts = job.facts | {"pages": page_digests}
    provenance.write_sidecar(folder / "report.html", page_digests["report.html"], facts)
    root = chain.root_digest(Path(job.task.output))
    provenance.write_whole(folder / chain.ROOT, f"{root}\n".encode())


def _source(file: str, sidecar: dict[str, Any], study: str) -> dict[str, Any]:
    """Return what the report says of a file: its digests, the step and settings that made it, the command to remake it."""
    return {
        "digest": sidecar["artefact"],
        "sidecar": digests.file_digest(provenance.sidecar_path(Path(file))),
        "step": sidecar["step"],
        "settings": json.dumps({k: v for k, v in sidecar["settings"].items() if k != "cells"}, sort_keys=True),
        "code": sidecar["code"],
        "code_files": sorted(sidecar["files"]),
        "inputs": [link["file"] for link in chain.links(sidecar)],
        "command": f"snakemake --cores all --config study={study} --force {file}",
    }


STEPS: dict[str, Callable[[Job], None]] = {
    "fetch": _fetch, "prepare": _prepare, "convert": _convert, "train": _train, "translate": _translate, "cut": _cut,
    "attack": _attack, "attack_part": _attack, "measure": _measure, "infer": _infer, "gather": _gather, "fit": _fit,
    "score": _score, "evaluate": _evaluate, "report": _report,
}  # fmt: skip
