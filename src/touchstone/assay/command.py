"""`touchstone assay`: is this model robust? A study is written for it, told what it will take, and run."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shlex
import sys
import tempfile
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from touchstone import digests, plugins
from touchstone.assay import study_file
from touchstone.assay.classes import Numbering
from touchstone.assay.study import Asked, Written, write
from touchstone.assay.study_file import Place
from touchstone.numerics import devices
from touchstone.pipeline.orchestration import recovery, running
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import whole_files
from touchstone.pipeline.settings.files import DEFAULT_STUDY, NAME
from touchstone.pipeline.settings.study import load
from touchstone.records import encoding, nouns
from touchstone.report import packing
from touchstone.report.summary import summary
from touchstone.report.tables import numbered
from touchstone.signatures import fold
from touchstone.statistics.sanity_checks import Doubts

STUDIES = Path("workflow/studies")
DIGESTS = Path(".touchstone/digests.json")  # of the user's files, by path, size and time
JOB_SECONDS = 3.2  # of one job besides its attacks: Python, torch, reading and writing
OVERHEAD = 2.0  # what an attack's step takes beside the two passes
PROBED = 512  # images that the model is tried on beforehand
NO_GPU = "--device cuda: there is no GPU here that torch can use; leave --device out to compute on the CPU"
FEWEST = 50  # images that can be split into three parts


def assay(options: Namespace) -> int:
    """Look at the model and the images, write the study, and run it; Snakemake's exit code."""
    _in_clone(options)
    if not options.dry_run and devices.missing(options.device):
        raise ValueError(NO_GPU)
    target = _target(options)
    eps = _well_formed(options)
    subject = _subject(options)
    place = study_file.choose(target, subject, stated=bool(options.out or options.study), force=options.force)
    if not options.dry_run:
        try:
            recovery.check_free()
        except recovery.Busy as error:
            return running.told_busy(error)
    asked = _looked_at(options, place, eps, subject)
    written = write(asked)
    whole_files.write_whole(place.target, written.text.encode())
    study = asked.name if place.target.parent == STUDIES else str(place.target)
    _tell(asked, written, study, place, options.cores)
    if options.dry_run:
        if warning := devices.warning(options.device):
            print(f"touchstone: {warning}", file=sys.stderr)
        return 0
    code = running.run(study, options.cores)
    if code == 0:
        _print_summary(asked.name)
    return code


def _in_clone(options: Namespace) -> None:
    """Stop where there is no clone of touchstone, with the line to type in one."""
    here = Path.cwd()
    if Path("Snakefile").is_file() and Path("params.yaml").is_file():
        return
    home = plugins.PACKAGE.parents[1]
    clone = str(home) if (home / "Snakefile").is_file() else "FOLDER_OF_THE_CLONE"
    raise ValueError(
        f"there is no Snakefile in {here}; an assay runs in a clone of touchstone. Type it there, with full paths:\n"
        f"  cd {shlex.quote(clone)} && .venv/bin/touchstone assay {_subject(options)} ..."
    )


def _target(options: Namespace) -> Path:
    """Return the file that the study should be written to; ValueError for a name that no study can have."""
    name, flag = options.study or _name(options.model), f"--name {options.study}"
    target = STUDIES / f"{name}.yaml"
    if options.out:
        target, flag = Path(options.out), f"--out {options.out}"
        name = target.stem
    if not NAME.fullmatch(name) or target.suffix != ".yaml":
        raise ValueError(f"{flag}: a study is a file NAME.yaml, its name [a-z][a-z0-9_]*")
    if name == DEFAULT_STUDY:
        raise ValueError(f"{flag}: that is the study of params.yaml; choose another name")
    return target


def _subject(options: Namespace) -> str:
    """Return what a study is about, in the words of a command line: the model and the images, by full paths."""
    path = Path(options.model).expanduser()
    words = [str(path.resolve()) if path.is_file() else options.model]
    for flag, value in (("--architecture", options.architecture), ("--weights", options.weights)):
        words += [flag, str(Path(value).expanduser().resolve()) if flag == "--weights" else value] if value else []
    return shlex.join([*words, "--data", str(Path(options.data).expanduser().resolve())])


