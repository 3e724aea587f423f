"""`touchstone verify FILE`: check claims from an evidence file, without trusting its author."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from touchstone import parsed_files
from touchstone.commands._command_line import RAW, check_digest, positive, raw_folders
from touchstone.messages import say
from touchstone.numerics import devices
from touchstone.pipeline.provenance import chain
from touchstone.pipeline.settings.study import load

if TYPE_CHECKING:
    from touchstone.evidence.problems import Result


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `verify`."""
    parser.add_argument("file", help="an evidence file")
    parser.add_argument("--model", action="append", default=[], metavar="[NET=]FILE",
                        help="a network of your own: a checkpoint, or a model that assay takes")  # fmt: skip
    parser.add_argument(
        "--root", metavar="DIGEST", help="the study's root digest, from a paper or another trusted place"
    )
    parser.add_argument("--study", metavar="STUDY", help="a study of this project whose settings it must have")
    parser.add_argument("--raw", metavar="FOLDER", help=f"prepare the data again from here (default: {RAW})")
    parser.add_argument("--trust-code", action="store_true", help="run networks whose code is in their file")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--share", type=_share, default=1.0, metavar="SHARE",
                        help="compute only a random share of each file's rows again, such as 0.1")  # fmt: skip
    parser.add_argument("--threads", type=positive, default=1, metavar="N",
                        help="of torch (default: 1, with which results are equal to the last bit most often)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def main(options: argparse.Namespace) -> int:
    """Print what was proved, what was taken on trust, and what is not so.

    Returns 0 if nothing is wrong, 1 if something is, 4 if nothing is wrong but not everything could be checked.
    """
    from touchstone.evidence import evaluation_checks, verification
    from touchstone.evidence_files import archive

    parsed_files.distrust()
    path = Path(options.file)
    devices.check_option(options.device)  # what fails for want of a GPU would be reported as a forgery
    manifest = archive.read_manifest(path)
    if manifest.kind == evaluation_checks.KIND:
        if options.root or options.study or options.raw is not None or options.share < 1:
            raise ValueError(
                f"{path}: --root, --study, --raw and --share are for evidence of a study, and this is of `evaluate`"
            )
        result = evaluation_checks.verify(path, options.model, options.device, trust_code=options.trust_code)
    else:
        check_digest("--root", options.root)
        brought = verification.Options(
            root=options.root,
            networks=dict(_networks(options.model)),
            raw=raw_folders(options.raw),
            study=load(options.study) if options.study else None,
            device=options.device,
            share=options.share,
            trust_code=options.trust_code,
        )
        result = verification.verify(path, brought)
    if options.json:
        print(json.dumps(asdict(result), indent=1))
    else:
        _print(path, result)
    return 1 if result.problems else chain.PARTLY if result.unchecked else 0


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a share above 0 and at most 1")
    return share


def _networks(texts: list[str]) -> list[tuple[str, Path]]:
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
    say(f"{path} ({result.evidence}): {word}, in {result.seconds:.0f} s")
