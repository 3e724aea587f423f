"""`touchstone completion bash`: what a shell needs to complete commands, flags, studies and files. Made from the parser."""

from __future__ import annotations

import argparse
from typing import Any

import shtab

SHELLS = ("bash", "zsh")
STUDY = {"bash": "_touchstone_studies", "zsh": "_touchstone_studies"}
STUDIES_TAKEN = ("study", "first", "second")  # arguments that name one
FILES_TAKEN = ("model", "data", "ood", "weights", "file", "picture", "out")
# A study is a file of workflow/studies, seen from the folder that the command is typed in, or the default one. `compgen -W`
# would run a name such as $(command).
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


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script that completes the parser's commands in a shell, bash or zsh."""
    for command in commands(parser).values():
        for action in command._actions:
            if action.choices is None and action.dest in STUDIES_TAKEN:
                _completed_by(action, STUDY)
            elif action.choices is None and action.dest in FILES_TAKEN:
                _completed_by(action, shtab.FILE)
    preamble: Any = PREAMBLE  # a dict, whatever its annotation says
    return shtab.complete(parser, shell=shell, preamble=preamble)


def commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command by its name."""
    (found,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return dict(found.choices)


def _completed_by(action: Any, how: Any) -> None:
    action.complete = how  # where shtab looks for it