def _name(model: str) -> str:
    """Return a study's name made of the model's."""
    stem = re.sub(r"[^a-z0-9]+", "_", Path(model).stem.lower()).strip("_")
    return f"assay_{stem or 'model'}"


def _well_formed(options: Namespace) -> float:
    """Return eps, after all that can be told of the arguments without torch: their form, and that the files are there."""
    try:
        eps = fold(options.eps)
    except ValueError:
        eps = None
    if isinstance(eps, bool) or not isinstance(eps, int | float) or not 0 < eps < 1:
        meant = f"; {eps} of 255 levels is {eps}/255" if isinstance(eps, int) and 0 < eps <= 255 else ""
        raise ValueError(
            f"--eps {options.eps}: expected a share of the pixel range above 0 and below 1, such as 8/255{meant}"
        )
    _size(options.resize)
    for flag, given in (("mean", options.mean), ("std", options.std)):
        _numbers(given, flag)
    model = Path(options.model).expanduser()
    if not model.is_file() and (model.suffix or "/" in options.model):
        raise FileNotFoundError(f"no model file {options.model}")
    given = [("--data", options.data), *(("--ood", place) for place in options.ood or [])]
    for flag, place in given:
        if not Path(place).expanduser().exists():
            raise FileNotFoundError(f"{flag} {place}: there is no such folder or file")
    if options.weights and not Path(options.weights).expanduser().is_file():
        raise FileNotFoundError(f"--weights {options.weights}: there is no such file")
    return float(eps)


def _looked_at(options: Namespace, place: Place, eps: float, subject: str) -> Asked:
    """Return what the study depends on, after the model was tried on the images. Takes torch, so only here."""
    import torch

    from touchstone.assay import models, probe

    if options.device == "cuda" and not options.dry_run and not torch.cuda.is_available():
        raise ValueError(NO_GPU)
    torch.set_num_threads(1)
    opened = models.open_model(
        options.model, architecture=options.architecture, weights=options.weights, trust_code=options.trust_code
    )
    seen = _seen(options)
    channels, height, width = seen.images.shape[1:]
    mean, std = (
        _normalisation(given, channels, name) for name, given in (("mean", options.mean), ("std", options.std))
    )
    scale = 255 if seen.images.dtype == "uint8" else 1
    ood = _ood(options, seen)
    with tempfile.TemporaryDirectory() as folder:
        # Into the studies' folder only after it was found good.
        made = models.put_into_file(opened, (channels, height, width), Path(folder) / place.target.name)
        found = probe.probe(
            made.program((channels, height, width)),
            mean,
            std,
            torch.from_numpy(seen.images.astype("float32") / scale),
            torch.from_numpy(seen.labels),
            seen.numbering,
        )
        if made.file is not None and made.made and not (place.replaces or options.force):
            _refuse_to_overwrite(place.target.with_suffix(made.file.suffix))
        opened = models.kept(made, place.target)
    assert opened.file is not None
    return Asked(
        name=place.target.stem,
        subject=subject,
        reader=opened.kind,
        model_settings={} if opened.batch is None else {"batch": opened.batch},
        model_file=str(opened.file.resolve()),
        model_digest=_digest(opened.file, "weights.pt"),
        images=str(seen.place.resolve()),
        images_digest=_digest(seen.place),
        image_settings=seen.settings,
        ood=tuple((str(place.resolve()), _digest(place)) for place, _ in ood),
        counts=seen.counts,
        ood_counts=tuple(count for _, count in ood),
        input_shape=(channels, height, width),
        classes=found.classes,
        mean=tuple(mean),
        std=tuple(std),
        eps=eps,
        eps_written=options.eps if "/" in options.eps else eps,
        effort=options.effort,
        features=found.features,
        gradient_norms=found.gradient_norms,
        width=found.width,
        seconds=found.seconds,
        device=options.device,
        command=shlex.join(["touchstone", *sys.argv[1:]]),
        told=(*opened.told, *_other_size(opened.shape, (channels, height, width)), *found.told, *seen.told),
    )


