"""`touchstone restore STUDY`: write Snakemake's records again from the sidecars."""

from __future__ import annotations

import argparse

from touchstone.commands._command_line import add_study
from touchstone.messages import say
from touchstone.pipeline.orchestration.restore import restore
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.study import load


def add(parser: argparse.ArgumentParser) -> None:
    """Add the argument of `restore`."""
    add_study(parser)


def main(options: argparse.Namespace) -> int:
    """Restore the records and print damaged files; return 1 if there are any."""
    restored = restore(Plan(load(options.study)))
    say(*map(str, restored.damaged))
    say(f"{restored.written} records restored, {len(restored.damaged)} damaged files")
    return 1 if restored.damaged else 0
