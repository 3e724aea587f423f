"""What there is to use, and what a study would do: `touchstone list` and `touchstone check`. Instant: no torch."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from touchstone import registry
from touchstone.numerics import devices
from touchstone.pipeline.orchestration.running import configuration
from touchstone.pipeline.settings.study import load
from touchstone.signatures import Setting

FOLDERS = registry.FOLDERS


def _shown(name: str, setting: Setting) -> str:
    default = "must be given" if setting.required else f"default {setting.default!r}"
    return f"    {name}: {setting.type} ({default})"


def show(folder: str | None) -> int:
    """Print the components of one folder with their settings, or of all folders with their first sentence."""
    for kind in [folder] if folder else FOLDERS:
        print(f"{kind}:")
        for name in registry.names(kind):
            found = registry.component(kind, name)
            print(f"  {name:<22} {found.call.summary.split('. ')[0].rstrip('.')}.")
            if folder:
                for line in [_shown(*item) for item in found.settings.items()]:
                    print(line)
    return 0


def check(study: str) -> int:
    """Check a study's settings and print how many jobs of each rule it would run; 1 where Snakemake refuses."""
    settings = load(study)
    if warning := devices.warning(settings["study"]["device"]):
        print(f"touchstone: {warning}", file=sys.stderr)
    for section in ("examples", "classifiers", "translators", "attacks", "margins", "detectors", "evaluations"):
        print(f"{section:<12} {', '.join(settings[section]) or '-'}")
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "host", "--cores", "all"]
    command += configuration(study)
    planned = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    text = planned.stdout + planned.stderr
    if planned.returncode != 0:
        print(text.strip(), file=sys.stderr)
        return 1
    table = re.search(r"^job +count\n[- ]+\n(.*?)^total +\d+", text, re.MULTILINE | re.DOTALL)
    print(f"\n{table.group(0)}" if table else "\nNothing to do: nothing has changed.")
    return 0
