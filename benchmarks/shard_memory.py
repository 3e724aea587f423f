"""Peak memory of jobs against the number of images, in one go and in shards.

    python benchmarks/shard_memory.py [--images 1000 10000 60000] [--shard 2560] [--steps attack infer measure] [--threads 1]

Jobs as the workflow calls them, from and to files: prepare, attack, infer and measure of noise images of 1x28x28, and cut
and gather where a set is cut into shards of about `shard` images. Each runs in its own process, one after the other, forked
from one that has imported torch, as in a run. The peak is its highest resident memory (VmHWM), imports included. For
shards, the table gives the greatest peak and the sum of processor seconds. Before the table is written, the artefacts of
shards are compared with those of one job, byte by byte. Writes shard_memory.json and .md into benchmarks/results/.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import racing
from racing import Goal, Results
from touchstone import digests
from touchstone.pipeline.jobs import run
from touchstone.pipeline.planning.parts import Rule, Task
from touchstone.pipeline.planning.plan import Plan, digests_of
from touchstone.pipeline.settings.study import load

ROOT = racing.HERE.parent
STUDY = "sized"
BATCH = 256
STEPS = ("prepare", "cut", "attack", "infer", "measure", "gather")
MADE = ("shards", "attacked", "outputs", "margins")  # folders of what is made of the noise images
SOME = ("attack", "infer", "measure")  # --steps selects some of these
BOUND = 1.1  # of the peak on the most images in shards, in units of that on the fewest
SETTINGS = """\
base: none
study: {{title: Sized, calibration: calibration, batch_size: {batch}, threads: {threads}}}
sources:
  sklearn_digits: {{use: sklearn_digits, sha256: "sha256:e34d9899136e13080fb109e32926b3834fe0fff9e83100089bb8e09c9e47ac94"}}
examples:
  train: {{use: digits, source: sklearn_digits, part: train, limit: 200}}
  validation: {{use: digits, source: sklearn_digits, part: validation, limit: 40}}
  calibration: {{use: digits, source: sklearn_digits, part: calibration, limit: 60}}
  noise: {{use: uniform_noise, count: {images}, shards: {shards}}}
classifiers:
  cnn: {{use: clean, model: {{use: small_cnn, width: 4, hidden: 32}}, train: train, validation: validation, epochs: 1}}
attacks:
  pgd: {{use: pgd, eps: 0.1, steps: 1}}
margins:
  nearest_classes: {{use: nearest_classes, classes: 1, steps: 1}}
confounding:
  softmax_all: {{variant: softmax}}
detectors:
  gradient_sum: {{use: gradient_sum, label: softmax_all}}
evaluations:
  noise_seen: {{use: robustness, question: "?", classifiers: [cnn], examples: [noise], attacks: [pgd]}}
  looked_at: {{use: detection, question: "?", classifiers: [cnn], examples: [noise], detectors: all, id_examples: noise}}
  distances:
    {{use: margins, question: "?", classifiers: [cnn], examples: [noise], margins: [nearest_classes], eps: [0.1]}}
"""


def job(root: Path, tasks: tuple[Task, ...]) -> Results:
    """Do a job's tasks in a folder; return the peak of this process, which should be a new one, and its seconds."""
    os.chdir(root)
    taken = racing.own_seconds(lambda: run.run(tasks, Path(), Path("logs")))
    return {"peak_bytes": racing.resident("VmHWM"), "seconds": taken}


def asked_for(plan: Plan, steps: Sequence[str]) -> list[tuple[Rule, dict[str, str]]]:
    """Return the jobs of some steps on the noise images and what they need, in an order in which they can be done."""
    values = plan.wildcard_values | {"net": ["cnn.0"], "victim": ["cnn.0"], "trained": ["cnn.0"]}
    first = ["fetch", "prepare", "train"]
    rules = [plan.rules[name] for name in first]
    rules += [r for r in plan.rules.values() if (r.gathers or r.step) in ("cut", *steps) and "noise" in r.name]
    return [
        (rule, dict(zip(rule.wildcards, chosen, strict=True)))
        for rule in rules
        for chosen in product(*(values[name] for name in rule.wildcards))
    ]


