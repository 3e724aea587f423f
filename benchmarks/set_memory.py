"""Peak memory of the steps that read a set as a whole, against the number of images.

    python benchmarks/set_memory.py [--images 1000 10000 60000] [--threads 1]

Jobs as the workflow calls them, from and to files: prepare, infer, fit, score and evaluate, on five sets of so many noise
images of 1x28x28 each. One is read from a file of 8-bit images with random labels, and detectors are fitted on it. The
others are drawn; a job of score reads two of them, the data sheet four sets. Each job runs in its own process, forked
from one that has imported torch, as in a run. The peak is its highest resident memory (VmHWM), imports included. Writes
set_memory.json and .md into benchmarks/results/.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from itertools import product
from pathlib import Path

import numpy as np

import racing
from racing import Goal, Results
from touchstone import digests
from touchstone.pipeline.jobs import run
from touchstone.pipeline.planning.parts import Rule, Task
from touchstone.pipeline.planning.plan import Plan, digests_of
from touchstone.pipeline.settings.study import load

ROOT = racing.HERE.parent
STUDY = "whole"
BATCH = 256
BOUND = 1e9  # bytes of the peak of any job
STEPS = ("prepare", "infer", "fit", "score", "evaluate")
READ = {"infer": ("labelled", "calibration", "anomalies", "tested"), "score": ("tested",)}  # the batches that are read
SETTINGS = """\
base: none
study: {{title: Whole, calibration: calibration, batch_size: {batch}, threads: {threads}}}
roles: {{tested: [noise, gaussian]}}
sources:
  sklearn_digits: {{use: sklearn_digits, sha256: "sha256:e34d9899136e13080fb109e32926b3834fe0fff9e83100089bb8e09c9e47ac94"}}
  own: {{use: own_files, location: {own}, sha256: null}}
examples:
  train: {{use: digits, source: sklearn_digits, part: train, limit: 200}}
  validation: {{use: digits, source: sklearn_digits, part: validation, limit: 40}}
  labelled: {{use: own_images, source: own}}
  calibration: {{use: uniform_noise, count: {images}, seed: 1}}
  anomalies: {{use: uniform_noise, count: {images}, seed: 2}}
  noise: {{use: uniform_noise, count: {images}}}
  gaussian: {{use: gaussian_noise, count: {images}}}
classifiers:
  cnn: {{use: clean, model: {{use: small_cnn, width: 4, hidden: 32}}, train: train, validation: validation, epochs: 1}}
confounding:
  softmax_all: {{variant: softmax}}
detectors:
  msp: {{use: msp}}
  energy: {{use: energy}}
  mean_intensity: {{use: mean_intensity}}
  odin: {{use: odin}}
  gradient_sum: {{use: gradient_sum, label: softmax_all}}
  gradient_network: {{use: gradient_network, fit: labelled, anomalous: [anomalies], epochs: 1}}
  mahalanobis: {{use: mahalanobis, fit: labelled}}
  knn: {{use: knn, fit: labelled}}
  vim: {{use: vim, fit: labelled}}
  react: {{use: react, fit: labelled}}
  pixel_mahalanobis: {{use: pixel_mahalanobis, fit: labelled}}
evaluations:
  confidence: {{use: rubbish, question: "?", classifiers: [cnn], examples: $tested, attacks: []}}
  detection:
    {{use: detection, question: "?", classifiers: [cnn], examples: $tested, detectors: all,
      id_examples: noise, resamples: 100}}
  data_sheet: {{use: data_sheet, question: "?", examples: [labelled, calibration, noise, gaussian], resamples: 100}}
"""


def own_file(path: Path, images: int) -> None:
    """Write so many 8-bit images of noise with random labels."""
    random = np.random.default_rng(0)
    levels = random.integers(0, 256, (images, 1, 28, 28), dtype=np.uint8)
    np.savez(path, images=levels, labels=random.integers(0, 10, images))


def jobs(plan: Plan) -> list[tuple[Rule, dict[str, str]]]:
    """Return the jobs of a study without its report, in an order in which they can be done."""
    values = plan.wildcard_values
    order = ["fetch", "prepare", "train", *STEPS[1:]]
    rules = sorted(
        (rule for rule in plan.rules.values() if rule.step in order), key=lambda rule: order.index(rule.step)
    )
    rules = [rule for rule in rules if not rule.batch or rule.batch.name in READ[rule.step]]
    return [
        (rule, dict(zip(rule.wildcards, chosen, strict=True)))
        for rule in rules
        for chosen in product(*(values[name] for name in rule.wildcards))
    ]


def job(root: Path, tasks: tuple[Task, ...]) -> Results:
    """Do a job's tasks in a folder; return the peak of this process, which should be a new one, and its seconds."""
    os.chdir(root)
    taken = racing.own_seconds(lambda: run.run(tasks, Path(), Path("logs")))
    return {"peak_bytes": racing.resident("VmHWM"), "seconds": taken}


