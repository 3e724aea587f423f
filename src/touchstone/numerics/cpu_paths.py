"""The processor's code paths: pinned where that is cheap, and named.

They decide the last bits of a result. This module is part of the code digest of every job that computes, so other pins
recompute the file.
"""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

# One path on every processor with AVX2: torch's own loops, torch's MKL, the OpenBLAS of numpy and scipy, numpy's own loops.
# oneDNN is free: held to AVX2, a convolution's forward and backward took 1.3 times as long (small CNN, U-Net).
PINNED = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
NEEDED = {"avx2", "fma"}  # without them a pinned library ends in an illegal instruction
INTEL = "GenuineIntel"
WIDEST = {"amx_bf16": "amx", "avx512_bf16": "avx512_bf16", "avx512bw": "avx512", "avx2": "avx2"}  # oneDNN's, by flag


@cache
def processor() -> dict[str, str]:
    """Return what Linux reports about the first processor, by name; empty elsewhere."""
    try:
        first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
    except FileNotFoundError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}


def _flags() -> set[str]:
    return set(processor().get("flags", "").split())


def pinned() -> dict[str, str]:
    """Return the variables that pin the code paths; none if the processor lacks AVX2."""
    return PINNED if _flags() >= NEEDED else {}


def record(*, torch: bool) -> str:
    """Return the code paths that decide the bytes of a job; equal bytes are promised for equal records.

    Args:
        torch: whether the job uses torch, which brings MKL and oneDNN.

    Returns:
        Words such as ``numpy=X86_V3 blas=Haswell``, as the loaded libraries themselves name their paths.

    """
    import numpy as np
    import scipy.special  # noqa: F401  # it loads the OpenBLAS of scipy
    from threadpoolctl import threadpool_info

    extensions = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    blas = {library.get("architecture", library["internal_api"])
            for library in threadpool_info() if library["user_api"] == "blas"}  # fmt: skip
    libraries = f"numpy={'+'.join(extensions) or 'baseline'} blas={'+'.join(sorted(blas)) or 'unknown'}"
    return f"{_torch_paths()} {libraries}" if torch else libraries


def _torch_paths() -> str:
    if any(os.environ.get(name) != value for name, value in PINNED.items()):
        return f"{platform.machine()} not pinned"
    widest = next((path for flag, path in WIDEST.items() if flag in _flags()), "unknown")
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA")
    return f"aten=avx2 mkl={_mkl()} onednn={widest}{f' at most {limit}' if limit else ''}"


def _mkl() -> str:
    """Return MKL's code path.

    MKL accepts the pin on Intel's processors and chooses by itself on others, so those are named.
    """
    vendor, family, model = (processor().get(name, "") for name in ("vendor_id", "cpu family", "model"))
    return "avx2" if vendor == INTEL else f"auto({vendor} {family}.{model})"