def _refuse_to_overwrite(program: Path) -> None:
    """Stop at a file where the program made of a network should go, and no assay wrote a study beside it."""
    if program.exists():
        raise ValueError(
            f"{program} is there already, and the program made of your network would replace it: move it, choose another"
            " --name or --out, or replace it with --force"
        )


def _other_size(stated: tuple[int | None, ...], given: tuple[int, int, int]) -> list[str]:
    """Return what to tell where a model takes images of another size than the one that its file was made with."""
    if len(stated) != len(given) or all(side in (None, own) for side, own in zip(stated, given, strict=True)):
        return []
    its, yours = (" x ".join(str(side or "any") for side in shape) for shape in (stated, given))
    size = "" if None in stated[1:] else f"; to have them resized: --resize {stated[1]}x{stated[2]}"
    return [f"its file was made for images of {its}, and takes yours, {yours}, all the same{size}"]


@dataclass(frozen=True)
class Seen:
    """What was found in --data: some of the images and their labels, the settings that read them, images per part."""

    place: Path
    images: Any  # (N, C, H, W), numpy
    labels: Any
    settings: dict[str, Any]
    shaping: Any
    counts: dict[str, int]
    told: tuple[str, ...]
    numbering: Numbering
    contents: frozenset[bytes]  # of every image


def _seen(options: Namespace) -> Seen:
    """Read every image of --data once; ValueError for what a study could not use."""
    from touchstone.data.own_images import SHARES
    from touchstone.ingest.splits import rows_of_part, stratified_order
    from touchstone.ingest.user_images import Shaping, named, own_images

    place, order = Path(options.data).expanduser(), options.classes.split(",") if options.classes else []
    held, size = own_images(place, order), _size(options.resize)
    shaping = Shaping(size, "gray" if options.gray else "rgb" if options.rgb else "as_stored")
    present = sorted(set(held.labels.tolist()))
    if len(present) < 2:
        only = held.classes[present[0]]
        raise ValueError(f"{place}: all {len(held)} images are of one class, {only}; a classifier needs two")
    images, broken, good = held.read(range(len(held)), shaping)
    _refuse(place, broken, options)
    if len(good) < FEWEST:
        raise ValueError(f"{place}: {len(good)} images; an assay needs at least {FEWEST} to split into three parts")
    settings: dict[str, Any] = {"colour": shaping.colour} if shaping.colour != "as_stored" else {}
    settings |= {"height": size[0], "width": size[1]} if size else {}
    settings |= ({"classes": order} if order else {}) | ({"broken": "leave_out"} if broken else {})
    told = [f"left out of {place.name}: {named(broken)}"] if broken else []
    contents = frozenset(_content(image) for image in images)
    if copies := len(images) - len(contents):
        told.append(
            f"{copies} images are exact copies of others; across the parts they flatter detectors that are fitted"
        )
    rows = stratified_order(held.labels[good], 0)[:PROBED]
    return Seen(
        place=place,
        images=images[rows],
        labels=held.labels[good][rows],
        settings=settings,
        shaping=shaping,
        # Broken ones may all lie in one part.
        counts={part: len(rows_of_part(held.labels, SHARES, part, seed=0)) - len(broken) for part in SHARES},
        told=tuple(told),
        numbering=Numbering(
            place=place.name,
            names=tuple(name if number in present else "" for number, name in enumerate(held.classes)),
            empty=_empty(place, held.classes),
            stated=bool(order) or held.arrays is not None or all(n.isdigit() for n in held.classes if n),
            arrays=held.arrays is not None,
        ),
        contents=contents,
    )


