"""Where torch computes, where the study leaves the choice to the machine. No torch: planning asks too."""

from __future__ import annotations

import os
from pathlib import Path

DRIVER = Path("/dev/nvidiactl")  # there wherever a GPU's driver runs, in containers that were given one too
GPUS = (DRIVER, Path("/dev/dxg"), Path("/dev/kfd"))  # the same for NVIDIA, WSL and AMD: without any there is no GPU
VARIABLE = "TOUCHSTONE_DEVICE"
DEVICES = ("cpu", "cuda")


def chosen(device: str) -> str:
    """Return cpu or cuda: what `auto` means here, else `device` itself.

    What was found first is left in the environment: jobs on other machines of a cluster compute what was planned, or say
    that there is no GPU. ValueError where the environment names another device.
    """
    if device != "auto":
        return device
    device = os.environ.setdefault(VARIABLE, "cuda" if DRIVER.exists() else "cpu")
    if device not in DEVICES:
        raise ValueError(f"{VARIABLE}={device}: expected {' or '.join(DEVICES)}")
    return device


def missing(device: str) -> bool:
    """Return whether `device` is certainly not on this machine; torch may still not know a GPU that is."""
    return device == "cuda" and not any(driver.exists() for driver in GPUS)


def warning(device: str) -> str:
    """Return a sentence about a study whose device is not on this machine; "" where there is nothing to say."""
    message = (
        "study.device is cuda, and this machine has no GPU: jobs that need one will fail. Set cpu, or run it elsewhere"
    )
    return message if missing(device) else ""
