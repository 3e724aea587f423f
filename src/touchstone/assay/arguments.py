"""The arguments of `touchstone assay`, checked without torch and without reading a file."""

from __future__ import annotations

import math
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from touchstone.assay import model_zoo
from touchstone.data.ingest.user_pictures import Colour, Shaping
from touchstone.messages import nearest
from touchstone.pipeline.jobs import processes
from touchstone.settings.files import DEFAULT_STUDY, NAME
from touchstone.signatures import fold

STUDIES = Path("workflow/studies")
CODE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")  # module:function
ROUNDING = 1e-4  # of a level: where `tensors.to_grid_towards` still takes a value as whole


@dataclass(frozen=True)
class Arguments:
    """The arguments of one assay, parsed."""

    model: str  # a file or a name of torchvision
    architecture: str | None  # "module:function"
    weights: str | None
    key: str | None  # what the weights are stored under in their file
    trust_code: bool
    data: Path
    ood: tuple[str, ...]  # as typed
    classes: tuple[str, ...]  # in the model's order; empty: alphabetical
    shaping: Shaping
    leave_out_broken: bool
    mean: tuple[float, ...]  # one for all channels, one for each, or none
    std: tuple[float, ...]
    eps: float
    eps_written: str | float  # as the study has it: 8/255, or a number
    effort: str
    images: int | None  # that are attacked; None: as many as the effort has
    batch_size: int
    device: str
    draws: int  # of the model per pass of an attack; 1 for a model that draws no random numbers
    backward: str | None  # the model that attacks differentiate
    subject: str  # what the study is about: the model and the images, by full paths, as words of a command line
    target: Path  # the study's file
    named: bool  # the user chose the study's name or file
    force: bool

    def normalisation(self, channels: int) -> tuple[list[float], list[float]]:
        """Return the mean and the std of each channel, 0 and 1 by default.

        Raises:
            ValueError: there are neither one value nor one for each channel.
        """
        both = []
        for flag, values, default in (("--mean", self.mean, 0.0), ("--std", self.std, 1.0)):
            each = list(values or [default])
            each = each * channels if len(each) == 1 else each
            if len(each) != channels:
                typed = ",".join(f"{value:g}" for value in values)
                raise ValueError(f"{flag} {typed}: expected one number for each of {channels} channels")
            both.append(each)
        return both[0], both[1]

    def unused_budget(self) -> list[str]:
        """Return a note if eps is no whole number of 8-bit levels, because attacked images lose the rest of it."""
        levels = 255 * self.eps
        whole = math.floor(levels + ROUNDING)
        if levels - whole < 0.01:
            return []
        return [
            f"eps {self.eps_written} is {levels:.4g} of 255 levels. Attacked images have 8 bits, so no pixel moves by more"
            f" than {whole}. Write {whole + 1}/255 to allow {whole + 1}"
        ]


def parsed(options: SimpleNamespace) -> Arguments:
    """Return the arguments as values.

    Raises:
        ValueError: an argument has the wrong form.
        FileNotFoundError: a file is missing.
    """
    target = _target(options)
    written = options.eps or _default_eps(options.model)
    eps = _eps(written)
    mean, std = _numbers("--mean", options.mean), _numbers("--std", options.std)
    if std and min(std) <= 0:
        raise ValueError(f"--std {options.std}: expected numbers above 0")
    _check_files(options)
    _check_names(_subject(options), str(target.resolve()), *(str(Path(place).resolve()) for place in options.ood or ()))
    if options.draws < 1:
        raise ValueError(f"--draws {options.draws}: expected a number of draws, such as 20")
    if options.model.startswith(model_zoo.PREFIX) and any(
        (mean, std, options.architecture, options.weights, options.key)
    ):
        raise ValueError(
            f"{options.model}: leave out --mean, --std, --architecture, --weights and --key: RobustBench states them, and"
            f" reads weights from {model_zoo.weights_file(options.model)}"
        )
    return Arguments(
        model=options.model,
        architecture=options.architecture,
        weights=options.weights,
        key=options.key,
        trust_code=options.trust_code,
        data=Path(options.data).expanduser(),
        ood=tuple(options.ood or ()),
        classes=_classes(options.classes),
        shaping=_shaping(options),
        leave_out_broken=options.leave_out_broken,
        mean=mean,
        std=std,
        eps=eps,
        eps_written=written if "/" in written else eps,
        effort=options.effort,
        images=options.images,
        batch_size=options.batch_size,
        device=options.device,
        draws=options.draws,
        backward=options.backward,
        subject=_subject(options),
        target=target,
        named=bool(options.out or options.study),
        force=options.force,
    )


