"""`touchstone check STUDY`: check a study's settings and count its jobs; or check a paper's folder and try it."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys

import yaml

from touchstone.commands import _paper_check
from touchstone.commands._command_line import add_cores, refuse_unused
from touchstone.messages import nearest, say
from touchstone.numerics import devices
from touchstone.pipeline.orchestration.snakemake_run import base_command
from touchstone.pipeline.settings.files import DEFAULT_STUDY
from touchstone.pipeline.settings.study import Study, load

NO_ENTRIES = ("study", "papers", "claims")  # parts of a study's settings that hold no entries


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `check`."""
    parser.add_argument("study_or_paper", nargs="?", default=DEFAULT_STUDY, metavar="STUDY",
                        help="or a paper: a folder with a / in it, or a shipped paper's name")  # fmt: skip
    parser.add_argument(
        "--entry", metavar="NAME", help="of a study: print the settings of this entry, with every default"
    )
    parser.add_argument("--no-run", action="store_true", help="of a paper: only read it")
    add_cores(parser, "of a paper: ")
    parser.set_defaults(cores=None)  # so that it is known whether --cores was typed


def main(options: argparse.Namespace) -> int:
    """Print what is wrong with a study or a paper, and what it would run or has run; return 1 if it is refused."""
    cores, no_run, word = options.cores, options.no_run, options.study_or_paper
    if _paper_check.is_paper(word):
        refuse_unused({"--entry": options.entry is not None}, f"is only for a study, and {word} is a paper")
        refuse_unused({"--cores": no_run and cores is not None}, "not allowed with argument --no-run")
        return _paper_check.check(word, None if no_run else cores or "all")
    refuse_unused({"--no-run": no_run, "--cores": cores is not None}, f"is only for a paper, and {word} is a study")
    settings = load(word)
    if options.entry is not None:
        print(_entry(settings, options.entry), end="")
        return 0
    if warning := devices.warning(settings["study"]["device"]):
        say(f"touchstone: {warning}", stream=sys.stderr)
    say(*(f"remark: {remark}" for remark in settings.remarks))
    for section in ("examples", "classifiers", "translators", "attacks", "margins", "detectors", "evaluations"):
        say(f"{section:<12} {', '.join(settings[section]) or '-'}")
    command = [*base_command(word, "all"), "--dry-run", "--quiet", "host"]
    dry_run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    text = dry_run.stdout + dry_run.stderr
    if dry_run.returncode != 0:
        print(text.strip(), file=sys.stderr)
        return 1
    table = re.search(r"^job +count\n[- ]+\n(.*?)^total +\d+", text, re.MULTILINE | re.DOTALL)
    print(f"\n{table.group(0)}" if table else "\nNothing to do: nothing has changed.")
    return 0


def _entry(settings: Study, name: str) -> str:
    """Return the settings of an entry as YAML, under its section."""
    sections = [section for section, block in settings.settings.items() if section not in NO_ENTRIES]
    for section in sections:
        if name in settings[section]:
            return yaml.safe_dump({section: {name: settings[section][name]}}, sort_keys=False, allow_unicode=True)
    names = [entry for section in sections for entry in settings[section]]
    raise ValueError(f"check: study {settings.name} has no entry called {name}.{nearest(name, names)}")