def measured_job(root: Path, rule: Rule, wildcards: dict[str, str], plan: Plan) -> Results:
    """Do one job in a fork of this process; return its step, what it is about, its peak and its seconds."""
    tasks = plan.tasks(rule, **wildcards)
    digests_of(tasks)  # parsed here, once for all jobs, as before a run
    about = [wildcards[name] for name in ("examples", "evaluation") if name in wildcards]
    batch = [rule.batch.name] if rule.batch else []
    name = " ".join([rule.step, rule.detectors, *batch, *about]).replace("  ", " ")
    return {"step": rule.step, "job": name, **racing.forked(job, root=root, tasks=tasks)}


def study(images: int, threads: int) -> Results:
    """Return the jobs on so many images, in the order in which they were done, and a digest of what they made."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("params.yaml", "requirements.lock"):
            shutil.copy2(ROOT / name, root / name)
        (root / "workflow/studies").mkdir(parents=True)
        own_file(root / "own.npz", images)
        text = SETTINGS.format(images=images, threads=threads, batch=BATCH, own=root / "own.npz")
        (root / f"workflow/studies/{STUDY}.yaml").write_text(text)
        plan = Plan(load(STUDY, root))
        taken = [measured_job(root, rule, wildcards, plan) for rule, wildcards in jobs(plan)]
        made = [path for path in (root / plan.folder).rglob("*") if path.suffix in (".safetensors", ".zip", ".csv")]
        lines = [f"{path.relative_to(root)} {digests.file_digest(path)}\n" for path in sorted(made)]
    chosen = [
        one for one in taken if one["step"] in STEPS and one["job"] not in ("prepare train", "prepare validation")
    ]
    return {"images": images, "made": digests.sha256("".join(lines).encode()), "jobs": chosen}


def measured(sizes: list[int], threads: int) -> Results:
    """Return the peaks for every size."""
    os.environ["TOUCHSTONE_CACHE"] = "off"
    runs = [study(images, threads) for images in sorted(sizes)]
    goals = [
        Goal(
            f"{step}: greatest peak with {runs[-1]['images']} images, in GB",
            greatest(runs[-1], step) / 1e9,
            BOUND / 1e9,
        )
        for step in STEPS
    ]
    return {
        "command": racing.command(),
        "machine": racing.machine(),
        "runs": runs,
        "goals": [goal.as_json() for goal in goals],
    }


def greatest(run: Results, step: str) -> int:
    """Return the greatest peak of the jobs of a step."""
    return max(one["peak_bytes"] for one in run["jobs"] if one["step"] == step)


def page(results: Results) -> str:
    """Return the peaks as Markdown."""
    columns = ["job", *(f"{run['images']:,} images" for run in results["runs"])]
    rows = [
        (line[0]["job"], *(f"{one['peak_bytes'] / 1e6:.0f} ({one['seconds']:.0f} s)" for one in line))
        for line in zip(*(run["jobs"] for run in results["runs"]), strict=True)
    ]
    what = (
        f"Jobs on five sets of 1x28x28, with so many images each, in batches of {BATCH}: the peak in MB of the process and,"
        " in brackets, the processor's seconds. `labelled` is read from a file, and detectors are fitted on it. `tested` is"
        " two sets. `confidence` resamples 1,000 times, `detection` and `data_sheet` 100 times."
    )
    return racing.page("Peak memory of whole sets", what, results, racing.table(columns, rows))


def main() -> None:
    """Measure and write the table."""
    parser = racing.parser(__doc__, rounds=1)
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10_000, 60_000])
    options = parser.parse_args()
    racing.begin(options.threads)
    results = measured(options.images, options.threads)
    racing.write(options.out, "set_memory", results, page(results))


if __name__ == "__main__":
    main()