def _subject(options: SimpleNamespace) -> str:
    path = Path(options.model).expanduser()
    words = [str(path.resolve()) if path.is_file() else options.model]
    words += ["--architecture", options.architecture] if options.architecture else []
    words += ["--weights", str(Path(options.weights).expanduser().resolve())] if options.weights else []
    words += ["--key", options.key] if options.key else []
    words += ["--backward", str(Path(options.backward).expanduser().resolve())] if options.backward else []
    return shlex.join([*words, "--data", str(Path(options.data).expanduser().resolve())])


def _check_names(*texts: str) -> None:
    """Raise ValueError for a path that no study can name, because it is not UTF-8."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(
                f"{os.fsencode(text)!r}: this path is not UTF-8, so no study can name it; rename the file or folder"
            ) from None


def _target(options: SimpleNamespace) -> Path:
    """Return the file to write the study to; ValueError for a name that no study can have."""
    stem = re.sub(r"[^a-z0-9]+", "_", Path(options.model).stem.lower()).strip("_")
    name, flag = options.study or f"assay_{stem or 'model'}", f"--name {options.study}"
    target = (STUDIES if STUDIES.is_dir() else Path()) / f"{name}.yaml"
    if options.out:
        target, flag = Path(options.out), f"--out {options.out}"
        name = target.stem
    if not NAME.fullmatch(name) or target.suffix != ".yaml":
        raise ValueError(f"{flag}: a study is a file NAME.yaml, its name [a-z][a-z0-9_]*")
    if name == DEFAULT_STUDY:
        raise ValueError(f"{flag}: that is touchstone's default study; choose another name")
    return target


def _default_eps(model: str) -> str:
    """Return the budget of a model's published figure if that is L-inf, otherwise 8/255."""
    if model.startswith(model_zoo.PREFIX) and (published := model_zoo.published(model)).norm == "linf":
        return published.eps
    return "8/255"


def _eps(text: str) -> float:
    """Return --eps as a share of the pixel range, above 0 and below 1."""
    try:
        eps = fold(text)
    except ValueError:
        eps = None
    if isinstance(eps, bool) or not isinstance(eps, int | float) or not 0 < eps < 1:
        meant = f"; {eps} of 255 levels is {eps}/255" if isinstance(eps, int) and 0 < eps <= 255 else ""
        raise ValueError(f"--eps {text}: expected a share of the pixel range above 0 and below 1, such as 8/255{meant}")
    if eps * 255 < 1 - 1e-9:
        raise ValueError(f"--eps {text}: images have 8 bits, so a budget below 1/255 changes no pixel")
    return float(eps)


def _classes(text: str | None) -> tuple[str, ...]:
    """Return the names of --classes, none without the flag."""
    names = tuple(name.strip() for name in text.split(",")) if text else ()
    if twice := next((name for name in names if name and names.count(name) > 1), None):
        raise ValueError(f"--classes {text}: {twice} is there twice; give each class once")
    if "" in names:
        raise ValueError(f"--classes {text}: a name is empty; give one name per class, with one comma between two")
    return names


