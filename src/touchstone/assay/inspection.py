"""Try a user's model on the user's images, before hours are spent on it, and collect the facts for its study."""

from __future__ import annotations

import shlex
import sys
import tempfile
from pathlib import Path

import torch

from touchstone.assay import image_sets, probe, program_export, user_models
from touchstone.assay.arguments import Arguments
from touchstone.assay.facts import Facts, ImageFacts, ModelFacts, OODFacts, ProgramFile
from touchstone.assay.study_file import Place
from touchstone.assay.user_models import UserModel
from touchstone.data.ingest.user_folder import files_in
from touchstone.digests import file_digest, sha256
from touchstone.numerics import tensors

COMPARED = 64  # images that a network and its exported program are compared on
Shape = tuple[int, int, int]


def inspect(arguments: Arguments, place: Place) -> Facts:
    """Return the facts for a study of the model.

    The model's program is written beside the study only if the model passes every check.

    Raises:
        ValueError: the model or the images cannot be used; the message says why and what to do.
    """
    torch.set_num_threads(1)
    for folder in (arguments.data, *map(Path, arguments.ood)):
        _check_outside(folder.expanduser(), place.target)
    model = user_models.open_model(
        arguments.model,
        architecture=arguments.architecture,
        weights=arguments.weights,
        key=arguments.key,
        trust_code=arguments.trust_code,
    )
    labelled = image_sets.labelled_images(arguments)
    labelled.check_enough(arguments.images, labelled.counts["test"], "a study attacks half of them")
    channels, height, width = labelled.images.shape[1:]
    shape = channels, height, width
    mean, std = arguments.normalisation(channels)
    ood = image_sets.ood_sets(arguments, labelled)
    ood_remarks = tuple(remark for *_, remarks in ood for remark in remarks)
    backward = None
    if arguments.backward is not None:
        backward = user_models.open_model(arguments.backward, trust_code=arguments.trust_code)
    stored, differentiated, findings = _tried(model, backward, labelled, mean, std, place, arguments)
    assert stored.file is not None
    return Facts(
        name=place.target.stem,
        subject=arguments.subject,
        command=shlex.join(["touchstone", *sys.argv[1:]]),
        model=ModelFacts(
            file=str(stored.file.resolve()),
            digest=_raw_digest(stored.file, "weights.pt"),
            input_shape=shape,
            classes=findings.classes,
            mean=tuple(mean),
            std=tuple(std),
            no_features=findings.no_features,
            no_gradient_norms=findings.no_gradient_norms,
            width=findings.width,
            seconds=findings.seconds,
            draws=arguments.draws,
            backward=None if differentiated is None else _program_file(differentiated),
        ),
        images=ImageFacts(
            place=str(arguments.data.resolve()),
            digest=_raw_digest(arguments.data),
            settings=labelled.settings,
            counts=labelled.counts,
            remarks=(*labelled.remarks, *ood_remarks),
        ),
        ood=tuple(
            OODFacts(str(folder.resolve()), _raw_digest(folder), count, broken) for folder, count, broken, _ in ood
        ),
        eps=arguments.eps,
        eps_written=arguments.eps_written,
        effort=arguments.effort,
        device=arguments.device,
        published=model.published,
        rows=arguments.images,
        batch_size=arguments.batch_size,
        advice=findings.advice,
        notes=(
            *stored.notes,
            *findings.notes,
            *labelled.notes,
            *ood_remarks,
            *arguments.unused_budget(),
        ),
    )


def _check_outside(images: Path, study: Path) -> None:
    """Raise ValueError if what the assay writes would be among the images, which would change them."""
    written = (study.resolve(), Path.cwd() / "data" / study.stem)
    if images.is_dir() and any(path.is_relative_to(images.resolve()) for path in written):
        raise ValueError(
            f"{images}: the assay writes its study and its results into this folder of images; move the images into a"
            " folder of their own, or work in another folder"
        )


def _raw_digest(path: Path, name: str = "") -> str:
    """Return the digest of the raw folder that a file, which is called `name` there, or a folder becomes."""
    names = {file: file.relative_to(path).as_posix() for file in files_in(path)} if path.is_dir() else {path: name}
    lines = [f"{file_digest(file).removeprefix('sha256:')}  {place or path.name}\n" for file, place in names.items()]
    return sha256("".join(sorted(lines)).encode())


def _program_file(model: UserModel) -> ProgramFile:
    """Return the facts of a model's file."""
    assert model.file is not None
    return ProgramFile(str(model.file.resolve()), _raw_digest(model.file, "weights.pt"))


def _tried(
    model: UserModel,
    backward: UserModel | None,
    labelled: image_sets.LabelledImages,
    mean: list[float],
    std: list[float],
    place: Place,
    arguments: Arguments,
) -> tuple[UserModel, UserModel | None, probe.Findings]:
    """Return the models as the study will run them, and what the first does; only good ones are written beside the study."""
    beside = place.target.with_stem(f"{place.target.stem}_backward")
    channels, height, width = labelled.images.shape[1:]
    shape = channels, height, width
    scale = 255 if labelled.images.dtype == "uint8" else 1
    with tempfile.TemporaryDirectory() as folder:
        program = program_export.put_into_file(model, shape, Path(folder) / place.target.name)
        other = None if backward is None else program_export.put_into_file(backward, shape, Path(folder) / beside.name)
        opened, images = program.program(shape), torch.from_numpy(labelled.images.astype("float32") / scale)
        if program.network is not None:
            program_export.check_same(program.network, opened, tensors.Normalise(mean, std)(images[:COMPARED]))
        findings = probe.probe(
            opened,
            mean,
            std,
            images,
            torch.from_numpy(labelled.labels),
            labelled.numbering,
            draws=arguments.draws,
            backward=None if other is None else other.program(shape),
        )
        for made, target in ((program, place.target), (other, beside)):
            if made is not None and made.file is not None and made.exported and not (place.replaces or arguments.force):
                _check_overwriting(target.with_suffix(made.file.suffix), made.file)
        stand_in = None if other is None else program_export.copy_beside(other, beside)
        return program_export.copy_beside(program, place.target), stand_in, findings


def _check_overwriting(program: Path, exported: Path) -> None:
    """Raise ValueError if another program is where the exported one should go.

    An assay that was interrupted before it wrote its study has left an equal one.
    """
    if program.exists() and program.read_bytes() != exported.read_bytes():
        raise ValueError(
            f"{program} is there already, and the program made from your network would replace it: move it, choose another"
            " --name or --out, or replace it with --force"
        )
