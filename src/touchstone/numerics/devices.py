"""The device that torch computes on, if the study leaves the choice open.

Planning imports this module, so it must not import torch.
"""

from __future__ import annotations

import os
from pathlib import Path

DRIVER = Path("/dev/nvidiactl")  # exists wherever a GPU's driver runs, also in containers with a GPU
GPUS = (DRIVER, Path("/dev/dxg"), Path("/dev/kfd"))  # of NVIDIA, WSL and AMD; without any of them there is no GPU
VARIABLE = "TOUCHSTONE_DEVICE"
DEVICES = ("cpu", "cuda")
NO_GPU = "--device cuda: there is no GPU here that torch can use; omit --device to compute on the CPU"
NO_MPS = "mps: Apple's GPUs have no float64, which attacks and scores need; set it to cpu"


def chosen(device: str) -> str:
    """Return "cpu" or "cuda": `device`, or for "auto" what this machine has.

    The first answer is stored in the environment. So jobs on other machines of a cluster compute what was planned, or
    report that there is no GPU.

    Raises:
        ValueError: the environment names another device.
    """
    if device != "auto":
        return device
    device = os.environ.setdefault(VARIABLE, "cuda" if DRIVER.exists() else "cpu")
    if device not in DEVICES:
        raise ValueError(f"{VARIABLE}={device}: expected {' or '.join(DEVICES)}")
    return device


def missing(device: str) -> bool:
    """Return whether `device` is certainly not on this machine.

    If it is not missing, torch may still not support the GPU.
    """
    return device == "cuda" and not any(driver.exists() for driver in GPUS)


def check_option(device: str) -> None:
    """Raise ValueError if a command's --device names a GPU that torch cannot use."""
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise ValueError(NO_GPU)


def warning(device: str) -> str:
    """Return a warning if the study's device is not on this machine, otherwise ""."""
    message = "compute.device is cuda, and this machine has no GPU: jobs that need one will fail. Set it to cpu"
    return message if missing(device) else ""
