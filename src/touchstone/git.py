"""What git says of this folder."""

from __future__ import annotations

import subprocess
from pathlib import Path


def said(root: Path, *arguments: str) -> bytes | None:
    """Return what git prints; None where it is not installed, or says no."""
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
