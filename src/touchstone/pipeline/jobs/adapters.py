"""Call a step with the contents of its task's input files: `run_STEP`, which `run.find_adapter` finds by its name."""

from __future__ import annotations

import functools
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from touchstone import registry
from touchstone.numerics import precision
from touchstone.pipeline.jobs.attack_budgets import check_declared_budget
from touchstone.pipeline.jobs.detector_tasks import run_fit as run_fit
from touchstone.pipeline.jobs.detector_tasks import run_score as run_score
from touchstone.pipeline.jobs.job import Job, bound, code_paths
from touchstone.pipeline.jobs.job_plan import JobError
from touchstone.pipeline.jobs.results import run_evaluate as run_evaluate
from touchstone.pipeline.jobs.results import run_report as run_report
from touchstone.provenance import sidecar_files


def run_fetch(job: Job) -> None:
    """Download a source."""
    from touchstone.data.ingest import http_files
    from touchstone.pipeline.jobs import progress
    from touchstone.pipeline.steps.fetch import fetch

    target = job.output
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        folder = temporary / target.name
        folder.mkdir()
        expected = job.settings["sha256"]
        with progress.reported(job.task.output, job.logs) as report, http_files.watched(report):
            digest = fetch(folder, source=bound(job.settings["component"]), sha256=expected, name=target.name)
        shutil.rmtree(target, ignore_errors=True)
        folder.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if expected is None and "sha256" not in job.settings["component"]:
        advice = f'to pin these files, write sha256: "{digest}" into data.sources.{target.name}'
        print(f"touchstone: {target} was fetched without a sha256; {advice}", file=sys.stderr)
    sidecar_files.write_sidecar(target, digest, job.facts)


def run_prepare(job: Job) -> None:
    """Prepare an example set."""
    from touchstone.pipeline.steps.prepare import prepare

    block = job.settings["component"]
    job.write(
        prepare(
            bound(block),
            registry.used(block["use"]).data,
            name=block["use"],
            folder=job.folder() if "folder" in job.task.inputs else None,
            sha256=job.settings.get("sha256"),
            examples=job.noun("examples", "ExampleSet"),
            seed=job.settings["seed"],
        )
    )


def run_convert(job: Job) -> None:
    """Read a network that was trained elsewhere."""
    from touchstone.pipeline.steps.convert import convert

    names = ("sha256", "input_shape", "classes", "mean", "std")
    job.write(
        convert(
            job.folder(),
            reader=bound(job.settings["component"]),
            name=job.settings["component"]["use"],
            architecture=bound(job.settings["architecture"]),
            architecture_settings=job.settings["architecture"],
            **{name: job.settings[name] for name in names},
        )
    )


def run_train(job: Job) -> None:
    """Train a network."""
    from touchstone.pipeline.jobs import progress
    from touchstone.pipeline.steps.train import train

    block = job.settings["component"]
    component = registry.used(block["use"])
    companions = None
    if component.companions is not None:
        companions = bound(block, tuple(component.companions.settings), registry.load_companions(block["use"]))
    objective = bound(block, tuple(component.call.settings))
    if "static_networks" in component.data:  # bound like settings, because they are not trained
        objective = functools.partial(objective, static_networks=_static_networks(job))
    unfinished = progress.Unfinished(job.artefacts.key(job.task), code_paths(True))
    with unfinished.locked(), progress.reported(job.task.output, job.logs) as report:
        if not job.recompute and job.artefacts.find(job.task):
            return  # another job has just trained it, under another name
        checkpoint = train(
            job.noun("train", "ExampleSet"),
            job.noun("validation", "ExampleSet"),
            job.nouns("outliers", "ExampleSet"),
            job.model("classifier", "classifier_architecture"),
            architecture=precision.architecture(bound(job.settings["architecture"]), job.settings),
            architecture_settings=job.settings["architecture"],
            objective=precision.objective(objective, job.settings),
            companions=companions,
            attacks={name: bound(attack) for name, attack in job.settings.get("watched", {}).items()},
            device=job.settings["device"],
            resume=unfinished.read(),
            keep=unfinished.keep,
            progress=report,
            seed=job.settings["seed"],
            **job.settings["loop"],
        )
        job.write(checkpoint)
        unfinished.done()