def study(root: Path, images: int, shards: int, threads: int, steps: Sequence[str]) -> Results:
    """Return, by step, the greatest peak and the seconds of the jobs on so many images, and a digest of what they made.

    What is there already and has nothing to do with those images (the network) is left as it is.
    """
    text = SETTINGS.format(images=images, shards=shards, threads=threads, batch=BATCH)
    (root / f"workflow/studies/{STUDY}.yaml").write_text(text)
    plan = Plan(load(STUDY, root))
    for kind in MADE:
        shutil.rmtree(root / plan.folder / kind, ignore_errors=True)
    results: dict[str, Results] = {}
    for rule, wildcards in asked_for(plan, steps):
        tasks = plan.tasks(rule, **wildcards)
        chosen = rule.step in STEPS and wildcards.get("examples", "noise") == "noise"
        if not chosen and (root / tasks[0].output).exists():
            continue
        digests_of(tasks)  # parsed here, once for all jobs, as before a run
        taken = racing.forked(job, root=root, tasks=tasks)
        if chosen:
            one = results.setdefault(rule.step, {"step": rule.step, "jobs": 0, "peak_bytes": 0, "seconds": 0.0})
            one["jobs"] += 1
            one["peak_bytes"] = max(one["peak_bytes"], taken["peak_bytes"])
            one["seconds"] += taken["seconds"]
    made = [file for kind in MADE[1:] for file in (root / plan.folder / kind).rglob("*.safetensors")]
    lines = [f"{file.relative_to(root)} {digests.file_digest(file)}\n" for file in sorted(made)]
    return {
        "images": images,
        "shards": shards,
        "made": digests.sha256("".join(lines).encode()),
        "made_bytes": sum(file.stat().st_size for file in made),
        "steps": results,
    }


def measured(sizes: list[int], shard: int, threads: int, steps: Sequence[str] = SOME) -> Results:
    """Return the peaks for every size, in one go and in shards; NotEqual where these make other bytes."""
    os.environ["TOUCHSTONE_CACHE"] = "off"
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("params.yaml", "requirements.lock"):
            shutil.copy2(ROOT / name, root / name)
        (root / "workflow/studies").mkdir(parents=True)
        for images in sorted(sizes):
            whole = study(root, images, 1, threads, steps)
            runs.append(whole)
            shards = round(images / shard)
            if shards > 1:
                cut = study(root, images, shards, threads, steps)
                racing.require(cut["made"] == whole["made"], f"{images} images in {shards} shards make other bytes")
                runs.append(cut)
    in_shards = [run for run in runs if run["shards"] > 1]
    goals = []
    for step in ("cut", *steps, "gather") if len(in_shards) > 1 else ():
        least, most = (run["steps"][step]["peak_bytes"] for run in (in_shards[0], in_shards[-1]))
        sizes = [run["images"] for run in (in_shards[0], in_shards[-1])]
        goal = f"{step}: peak with {sizes[1]} images in shards, in units of that with {sizes[0]}"
        goals.append(Goal(goal, most / least, BOUND))
    return {
        "command": racing.command(),
        "machine": racing.machine(),
        "runs": runs,
        "goals": [goal.as_json() for goal in goals],
    }


def page(results: Results) -> str:
    """Return the peaks as Markdown."""

    def cell(run: Results, step: str) -> str:
        one: dict[str, Any] = run["steps"].get(step, {})
        return f"{one['peak_bytes'] / 1e6:.0f} ({one['seconds']:.0f} s)" if one else "-"

    rows = [(run["images"], run["shards"], *(cell(run, step) for step in STEPS)) for run in results["runs"]]
    what = (
        f"Jobs on noise of 1x28x28, batches of {BATCH}: the greatest peak in MB of a process and, in brackets, the"
        " processor's seconds of all jobs of the step. Artefacts of shards were byte-equal to those of one job."
    )
    return racing.page("Peak memory in shards", what, results, racing.table(("images", "shards", *STEPS), rows))


def main() -> None:
    """Measure and write the table."""
    parser = racing.parser(__doc__, rounds=1)
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10_000, 60_000])
    parser.add_argument("--shard", type=int, default=10 * BATCH, help="images in a shard, about")
    parser.add_argument("--steps", nargs="+", choices=SOME, default=SOME)
    options = parser.parse_args()
    racing.begin(options.threads)
    results = measured(options.images, options.shard, options.threads, options.steps)
    racing.write(options.out, "shard_memory", results, page(results))


if __name__ == "__main__":
    main()
