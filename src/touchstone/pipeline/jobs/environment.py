"""The environment of a job's process: pinned CPU paths, threads, memory, no settings of the user's libraries."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from touchstone import plugins
from touchstone.numerics import cpu_paths, precision
from touchstone.pipeline.jobs import gpus, job_plan
from touchstone.pipeline.jobs.job_plan import JobError
from touchstone.provenance import store

# Keep freed memory in the process: without this, gradient norms took twice as long.
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000"}
# Snakemake sets these to a job's threads. numpy's BLAS starts its threads when it is imported.
THREADS = (
    *(f"{name}_NUM_THREADS" for name in ("OMP", "GOTO", "OPENBLAS", "MKL", "NUMEXPR")),
    "VECLIB_MAXIMUM_THREADS",
)
# Settings of libraries and of Python that change what a job computes or draws, or that stop it.
CHANGES_JOBS = re.compile(
    r"(OMP|GOMP|KMP|GOTO|OPENBLAS|BLIS|MKL|VECLIB|NUMEXPR|NPY|NUMPY|SCIPY|SKLEARN|PANDAS|ATEN|ONEDNN|DNNL|CUBLAS|CUDNN)_.*"
    r"|TORCH_(ALLOW_TF32|BLAS|LINALG|CUDNN|MKLDNN|LINEAR|FORCE_NO_WEIGHTS_ONLY|FORCE_WEIGHTS_ONLY)_.*"
    r"|PYTORCH_(JIT|TUNABLEOP_.*)|NVIDIA_TF32_OVERRIDE"
    r"|MPLBACKEND|MATPLOTLIBRC|PYTHON(WARNINGS|OPTIMIZE|INSPECT|DEVMODE)"
)
RECORDED = {"ONEDNN_MAX_CPU_ISA"}  # a user's choice that sidecars name


def environment(threads: int) -> dict[str, str]:
    """Return the environment variables of every job: threads, CPU paths, allocator, backend of matplotlib.

    The thread variables are those that Snakemake sets.
    """
    counts = dict.fromkeys(THREADS, str(threads))
    return cpu_paths.pinned() | ALLOCATOR | counts | {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "MPLBACKEND": "agg"}


def python_path() -> str:
    """Return the PYTHONPATH of jobs: the folder of the package in use, then the user's folders."""
    own = str(plugins.PACKAGE.parent)
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join([own, *(folder for folder in folders if folder not in ("", own))])


def places(plans: Path, results: Path) -> dict[str, str]:
    """Return the environment variables by which a job finds the plans, the store and the user's plug-ins.

    Args:
        plans: The folder of the written plans.
        results: The folder of the store.
    """
    folders = os.pathsep.join(map(str, plugins.places()[1:]))
    return {job_plan.VARIABLE: str(plans), store.VARIABLE: str(results), plugins.VARIABLE: folders}


def set_environment(threads: int) -> bool:
    """Set a job's environment in this process; return whether anything changed.

    The user's settings of libraries are removed. So are pins for another processor, because the job may have been
    submitted from a login node.
    """
    before, required = dict(os.environ), environment(threads)
    for name in before.keys() - required.keys() - RECORDED:
        if CHANGES_JOBS.fullmatch(name):
            del os.environ[name]
    os.environ.update(required)
    return dict(os.environ) != before


def prepare_process(threads: int) -> None:
    """Restart the process in its job's environment unless it is already set.

    numpy and torch read these variables when they are imported.
    """
    if set_environment(threads):
        os.execv(sys.executable, [sys.executable, "-m", "touchstone", *sys.argv[1:]])


def prepare_command(threads: int) -> None:
    """Restart this command in the environment of jobs unless it is already set, so that it computes the same numbers.

    Args:
        threads: The number of threads of torch and of the BLAS libraries.
    """
    if set_environment(threads):
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def set_up_torch(settings: dict[str, Any]) -> None:
    """Set torch up in the process of one job; the device is resolved, so it is never auto."""
    import torch

    if settings["device"] == "cuda":
        gpus.claim()
    else:  # torch reads it at its first use of a GPU, which seeding would be
        os.environ[gpus.VISIBLE] = ""
    torch.set_num_threads(settings["threads"])
    # The same as torch.use_deterministic_algorithms(True), but without importing the compiler, which takes 1.1 s.
    torch._C._set_deterministic_algorithms(True, warn_only=False)
    torch.backends.cudnn.benchmark = False
    precision.set_up(settings)
    if settings["device"] == "cuda" and not torch.cuda.is_available():
        raise JobError("compute.device is cuda, but torch finds no GPU here; set it to cpu")