def _static_networks(job: Job) -> list[Any]:
    """Return the networks that an objective attacks besides the one that it trains.

    Raises:
        JobError: A network has another image shape, or fewer classes than the training data.
    """
    examples = job.noun("train", "ExampleSet")
    shape, classes = examples.images.shape[1:], int(examples.labels.max()) + 1
    for file in job.task.inputs["static_networks"]:
        checkpoint = job.artefacts.noun(file, "Checkpoint")
        if checkpoint.input_shape != shape or checkpoint.classes < classes:
            raise JobError(
                f"{file}: has {checkpoint.classes} classes of images {checkpoint.input_shape}, but"
                f" {job.task.inputs['train']} has {classes} of {shape}; use a static network for the same data"
            )
    return job.models("static_networks", "static_architectures")


def run_translate(job: Job) -> None:
    """Translate an example set."""
    from touchstone.pipeline.steps.translate import translate

    job.write(translate(job.noun("examples", "ExampleSet"), job.model(), batch_size=job.settings["batch_size"]))


def run_attack(job: Job) -> None:
    """Attack an example set."""
    from touchstone.pipeline.steps.attack import attack

    settings = {key: job.settings[key] for key in ("seed", "batch_size", "device")}
    block, (model, defence) = job.settings["component"], attacked_model(job)
    component = registry.used(block["use"])
    if "pipeline" in component.data and "translators" not in job.task.inputs:
        raise JobError(f"{job.task.output}: {block['use']} attacks only defences; give it a defence as victim")
    settings["known"] = "in_distribution" if "in_distribution" in component.call.data else "labels"
    examples = job.noun("examples", "ExampleSet")
    attacked = attack(examples, model, defence=defence, perturb=bound(block), **settings)
    try:
        check_declared_budget(block, examples, attacked)
    except ValueError as error:
        raise JobError(f"{job.task.output}: {error}") from error
    job.write(attacked)


def attacked_model(job: Job) -> tuple[Any, Any]:
    """Return the task's network or defence, and what is attacked: it, or it behind a detector."""
    seen = job.as_attacked(model := _model(job))
    return model, _guarded(job, seen) if "detector" in job.task.inputs else seen


def _model(job: Job) -> Any:
    """Return the task's network, or its defence as one model."""
    model = job.model()
    if "translators" not in job.task.inputs:
        return model
    from touchstone.attacks.adversary.defences import Pipeline

    translators = job.models("translators", "translator_architectures")
    read = job.model("encoder", "encoder_architecture") if "encoder" in job.task.inputs else model
    router = _guarded(job, read, "router") if "router" in job.task.inputs else None
    return Pipeline(model, translators, router).eval()


def _guarded(job: Job, model: Any, role: str = "detector") -> Any:
    """Return the network behind a detector at the task's false-positive rate.

    Args:
        job: The job.
        model: The network.
        role: Which detector: `detector` for the guard of a victim, `router` for the router of a defence.
    """
    import torch

    from touchstone.attacks.adversary.defences import Guarded
    from touchstone.pipeline.steps.attack import typical

    block, detector = job.settings[role], job.noun(role, "Detector")
    call = registry.used(block["use"]).call
    outputs, clean = job.noun("typical_outputs", "Outputs"), job.noun("typical_examples", "ExampleSet")
    imitated = typical(outputs, clean, call.data, block.get("label"), job.settings["device"])
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
        typical=imitated,
    )


def run_measure(job: Job) -> None:
    """Measure margins."""
    from touchstone.pipeline.steps.measure import measure

    block = job.settings["component"]
    settings = {key: job.settings[key] for key in ("seed", "batch_size", "device")}
    margins = measure(
        job.noun("examples", "ExampleSet"),
        job.as_attacked(job.model()),
        method=bound(block),
        name=block["use"].split("/")[1],
        norm=block.get("norm", "linf"),
        **settings,
    )
    job.write(margins)


def run_infer(job: Job) -> None:
    """Record a network's outputs."""
    from touchstone.pipeline.steps.infer import infer

    settings = {key: job.settings[key] for key in ("confounding", "batch_size", "device")}
    job.write(infer(job.noun("examples", "ExampleSet"), _model(job), **settings))
