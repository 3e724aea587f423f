"""Whether `verify` accuses honest packs: ten networks' packs, each checked on the code paths of another processor.

    python benchmarks/honest_packs.py [--packs 10] [--pack digits.pack]

Each pack is the study `tiny` with seeds of its own, made in an empty folder on the code paths that the pipeline pins.
With --pack, that of a larger study made so is checked on all of the code paths: its networks are surer of themselves.
`verify` reads it in a process that takes other ones: those of an older or a newer processor, or of more threads. As a
function `verify` does not pin them, so they count. A pack may leave something unchecked; none may be accused.

Writes honest_packs.json and .md into benchmarks/results/.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import racing
from racing import Goal, Results

STUDY = Path(__file__).parents[1] / "workflow" / "studies" / "tiny.yaml"
SEEDS = "  seeds: 1 "  # the line of the study after which its first seed stands
APART = 1000  # between the first seeds of two packs
NEWEST = {"ATEN_CPU_CAPABILITY": "avx512", "OPENBLAS_CORETYPE": "SkylakeX"}
PATHS = {  # by what they play
    "Nehalem, 2008": {
        "ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "ONEDNN_MAX_CPU_ISA": "SSE41",
        "OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    },
    "Sandy Bridge, 2011": {
        "ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "AVX", "ONEDNN_MAX_CPU_ISA": "AVX",
        "OPENBLAS_CORETYPE": "Sandybridge", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    },
    "Haswell, 2013": {
        "ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    },
    "this processor, nothing held back": NEWEST,
    "this processor, two threads": {**NEWEST, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
}  # fmt: skip
UNPINNED = "import sys; from touchstone.__main__ import main; sys.exit(main(['verify', *sys.argv[1:]]))"
EQUAL = re.compile(r"(\d+) of (\d+) recomputed files are equal")


def made(number: int, folder: Path) -> Path:
    """Return a pack of the study with other seeds than any other number gives."""
    text = STUDY.read_text()
    racing.require(text.count(SEEDS) == 1, f"{STUDY} has no line {SEEDS!r}")
    (folder / "mine.yaml").write_text(text.replace(SEEDS, f"  first_seed: {APART * number}\n{SEEDS}"))
    for command in (("run", "mine.yaml"), ("pack", "mine.yaml", "-o", "mine.pack")):
        subprocess.run([sys.executable, "-m", "touchstone", *command], cwd=folder, check=True, capture_output=True)
    return folder / "mine.pack"


def verified(pack: Path, seed: int, variables: dict[str, str]) -> Results:
    """Return what `verify` says on other code paths: its exit code, what it finds, and how many files are equal."""
    command = [sys.executable, "-c", UNPINNED, str(pack), "--seed", str(seed), "--json"]
    done = subprocess.run(command, cwd=pack.parent, capture_output=True, text=True, env=os.environ | variables)
    said = json.loads(done.stdout)
    (equal,) = [match.groups() for line in said["proved"] if (match := EQUAL.search(line))]
    counts = {"equal": int(equal[0]), "recomputed": int(equal[1]), "unchecked": len(said["unchecked"])}
    return {"exit": done.returncode, "findings": said["problems"], **counts}


def page(results: Results) -> str:
    """Return the results as Markdown."""
    rows = [
        (line["processor"], line["pack"], f"{line['equal']} of {line['recomputed']}", len(line["findings"]))
        for line in results["packs"]
    ]
    what = (
        "Honest packs of `tiny`, each of other seeds, and of studies, by `verify` on other code paths than made them."
    )
    columns = ("code paths", "pack", "files equal to the bit", "findings")
    return racing.page("Honest packs", what, results, racing.table(columns, rows))


def main() -> None:
    """Make the packs, check them, and write the table."""
    parser = racing.parser(__doc__, rounds=1)
    parser.add_argument("--packs", type=int, default=10)
    parser.add_argument("--pack", type=Path)
    options = parser.parse_args()
    results: Results = {"command": racing.command(), "machine": racing.machine(), "packs": []}
    for number in range(1, options.packs + 1):
        processor, variables = list(PATHS.items())[number % len(PATHS)]
        with TemporaryDirectory() as folder:
            line = verified(made(number, Path(folder)), number, variables)
        results["packs"].append({"processor": processor, "pack": number, **line})
    if options.pack is not None:
        for number, (processor, variables) in enumerate(PATHS.items()):
            line = verified(options.pack.resolve(), number, variables)
            results["packs"].append({"processor": processor, "pack": options.pack.stem, **line})
    accused = sum(bool(line["findings"]) for line in results["packs"])
    results["goals"] = [Goal(f"of {len(results['packs'])} honest packs, those accused", accused, 0).as_json()]
    racing.write(options.out, "honest_packs", results, page(results))


if __name__ == "__main__":
    main()
