"""`touchstone assay`: is this model robust? A study is written for it, told what it will take, and run."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from touchstone import digests, provenance, running
from touchstone.assay_study import Asked, Written, write
from touchstone.params import NAME, load
from touchstone.plan import Plan
from touchstone.registry import fold

STUDIES = Path("workflow/studies")
DIGESTS = Path(".touchstone/digests.json")  # of the user's files, by path, size and time
JOB_SECONDS = 3.2  # of one job besides its attacks: Python, torch, reading and writing
OVERHEAD = 2.0  # what an attack's step takes beside the two passes
PROBED = 512  # images read beforehand


def assay(options: Namespace) -> int:
    """Look at the model and the images, write the study, and run it; Snakemake's exit code."""
    name = options.study or _name(options.model)
    if not NAME.fullmatch(name):
        raise ValueError(f"--name {name}: a study is named [a-z][a-z0-9_]*")
    target = Path(options.out) if options.out else STUDIES / f"{name}.yaml"
    name = target.stem
    asked = _looked_at(options, name, target)
    written = write(asked)
    provenance.write_whole(target, written.text.encode())
    study = name if target.parent == STUDIES else str(target)
    _tell(asked, written, study, target, options.cores)
    if options.dry_run:
        return 0
    code = running.run(study, options.cores)
    if code == 0:
        _verdict(name)
    return code


def _name(model: str) -> str:
    """Return a study's name made of the model's."""
    stem = re.sub(r"[^a-z0-9]+", "_", Path(model).stem.lower()).strip("_")
    return f"assay_{stem or 'model'}"


def _looked_at(options: Namespace, name: str, target: Path) -> Asked:
    """Return what the study depends on, after the model was tried on the images. Takes torch, so only here."""
    import torch

    from touchstone import model_probe, own_models
    from touchstone.data.own_images import SHARES
    from touchstone.own_images import Shaping, named, own_images
    from touchstone.splits import rows_of_part

    torch.set_num_threads(1)
    eps = fold(options.eps)
    if not isinstance(eps, int | float) or not 0 < eps < 1:
        raise ValueError(f"--eps {options.eps}: expected a fraction of the pixel range, such as 8/255")
    found_model = own_models.open_model(
        options.model, architecture=options.architecture, weights=options.weights, trust_pickle=options.trust_pickle
    )
    folder = Path(options.data).expanduser()
    if not folder.exists():
        raise FileNotFoundError(f"--data {options.data}: there is no such folder or file")
    order = tuple(options.classes.split(",")) if options.classes else ()
    held = own_images(folder, order)
    colour = "gray" if options.gray else "rgb" if options.rgb else "as_stored"
    size = _size(options.resize)
    shaping = Shaping(size, colour)
    present = sorted(set(held.labels.tolist()))
    if len(present) < 2:
        raise ValueError(
            f"{folder}: all {len(held)} images are of one class, {held.classes[present[0]] or present[0]}; a classifier needs two"
        )
    images, broken, good = held.read(range(len(held)), shaping)
    if broken and not options.leave_out_broken:
        raise ValueError(f"{folder}: {named(broken)}. Repair or remove them, or go on without them: --leave-out-broken")
    if len(good) < 50:
        raise ValueError(f"{folder}: {len(good)} images; an assay needs at least 50 to split into three parts")
    count, channels, height, width = images.shape
    shape = (channels, height, width)
    found_model = own_models.put_into_file(found_model, shape, target.with_suffix(".pt2"))
    mean, std = _normalisation(options.mean, channels, 0.0, "mean"), _normalisation(options.std, channels, 1.0, "std")
    pixels = torch.from_numpy(images[_spread(count)].astype("float32") / (255 if images.dtype == "uint8" else 1))
    labels = torch.from_numpy(held.labels[good])[_spread(count)]
    findings = model_probe.probe(found_model.program(), mean, std, pixels, labels)
    settings: dict[str, Any] = {"colour": colour} if colour != "as_stored" else {}
    settings |= {"height": size[0], "width": size[1]} if size else {}
    settings |= {"classes": list(order)} if order else {}
    settings |= {"broken": "leave_out"} if broken else {}
    ood, ood_counts = [], []
    for location in options.ood or []:
        place = Path(location).expanduser()
        if not place.exists():
            raise FileNotFoundError(f"--ood {location}: there is no such folder or file")
        other = own_images(place, labelled=False)
        sample, faulty, _ = other.read(range(len(other)), shaping)
        if faulty and not options.leave_out_broken:
            raise ValueError(
                f"{place}: {named(faulty)}. Repair or remove them, or go on without them: --leave-out-broken"
            )
        if sample.shape[1:] != images.shape[1:]:
            raise ValueError(
                f"{place}: images are {sample.shape[1:]}, those of --data {shape}: --resize, --gray or --rgb"
            )
        ood.append((str(place.resolve()), _digest(place)))
        ood_counts.append(len(other))
    told = [*found_model.told, *findings.told]
    if broken:
        told.append(f"left out of {folder.name}: {named(broken)}")
    if twins := _twins(images):
        told.append(
            f"{twins} images are exact copies of others: copies in different parts flatter detectors that were fitted"
        )
    assert found_model.file is not None
    return Asked(
        name=name,
        reader=found_model.kind,
        model_settings={} if found_model.batch is None else {"batch": found_model.batch},
        model_file=str(found_model.file.resolve()),
        model_digest=_digest(found_model.file, "weights.pt"),
        images=str(folder.resolve()),
        images_digest=_digest(folder),
        image_settings=settings,
        ood=tuple(ood),
        counts={part: len(rows_of_part(held.labels, SHARES, part, seed=0)) for part in SHARES},
        ood_counts=tuple(ood_counts),
        input_shape=shape,
        classes=findings.classes,
        mean=tuple(mean),
        std=tuple(std),
        eps=float(eps),
        eps_written=options.eps if "/" in options.eps else float(eps),
        effort=options.effort,
        features=findings.features,
        gradient_norms=findings.gradient_norms,
        width=findings.width,
        seconds=findings.seconds,
        device=options.device,
        command=shlex.join(["touchstone", *sys.argv[1:]]) if sys.argv[1:] else "touchstone assay",
        told=tuple(told),
    )


