"""The command line: what people type, and what the workflow's rules call. commands/NAME.py is `touchstone NAME`."""

from __future__ import annotations

import atexit
import io
import os
import signal
import sys
from importlib import import_module

from touchstone import extras
from touchstone.commands._command_line import Parser, WrongArguments
from touchstone.messages import guard_terminal, printable, say, unguarded
from touchstone.pipeline.settings.files import ParamsError

COMMANDS = {
    "run": "run a study with Snakemake and show its progress",
    "assay": "is this model robust? write a study for it, and run it",
    "contract": "run the contract tests of its kind on a component of your own",
    "new": "write a first version of a component or a paper",
    "check": "check a study and print its jobs, or try a paper on tiny data",
    "list": "list the components and their settings",
    "audit": "check the chain of files from raw data to report",
    "trace": "print what a file or a number was made from, back to raw data",
    "show": "print the verdicts of a finished study, or what an artefact holds",
    "crate": "write a finished study as a Provenance Run RO-Crate, one zip",
    "evidence": "write what others need to verify a study's claims, one file",
    "verify": "check claims from an evidence file, trusting nobody",
    "adopt": "take verified results of another machine into a study",
    "power": "print what would settle each inconclusive claim",
    "compare": "show which numbers and verdicts differ between two reports",
    "job": "run one job of the workflow, as its rules call it",
}
REMOVED = {  # a command of earlier versions: what replaces it
    "claims": "touchstone show STUDY prints the verdicts",
    "papers": "touchstone show STUDY --paper PAPER prints the verdicts on the claims of a paper",
    "table": "touchstone show STUDY --table EVALUATION METRIC",
    "costs": "snakemake --report times.html --config study=STUDY shows when each job ran, and for how long",
    "gc": "touchstone run --prune STUDY deletes the results that today's settings and code do not make",
    "restore": "make run STUDY=STUDY finds what is stored; nothing has to be restored any more",
    "dvc": "for DVC to carry another study, change its name in dvc.yaml; dvc status says whether dvc.lock is current",
    "completion": "touchstone --help lists the commands",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 done, 1 failed, 2 wrong arguments, 3 another run works in this folder, 4 nothing wrong but not everything checked,
    130 interrupted.

    Nothing that a file holds reaches the terminal as a control character: stdout and stderr escape them.
    """
    if arguments is None:
        open_closed_streams()
    streams = sys.stdout, sys.stderr
    guard_terminal()
    try:
        return _run(arguments)
    finally:
        if arguments is not None:  # within another program; in a process of our own, tracebacks are escaped, too
            sys.stdout, sys.stderr = streams


def _run(arguments: list[str] | None) -> int:
    own_process = arguments is None
    if own_process:
        atexit.register(drop_unread_output)
    stdout = unguarded(sys.stdout)
    if own_process and isinstance(stdout, io.TextIOWrapper):
        stdout.reconfigure(errors="replace")  # a terminal that is not UTF-8 lacks some letters
    arguments = sys.argv[1:] if arguments is None else arguments
    word = next((word for word in arguments if word in COMMANDS), "")
    try:
        with extras.explained(f"touchstone {word}".strip()):
            parser = command_line(word)
            if (typed := next((word for word in arguments if not word.startswith("-")), "")) in REMOVED:
                parser.error(f"{typed}: there is no such command any more; {REMOVED[typed]}")
            options, unknown = parser.parse_known_args(arguments)
            if unknown:
                parser.commands[options.word].refuse(unknown)
            if own_process and "threads" in options:  # it computes, as jobs do
                from touchstone.pipeline.jobs import environment

                environment.prepare_command(options.threads)
            return int(options.main(options))
    except WrongArguments as error:
        parser.commands[options.word].error(printable(str(error)))
    except ParamsError as error:  # a line for each mistake, with line ends escaped
        say(*f"touchstone: {error}".split("\n"), stream=sys.stderr)
        return 1
    except ValueError as error:
        message = str(error)
    except BrokenPipeError:  # the reader of our output closed it: touchstone list | head
        return 0
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except KeyboardInterrupt:
        print("touchstone: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    first, *others = message.split("\n")
    say(f"touchstone: {first}", *(f"  {line}" for line in others), stream=sys.stderr)  # none looks like one of ours
    return 1


def open_closed_streams() -> None:
    """Open /dev/null in place of a closed stdin, stdout or stderr.

    Otherwise the next file that is opened takes its number, and what a library prints ends in that file.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def drop_unread_output() -> None:
    """Drop printed text whose reader has gone, so that the exit code stays that of the command."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def command_line(word: str | None = None) -> Parser:
    """Return the parser of every command.

    word: the command that is typed. Only its file is imported then, and only it gets its arguments.
    """
    parser = Parser(prog="touchstone", description="Is that robustness claim real?")
    words = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for name, text in COMMANDS.items():
        command = parser.commands[name] = words.add_parser(name, help=text, description=text)
        if word in (None, name):
            module = import_module(f"touchstone.commands.{name}")
            module.add(command)
            command.set_defaults(main=module.main, word=name)
    return parser


if __name__ == "__main__":
    sys.exit(main())
