"""Run shipped studies whole, to report and audit, on small files in the formats of their downloads: NAME [NAME ...]

Only sizes differ from those of the study: of data, networks, training, attacks and bootstraps. Its roles, evaluations,
figures, claims and rules stay, so all of its jobs run. Nothing is downloaded, and the numbers mean nothing.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import http.server
import importlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import torch
import yaml

import raw_archives
from touchstone.provenance import store
from touchstone.settings.files import study_file
from touchstone.settings.shorthand import merged
from touchstone.settings.study import load

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build/whole_studies"
COPIED = ("Snakefile", "params.yaml", "profiles", "pyproject.toml", "requirements.lock", "src", "workflow")
TIMES, FINE, SIGNS = 2, 20, 43  # of raw_archives.contents
FEWER, FEWEST = 125, 8  # images: one of so many, but no fewer than these
MOST_TRAINED = 320  # images that a network is trained on
IMAGES = ("count", "limit", "skip")
MOST = {
    "classifiers": {"epochs": 2, "steps": 2, "width": 4, "depth": 10, "growth": 4, "hidden": 32, "features": 32, "units": 16,
                    "pieces": 2, "batch_size": 32, "outlier_batch_size": 32},
    "translators": {"epochs": 1, "steps": 2, "filters": 4, "blocks": 1, "searches": 1, "samples": 2},
    "attacks": {"steps": 3, "restarts": 1, "restart_steps": 2, "queries": 20, "samples": 2, "draws": 5, "searches": 2,
                "inner_points": 20, "candidates": 20, "corners": 10, "imitations": 1, "every_class": False},
    "margins": {"steps": 4, "polishing_steps": 2, "restarts": 1, "rounds": 2},
    "detectors": {"epochs": 5, "k": 5, "references": 20, "tail": 5},
    "evaluations": {"resamples": 100, "epochs": 5, "iterations": 10, "subsets": 5, "hidden": 16},
    "figures": {"resamples": 50},
}  # fmt: skip


# --- the overlay --------------------------------------------------------------------------------------------------------


def overlay(study: str, mirror: str, weights: Path) -> dict[str, Any]:
    """Return a study whose sizes are smaller, and that says where its raw data is."""
    settings = load(study, ROOT)
    small = {
        section: {name: smaller(entry, most) for name, entry in settings[section].items()}
        for section, most in MOST.items()
    }
    small["examples"] = {name: smaller_set(entry) for name, entry in settings["examples"].items()}
    for name, entry in settings["evaluations"].items():
        if "sizes" in entry:
            small["evaluations"][name] |= {"size": 10, "sizes": [5, 10, 20]}
    small["sources"] = {
        name: {"location": str(weights / f"{name}.pt")}
        if "location" in entry
        else {"sha256": None, "mirror": f"{mirror}/{component(entry)}"}
        for name, entry in settings["sources"].items()
        if "location" in entry or "mirror" in entry
    }
    changed = {section: {name: entry for name, entry in block.items() if entry} for section, block in small.items()}
    return merged(
        yaml.safe_load(study_file(study, ROOT).read_text()), {"compute": {"device": "cpu"}, "change": changed}
    )


def component(entry: dict[str, Any]) -> str:
    return entry["use"].partition("/")[2]


def smaller(entry: dict[str, Any], most: dict[str, int]) -> dict[str, Any]:
    """Return the settings of an entry that are greater than `most` of their name, as small as that.

    A component within the entry is written whole.
    """
    small: dict[str, Any] = {}
    for name, value in entry.items():
        if isinstance(value, dict) and "use" in value:
            if inner := smaller(value, most):
                small[name] = value | inner | {"use": component(value)}
        elif isinstance(value, int) and value > most.get(name, value):
            small[name] = most[name]
    if not entry.get("outliers"):
        small.pop("outlier_batch_size", None)
    if "steps" in small and entry.get("eps") and entry.get("step_size"):
        small["step_size"] = max(entry["step_size"], entry["eps"] / small["steps"])
    if "depth" in small and "width" in entry:
        small["width"] = 1  # a wide network
    return small


def smaller_set(entry: dict[str, Any]) -> dict[str, Any]:
    small = {name: max(entry[name] // FEWER, FEWEST) for name in IMAGES if entry.get(name)}
    if "count" in small:
        small["count"] = min(small["count"], MOST_TRAINED)  # so many there are to take a part of
    if "limit" in entry and entry["part"] == "test":
        small.setdefault("limit", 10_000 // FEWER)
    if "limit" in entry and entry["part"] == "train":
        small.setdefault("limit", MOST_TRAINED)
    return small


# --- the data -----------------------------------------------------------------------------------------------------------


def write_downloads(target: Path, project: Path) -> None:
    """Write an archive per source into a folder per source, and their digests into the copied sources."""
    archives = raw_archives.contents(TIMES, FINE, SIGNS) | {"fashion_mnist": raw_archives.gray(TIMES)}
    for source, files in archives.items():
        (target / source).mkdir(parents=True)
        for name, data in files.items():
            (target / source / name).write_bytes(data)
        module = project / f"src/touchstone/data/sources/{source}.py"
        code = module.read_text()
        for archive in importlib.import_module(f"touchstone.data.sources.{source}").ARCHIVES:
            published = archive.digest.removeprefix("md5:")
            assert code.count(published) == 1
            code = code.replace(published, hashlib.md5(files[archive.name]).hexdigest())
        module.write_text(code)


def write_weights(settings: dict[str, Any], target: Path) -> None:
    """Write a file for each converted network as RobustBench has it: untrained weights of its small architecture."""
    target.mkdir()
    for entry in settings["classifiers"].values():
        if entry["use"] == "pretrained/robustbench":
            chosen = dict(entry["model"])
            use = chosen.pop("use").partition("/")[2]
            chosen |= smaller(chosen, MOST["classifiers"])
            build = getattr(importlib.import_module(f"touchstone.models.{use}"), use)
            torch.manual_seed(0)
            network = build(tuple(entry["input_shape"]), entry["classes"], **chosen)
            state = {f"module.{name}": value for name, value in network.state_dict().items()}
            torch.save({"state_dict": state}, target / f"{entry['source']}.pt")


# --- the run ------------------------------------------------------------------------------------------------------------


def whole(study: str, cores: str) -> float:
    """Run and audit one study in a copy of the code; return the seconds that it took."""
    project = BUILD / study
    shutil.rmtree(project, ignore_errors=True)
    for part in COPIED:
        source, target = ROOT / part, project / part
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    write_downloads(project / "downloads", project)
    write_weights(load(study, ROOT).settings, project / "weights")
    handler = functools.partial(Quiet, directory=project / "downloads")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = overlay(study, f"http://127.0.0.1:{server.server_port}", project / "weights")
        name = f"small_{study}"
        (project / f"workflow/studies/{name}.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
        start = time.perf_counter()
        touchstone(project, "run", name, "--cores", cores)
        server.shutdown()
    touchstone(project, "audit", name)
    return time.perf_counter() - start


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing about it."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def touchstone(project: Path, *words: str) -> None:
    variables = {
        "PYTHONPATH": str(project / "src"),
    }
    inherited = {name: value for name, value in os.environ.items() if name != store.VARIABLE}
    words = (sys.executable, "-m", "touchstone", *words)
    subprocess.run(words, cwd=project, env=inherited | variables, check=True)


def main() -> None:
    """Run the studies."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("studies", nargs="+")
    parser.add_argument("--cores", default="all")
    options = parser.parse_args()
    for study in options.studies:
        seconds = whole(study, options.cores)
        print(f"{study}: whole, in {seconds:.0f} s: {BUILD / study / f'reports/small_{study}/report.html'}", flush=True)


if __name__ == "__main__":
    main()
