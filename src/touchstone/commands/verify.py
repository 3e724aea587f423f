"""`touchstone verify FILE`: check claims from a pack, without trusting its author."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from touchstone import parsed_files
from touchstone.commands._command_line import COUNT, FILE, FOLDER, POSITIVE, Command, is_own_process, refuse_together
from touchstone.commands._shared_arguments import RAW, check_digest, device_option, raw_folders, studies
from touchstone.messages import say
from touchstone.numerics import devices
from touchstone.pipeline.jobs import environment
from touchstone.provenance import chain
from touchstone.settings.study import load

if TYPE_CHECKING:
    from touchstone.audit.problems import Result


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0
    if not 0 < share <= 1:
        raise click.BadParameter(f"{text!r} is no share above 0 and at most 1.")
    return share


@click.command("verify", cls=Command)
@click.argument("file", type=FILE, help="a pack")
@click.option(
    "--model", "models", multiple=True, metavar="[NET=]FILE",
    help="a network of your own: a checkpoint, or a model that assay takes",
)  # fmt: skip
@click.option("--root", metavar="DIGEST", help="of a study: its root digest, from a paper or another trusted place")
@click.option(
    "--study",
    metavar="STUDY",
    shell_complete=studies,
    help="of a study: one of this project whose settings it must have",
)
@click.option(
    "--raw", type=FOLDER, metavar="FOLDER", help=f"of a study: prepare the data again from here (default: {RAW})"
)
@click.option(
    "--data", metavar="PATH",
    help="of `evaluate`: the images with labels that it was given, or the whole set they are from, as for assay",
)  # fmt: skip
@click.option("--trust-code", is_flag=True, help="run networks whose code is in their file")
@device_option
@click.option(
    "--share", type=_share, metavar="SHARE",
    help="of a study: compute a random share of each file's rows again, such as 0.1 (default: all, but 32 margins a file)",
)  # fmt: skip
@click.option(
    "--all", "every", is_flag=True,
    help="of a study: compute all rows again, all margins, too, which takes longest (as --share 1)",
)  # fmt: skip
@click.option(
    "--challenge",
    type=COUNT,
    metavar="N",
    help="attack N images of each attacked set again; 0 for none (default: a few)",
)
@click.option(
    "--seed", type=COUNT, metavar="N", help="draws the images of --challenge, to repeat one (default: random, printed)"
)
@click.option(
    "--threads", type=POSITIVE, default=1, metavar="N",
    help="of torch (default: 1, with which results are equal to the last bit most often)",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
def main(
    file: str,
    models: tuple[str, ...],
    root: str | None,
    study: str | None,
    raw: str | None,
    data: str | None,
    trust_code: bool,
    device: str,
    share: float | None,
    every: bool,
    challenge: int | None,
    seed: int | None,
    threads: int,
    as_json: bool,
) -> int:
    """Check the claims in a pack, without trusting its author.

    It prints what was proved, what was taken on trust, and what is not so. The exit code is 0 if nothing is wrong, 1 if
    something is, 4 if nothing is wrong but not everything could be checked.

    \b
    Examples:
      touchstone verify digits.pack
      touchstone verify digits.pack --raw data/raw --root sha256:...
      touchstone verify digits.pack --share 0.1 --challenge 0
    """
    refuse_together({"--all": every, "--share": share is not None})
    share = 1.0 if every else share
    if is_own_process():  # it computes, as jobs do
        environment.prepare_command(threads)
    from touchstone.audit import evaluation_checks, verification
    from touchstone.provenance import archive

    parsed_files.disable_cache()
    path = Path(file)
    devices.check_option(device)  # what fails for want of a GPU would be reported as a forgery
    manifest = archive.read_manifest(path)
    if manifest.kind == evaluation_checks.KIND:
        if root or study or raw is not None or share is not None:
            raise ValueError(
                f"{path}: --root, --study, --raw, --share and --all are for a study's pack, and this is of `evaluate`"
            )
        result = evaluation_checks.verify(
            path, list(models), device, trust_code=trust_code, challenge=challenge, seed=seed, data=data
        )
    else:
        if data is not None:
            raise ValueError(
                f"{path}: --data is for a pack of `evaluate`, and this is a study's; --raw is for a study's"
            )
        check_digest("--root", root)
        brought = verification.Options(
            root=root,
            networks=dict(_networks(models)),
            raw=raw_folders(raw),
            study=load(study) if study else None,
            device=device,
            share=share,
            trust_code=trust_code,
            challenge=challenge,
            seed=seed,
        )
        result = verification.verify(path, brought)
    if as_json:
        print(json.dumps(asdict(result), indent=1))
    else:
        _print(path, result)
    return 1 if result.problems else chain.PARTLY if result.unchecked else 0


def _networks(texts: Iterable[str]) -> list[tuple[str, Path]]:
    pairs = [_network(text) for text in texts]
    for _, path in pairs:
        if not path.is_file():
            raise FileNotFoundError(2, "--model: no such file", str(path))
    if len(dict(pairs)) < len(pairs):
        raise ValueError("--model: names a network twice; write NETWORK=FILE for each")
    return pairs


def _network(text: str) -> tuple[str, Path]:
    """Return NETWORK and FILE; no NETWORK if the whole text is a file, whose name may contain "="."""
    name, mark, file = text.partition("=")
    return (name, Path(file)) if mark and not Path(text).is_file() else ("", Path(text))


def _print(path: Path, result: Result) -> None:
    for title, lines in (
        ("Proved", result.proved),
        ("Challenged", result.challenged),
        ("Taken on trust", result.trusted),
        ("Not checked", result.unchecked),
    ):
        if lines:
            say(f"{title}:", *(f"  - {line}" for line in lines))
    if result.verdicts:
        say("Verdicts, judged again:", *(f"  {claim}: {words}" for claim, words in result.verdicts))
    if result.problems:
        say("Forged or damaged:", *(f"  - {problem}" for problem in result.problems))
    word = (
        f"{len(result.problems)} finding{'s' * (len(result.problems) > 1)}"
        if result.problems
        else "nothing is wrong, but not everything was checked"
        if result.unchecked
        else "verified"
    )
    say(f"{path} (manifest {result.evidence}): {word}, in {result.seconds:.0f} s")
