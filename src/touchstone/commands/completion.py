"""`touchstone completion SHELL`: print the script that completes commands, flags, studies, papers and files in a shell."""

from __future__ import annotations

import argparse
from typing import Any

import shtab

from touchstone.commands._command_line import Parser
from touchstone.pipeline.settings.papers import shipped

SHELLS = ("bash", "zsh")
NAMED, STUDY, PAPER, EITHER = (
    dict.fromkeys(SHELLS, f"_touchstone_{what}") for what in ("named", "studies", "papers", "either")
)
TAKEN = {  # argument, or "command argument" -> what completes it
    "dvc study": NAMED,  # it takes no path
    **dict.fromkeys(("study", "first", "second"), STUDY),
    "paper": PAPER,
    "study_or_paper": EITHER,
    **dict.fromkeys(("model", "data", "ood", "weights", "file", "picture", "out"), shtab.FILE),
}
# A study is the default one, or a file of workflow/studies below the current folder. `compgen -W` would run a file name such
# as $(command).
PREAMBLE = {
    "bash": """
_touchstone_named() {
  local file name
  for file in digits workflow/studies/*.yaml; do
    name=${file##*/} name=${name%.yaml}
    [[ $name == "$1"* && $name =~ ^[a-z][a-z0-9_]*$ ]] && echo "$name"
  done
}
_touchstone_studies() { _touchstone_named "$1"; compgen -f -X '!*.yaml' -- "$1"; }
_touchstone_papers() { compgen -W "PAPERS" -- "$1"; }
_touchstone_either() { _touchstone_studies "$1"; _touchstone_papers "$1"; compgen -d -- "$1"; }
""",
    "zsh": """
_touchstone_named() {
  local -a studies
  studies=(digits workflow/studies/*.yaml(N:t:r))
  compadd -a studies
}
_touchstone_studies() { _touchstone_named; _files -g '*.yaml' }
_touchstone_papers() { compadd PAPERS }
_touchstone_either() { _touchstone_studies; _touchstone_papers; _files -/ }
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
    for word, command in parser.commands.items():
        for action in command._actions:
            completer = TAKEN.get(f"{word} {action.dest}", TAKEN.get(action.dest))
            if action.choices is None and completer is not None:
                _complete_with(action, completer)
    names = " ".join(shipped())
    preamble: Any = {each: text.replace("PAPERS", names) for each, text in PREAMBLE.items()}  # its annotation says str
    return shtab.complete(parser, shell=shell, preamble=preamble)


def _complete_with(action: Any, completer: Any) -> None:
    action.complete = completer  # where shtab looks for it