def _shaping(options: SimpleNamespace) -> Shaping:
    """Return how pictures become images: --resize, --gray, --rgb."""
    colour: Colour = "gray" if options.gray else "rgb" if options.rgb else "as_stored"
    text = options.resize
    if text is None:
        return Shaping(colour=colour)
    match = re.fullmatch(r"([0-9]{1,9})(?:x([0-9]{1,9}))?", text)
    size = match and (int(match[1]), int(match[2] or match[1]))
    if not size or min(size) < 1:
        raise ValueError(f"--resize {text}: expected HEIGHTxWIDTH, such as 32x32")
    try:
        return Shaping(size, colour)
    except ValueError as error:
        raise ValueError(f"--resize {text}: {error}") from error


def _numbers(flag: str, text: str | None) -> tuple[float, ...]:
    """Return the numbers of --mean or --std; none if the flag is missing."""
    try:
        return tuple(float(fold(part)) for part in text.split(",")) if text is not None else ()
    except (ValueError, TypeError):
        raise ValueError(f"{flag} {text}: expected numbers with commas between them, such as 0.5,0.5,0.5") from None


def is_code(model: str) -> bool:
    """Return whether a typed model is "module:function", which runs in this process."""
    return bool(CODE.fullmatch(model)) and not model.startswith(model_zoo.PREFIX) and not Path(model).is_file()


def is_direct(options: SimpleNamespace) -> bool:
    """Return whether an assay runs in this process and writes no study: of a function, of two models, of accuracy only."""
    return options.accuracy_only or options.against is not None or is_code(options.model)


def check_unused(options: SimpleNamespace) -> None:
    """Raise ValueError for an option that only a study has a use for, if none is written."""
    if not is_direct(options):
        return
    against, is_function = options.against is not None, is_code(options.model)
    given = {
        "--weights": (against or is_function) and options.weights, "--ood": options.ood, "--name": options.study,
        "--out": options.out, "--force": options.force,
        "--device": options.device != "cpu", "--draws": against and options.draws > 1,
        "--backward": against and options.backward,
    }  # fmt: skip
    unused = next((flag for flag, value in given.items() if value), None)
    if unused is not None:
        kind = f"{options.model} is a function" if is_function else "accuracy alone is measured (--accuracy-only)"
        kind = "two models are compared" if against else kind
        raise ValueError(f"{unused}: {kind}, so no study is written, and this option has no effect; omit it")


def used_cores(typed: str) -> int:
    """Return how many cores of this machine --cores means."""
    return min(processes.available_cores(), int(typed) if typed.isdigit() else 10**6)


def missing_model(model: str) -> FileNotFoundError:
    """Return the error about a model file that does not exist, with the nearest name beside it."""
    folder = Path(model).expanduser().parent
    if not folder.is_dir():
        return FileNotFoundError(f"no model file {model}: there is no folder {folder}")
    return FileNotFoundError(
        f"no model file {model}.{nearest(Path(model).name, (path.name for path in folder.iterdir()))}"
    )


def _check_files(options: SimpleNamespace) -> None:
    """Raise FileNotFoundError for the first file that is missing."""
    for model in filter(None, (options.model, options.against)):
        is_path = bool(Path(model).suffix or "/" in model) and not model.startswith(model_zoo.PREFIX)
        if is_path and not is_code(model) and not Path(model).expanduser().is_file():
            raise missing_model(model)
    for flag, place in [("--data", options.data), *(("--ood", place) for place in options.ood or [])]:
        if not Path(place).expanduser().exists():
            folder = Path(place).expanduser().parent
            beside = [each.name for each in folder.iterdir()] if folder.is_dir() else []
            raise FileNotFoundError(
                f"{flag} {place}: there is no such folder or file.{nearest(Path(place).name, beside)}"
            )
    if options.backward and not is_code(options.backward) and not Path(options.backward).expanduser().is_file():
        raise FileNotFoundError(f"--backward {options.backward}: there is no such file")
    if options.weights and not Path(options.weights).expanduser().is_file():
        raise FileNotFoundError(f"--weights {options.weights}: there is no such file")
