"""What a run prints about its study before the first job."""

from __future__ import annotations

import sys

from touchstone.messages import say
from touchstone.numerics import devices
from touchstone.settings.study import Study


def print_remarks(study: Study) -> None:
    """Print a warning if the study's GPU is not on this machine, and the remarks on the user's own papers."""
    warning = devices.warning(study["study"]["device"])
    for line in filter(None, (warning, *study.remarks)):
        say(f"touchstone: {line}", stream=sys.stderr)