def _empty(place: Path, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the folders beside those of classes that hold no picture."""
    if not place.is_dir():
        return ()
    folders = sorted(path.name for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))
    return tuple(name for name in folders if name not in classes)


def _content(image: Any) -> bytes:
    return hashlib.sha256(image.tobytes()).digest()


def _refuse(place: Path, broken: list[tuple[str, str]], options: Namespace) -> None:
    """Stop at images that cannot be read, naming them, unless the user goes on without them."""
    from touchstone.ingest.user_images import named

    if broken and not options.leave_out_broken:
        raise ValueError(f"{place}: {named(broken)}. Repair or remove them, or go on without them: --leave-out-broken")


def _ood(options: Namespace, seen: Seen) -> list[tuple[Path, int]]:
    """Return the places of --ood and how many images each holds, of the shape of the others."""
    from touchstone.ingest.user_images import own_images

    found = []
    for given in options.ood or []:
        place = Path(given).expanduser()
        held = own_images(place, labelled=False)
        images, broken, _ = held.read(range(len(held)), seen.shaping)
        _refuse(place, broken, options)
        if images.shape[1:] != seen.images.shape[1:]:
            own, others = (" x ".join(map(str, shape[1:])) for shape in (seen.images.shape, images.shape))
            raise ValueError(f"{place}: images are {others}, those of --data {own}; see --resize, --gray and --rgb")
        if both := sum(_content(image) in seen.contents for image in images):
            raise ValueError(
                f"--ood {given}: {both} of its {len(images)} images are in --data {options.data} too. Images of the model's"
                " classes are no out-of-distribution images: give a folder of others, or leave --ood out"
            )
        found.append((place, len(held)))
    return found


def _size(given: str | None) -> tuple[int, int] | None:
    if given is None:
        return None
    match = re.fullmatch(r"(\d+)(?:x(\d+))?", given)
    if match is None or int(match[1]) < 1:
        raise ValueError(f"--resize {given}: expected HEIGHTxWIDTH, such as 32x32")
    return int(match[1]), int(match[2] or match[1])


def _normalisation(given: str | None, channels: int, name: str) -> list[float]:
    """Return the mean or the std of each channel; without one, what changes nothing."""
    values = _numbers(given, name) or [1.0 if name == "std" else 0.0]
    values = values * channels if len(values) == 1 else values
    if len(values) != channels:
        raise ValueError(f"--{name} {given}: expected one number for each of {channels} channels")
    return values


def _numbers(given: str | None, name: str) -> list[float]:
    """Return the numbers of --mean or --std; none where it was not given."""
    if given is None:
        return []
    try:
        values = [float(fold(part)) for part in given.split(",")]
    except (ValueError, TypeError):
        raise ValueError(f"--{name} {given}: expected numbers with commas between them, such as 0.5,0.5,0.5") from None
    if name == "std" and min(values) <= 0:
        raise ValueError(f"--std {given}: expected numbers above 0")
    return values


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
    whole_files.write_whole(DIGESTS, json.dumps(known, indent=0, sort_keys=True).encode(), lasting=False)
    return digests.sha256("".join(sorted(lines)).encode())


def _tell(asked: Asked, written: Written, study: str, place: Place, cores: str) -> None:
    """Print what was found, what will be done, and how long it may take."""
    channels, height, width = asked.input_shape
    print(
        f"Model: {asked.reader.replace('_', ' ')}, {channels} x {height} x {width} pixels in, {asked.classes} classes out."
    )
    for sentence in (*asked.told, *written.left_out, *place.kept):
        print(f"  - {sentence}")
    jobs = sum(1 for _ in Plan(load(study)).jobs())
    used = min(os.cpu_count() or 1, int(cores) if cores.isdigit() else 10**6)
    minutes = (jobs * JOB_SECONDS + written.passes * asked.seconds * OVERHEAD) / used / 60
    print(
        f"Study: {place.target}{', in place of the one written before' if place.replaces else ''}. {jobs} jobs, about"
        f" {max(minutes, 1):.0f} min on {used} cores; what is done stays done.",
        flush=True,
    )


def _print_summary(name: str) -> None:
    """Print the first screen of a study's report: the same words and numbers."""
    table = gzip.decompress(Path(f"reports/{name}/{packing.METRICS}").read_bytes())
    rows = numbered({name: encoding.decode(table, nouns.Metrics)})
    found = summary(rows, Doubts(rows))
    if found is None:
        return
    for line in found.table.lines:
        for number in filter(None, line.numbers):
            print(f"{line.words[0]}: {number.text} {number.interval}")
    print(found.checks)