def _spread(count: int) -> Any:
    """Return up to PROBED rows, evenly spaced."""
    import numpy as np

    return np.linspace(0, count - 1, min(count, PROBED)).astype(int)


def _size(given: str | None) -> tuple[int, int] | None:
    if given is None:
        return None
    match = re.fullmatch(r"(\d+)(?:x(\d+))?", given)
    if match is None or int(match[1]) < 1:
        raise ValueError(f"--resize {given}: expected HEIGHTxWIDTH, such as 32x32")
    return int(match[1]), int(match[2] or match[1])


def _normalisation(given: str | None, channels: int, default: float, name: str) -> list[float]:
    if given is None:
        return [default] * channels
    try:
        values = [float(fold(part)) for part in given.split(",")]
    except (ValueError, TypeError):
        raise ValueError(f"--{name} {given}: expected numbers with commas between them") from None
    values = values * channels if len(values) == 1 else values
    if len(values) != channels or (name == "std" and min(values) <= 0):
        raise ValueError(
            f"--{name} {given}: expected one number for each of {channels} channels"
            + (", above 0" if name == "std" else "")
        )
    return values


def _twins(images: Any) -> int:
    """Return how many images are exact copies of an earlier one."""
    return len(images) - len({image.tobytes() for image in images})


def _digest(path: Path, name: str | None = None) -> str:
    """Return the digest of the raw folder that a file or a folder becomes; files are read anew only if they changed."""
    try:
        known: dict[str, str] = json.loads(DIGESTS.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        known = {}
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    lines = []
    for file in files:
        place = file.relative_to(path) if file != path else Path(name or file.name)
        if any(part.startswith(".") for part in place.parts):
            continue
        facts = file.stat()
        key = f"{file.resolve()} {facts.st_size} {facts.st_mtime_ns}"
        known[key] = known.get(key) or digests.file_digest(file)
        lines.append(f"{known[key].removeprefix('sha256:')}  {place.as_posix()}\n")
    provenance.write_whole(DIGESTS, json.dumps(known, indent=0, sort_keys=True).encode(), lasting=False)
    return digests.sha256("".join(sorted(lines)).encode())


def _tell(asked: Asked, written: Written, study: str, target: Path, cores: str) -> None:
    """Print what was found, what will be done, and how long it may take."""
    channels, height, width = asked.input_shape
    print(
        f"Model: {asked.reader.replace('_', ' ')}, {channels} x {height} x {width} pixels in, {asked.classes} classes out."
    )
    for sentence in (*asked.told, *written.left_out):
        print(f"  - {sentence}")
    jobs = sum(1 for _ in Plan(load(study)).jobs())
    used = min(os.cpu_count() or 1, int(cores) if cores.isdigit() else 10**6)
    minutes = (jobs * JOB_SECONDS + written.passes * asked.seconds * OVERHEAD) / used / 60
    print(
        f"Study: {target}. {jobs} jobs, about {max(minutes, 1):.0f} minutes on {used} cores; what is done stays done.",
        flush=True,
    )


def _verdict(name: str) -> None:
    """Print the few numbers that matter most, as the report has them."""
    with Path(f"reports/{name}/metrics.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["seed"] != "mean"]

    def value(evaluation: str, metric: str, **place: str) -> float:
        found = (row for row in rows if (row["evaluation"], row["metric"]) == (evaluation, metric))
        return next(float(row["value"]) for row in found if all(row[key] == wanted for key, wanted in place.items()))

    clean = value("robustness", "clean_accuracy", examples="own_attacked")
    left = min(float(r["value"]) for r in rows if (r["evaluation"], r["metric"]) == ("robustness", "robust_accuracy"))
    failed = sorted(
        {
            r["metric"].removesuffix("_passed")
            for r in rows
            if r["metric"].endswith("_passed") and float(r["value"]) == 0
        }
    )
    print(f"Accuracy: {clean:.1%} clean, {left:.1%} under the worst attack (on the images that were attacked).")
    if failed:
        print(f"Checks that failed, so do not trust that figure yet: {', '.join(failed)}.")
