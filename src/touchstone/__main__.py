"""The command line: what people type, and what the workflow's rules call. commands/NAME.py is `touchstone NAME`."""

from __future__ import annotations

import atexit
import io
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from touchstone import __version__, extras
from touchstone.commands._command_line import Command
from touchstone.messages import guard_terminal, say, unguarded

GROUPS = {  # a heading of --help: an example, and what each command does
    "Run a study": (
        "touchstone run digits",
        {
            "run": "run a study with Snakemake and show its progress",
            "check": "check a study, a paper or a component before a run",
            "list": "list the components and their settings",
            "new": "write a first version of a component or a paper",
        },
    ),
    "Judge a model of your own": (
        "touchstone assay model.pt2 --data pictures/",
        {"assay": "is this model robust? write a study for it, and run it"},
    ),
    "Read the results": (
        "touchstone show digits",
        {
            "show": "print the verdicts of a study, or what an artefact holds",
            "trace": "print what a file or a number was made from",
            "power": "print what would decide each inconclusive claim",
            "compare": "show which numbers and verdicts of two reports differ",
        },
    ),
    "Prove the results": (
        "touchstone verify digits.pack",
        {
            "audit": "check the chain of files from raw data to report",
            "pack": "write what others need to verify a study's claims",
            "verify": "check the claims in a pack, trusting nobody",
        },
    ),
}
COMMANDS = {name: text for _, commands in GROUPS.values() for name, text in commands.items()}
HIDDEN = ("job",)  # run one job of the workflow, as its rules call it
REMOVED = {  # a command of earlier versions: what replaces it
    "adopt": "dvc pull brings the results of another machine into the store; touchstone verify FILE checks a pack",
    "claims": "touchstone show STUDY prints the verdicts",
    "completion": 'put eval "$(_TOUCHSTONE_COMPLETE=bash_source touchstone)" into ~/.bashrc; in zsh it is zsh_source',
    "contract": "touchstone check FILE.py runs the contract tests of a component",
    "costs": "snakemake --report times.html --config study=STUDY shows when each job ran, and for how long",
    "crate": "touchstone pack STUDY --rocrate writes it",
    "dvc": "for DVC to carry another study, change its name in dvc.yaml; dvc status says whether dvc.lock is current",
    "evidence": "touchstone pack STUDY writes the file with which others verify its claims",
    "gc": "touchstone run --prune STUDY deletes the results that today's settings and code do not make",
    "papers": "touchstone show STUDY --paper PAPER prints the verdicts on the claims of a paper",
    "restore": "make run STUDY=STUDY finds what is stored; nothing has to be restored any more",
    "table": "touchstone show STUDY --table EVALUATION METRIC",
}
COMPLETE = "_TOUCHSTONE_COMPLETE"  # click's variable, by which a shell asks how a word may end


class CommandLine(click.Group):
    """All commands. Only the file of the command that is typed is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, as --help shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command from the file of its name."""
        if cmd_name not in (*COMMANDS, *HIDDEN):
            return None
        command = import_module(f"touchstone.commands.{cmd_name}").main
        assert isinstance(command, Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is typed; answer a word that was one with what replaces it, another with the nearest."""
        if args[0] in REMOVED and not ctx.resilient_parsing:
            raise click.UsageError(f"{args[0]}: there is no such command any more; {REMOVED[args[0]]}", ctx)
        if args[0] not in (*COMMANDS, *HIDDEN) and not ctx.resilient_parsing:
            raise click.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings, then the options."""
        for heading, (example, commands) in GROUPS.items():
            with formatter.section(f"{heading}, as in `{example}`"):
                formatter.write_dl([(name.ljust(max(map(len, COMMANDS))), text) for name, text in commands.items()])
        click.Command.format_options(self, ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Return the commands, or the options, that a word may become."""
        words = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return words + click.Command.shell_complete(self, ctx, incomplete)


def say_version(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    """Print the distribution's name and version, and end, if they were asked for."""
    if asked and not context.resilient_parsing:
        print(extras.DISTRIBUTION, __version__)
        context.exit()


VERSION = click.Option(
    ["--version"],
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=say_version,
    help="Show the version and exit.",
)
command_line = CommandLine(
    "touchstone",
    help="Is that robustness claim real?",
    epilog="touchstone COMMAND --help shows the options of a command, and examples.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    params=[VERSION],
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 done, 1 failed, 2 wrong arguments, 3 another run works in this folder, 4 nothing wrong but not everything checked,
    5 less robust than asked, 130 interrupted.

    Nothing that a file holds reaches the terminal as a control character: stdout and stderr escape them.
    """
    if arguments is None:
        open_closed_streams()
        if os.environ.get(COMPLETE):
            command_line.main(prog_name="touchstone")  # click answers a shell that completes a word, and ends
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
            # Not by click's own `main`, which ends a command with 1 if the reader of its output has gone.
            context = command_line.make_context("touchstone", list(arguments), obj=own_process)
            return int(command_line.invoke(context))
    except click.exceptions.Exit as end:  # after --help
        return end.exit_code
    except click.UsageError as error:
        with suppress(BrokenPipeError):
            error.show(sys.stderr)
        return error.exit_code
    except ValueError as error:
        from touchstone.settings.files import ParamsError  # it imports yaml, which a job does not need

        message = str(error)
        if isinstance(error, ParamsError):  # a line for each mistake, with line ends escaped
            say(*f"touchstone: {message}".split("\n"), stream=sys.stderr)
            return 1
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


if __name__ == "__main__":
    sys.exit(main())
