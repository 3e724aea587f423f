"""`touchstone completion SHELL`: print the script that completes commands, flags, studies and files in a shell."""

from __future__ import annotations

import argparse
from typing import Any

import shtab

from touchstone.commands._command_line import Parser

SHELLS = ("bash", "zsh")
STUDY = dict.fromkeys(SHELLS, "_touchstone_studies")
STUDIES_TAKEN = ("study", "first", "second")  # arguments that name one
FILES_TAKEN = ("model", "data", "ood", "weights", "file", "picture", "out")
# A study is the default one, or a file of workflow/studies below the current folder. `compgen -W` would run a file name such
# as $(command).
PREAMBLE = {
    "bash": """
_touchstone_studies() {
  local file name
  for file in digits workflow/studies/*.yaml; do
    name=${file##*/} name=${name%.yaml}
    [[ $name == "$1"* && $name =~ ^[a-z][a-z0-9_]*$ ]] && echo "$name"
  done
  compgen -f -X '!*.yaml' -- "$1"
}
""",
    "zsh": """
_touchstone_studies() {
  local -a studies
  studies=(digits workflow/studies/*.yaml(N:t:r))
  compadd -a studies
  _files -g '*.yaml'
}
""",
}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the argument of `completion`."""
    parser.add_argument("shell", choices=SHELLS, help='such as: eval "$(touchstone completion bash)"')


def main(options: argparse.Namespace) -> int:
    """Print the script for one shell."""
    print(completion(options.command_line(), options.shell))
    return 0


def completion(parser: Parser, shell: str) -> str:
    """Return the script that completes the parser's commands in a shell."""
    for command in parser.commands.values():
        for action in command._actions:
            if action.choices is None and action.dest in STUDIES_TAKEN:
                _complete_with(action, STUDY)
            elif action.choices is None and action.dest in FILES_TAKEN:
                _complete_with(action, shtab.FILE)
    preamble: Any = PREAMBLE  # a dict, whatever its annotation says
    return shtab.complete(parser, shell=shell, preamble=preamble)


def _complete_with(action: Any, completer: Any) -> None:
    action.complete = completer  # where shtab looks for it
