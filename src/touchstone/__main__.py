"""The command line: the steps as the workflow calls them, and what people type."""

from __future__ import annotations

import sys

from touchstone.pipeline.jobs import warm

# Before the imports that a job needs and its handing over does not.
if __name__ == "__main__" and (handed_over := warm.pass_on(sys.argv[1:])) is not None:
    sys.exit(handed_over)

import argparse
import os
import signal
from pathlib import Path
from typing import Any, NoReturn

from touchstone.commands import components
from touchstone.messages import nearest
from touchstone.pipeline.jobs import environment, reader, run, run_records
from touchstone.pipeline.planning.plan import Plan, digests_of
from touchstone.pipeline.settings.files import DEFAULT_STUDY, ParamsError, printable
from touchstone.pipeline.settings.study import load


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code of one command.

    0 done, 1 failed, 2 called wrongly, 3 another run is at work here, 4 nothing wrong, but not all could be checked.
    """
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.commands[options.name].refuse(unknown)
    try:
        return int(options.command(options))
    except (ParamsError, reader.JobError, ValueError) as error:
        told = str(error)
    except BrokenPipeError:  # the reader of our output has seen enough: touchstone list | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        told = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    print("touchstone:", "\n".join(map(printable, told.split("\n"))), file=sys.stderr)
    return 1


class _Parser(argparse.ArgumentParser):
    """A parser that answers a wrong word with the nearest right one."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands: dict[str, _Parser] = {}

    def refuse(self, unknown: list[str]) -> NoReturn:
        """End with exit code 2 and a word on arguments that nobody knows."""
        flag = unknown[0].partition("=")[0]
        self.error(f"unknown: {' '.join(unknown)}.{nearest(flag, self._option_string_actions)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            words = list(map(str, action.choices))
            raise argparse.ArgumentError(action, f"{value}: not one of {', '.join(words)}.{nearest(value, words)}")


def _cores(given: str) -> str:
    if given != "all" and not (given.isdecimal() and int(given) > 0):
        raise argparse.ArgumentTypeError(f"{given}: expected a number of cores, 1 or more, or all")
    return given


def _count(given: str) -> int:
    if not given.isdecimal():
        raise argparse.ArgumentTypeError(f"{given}: expected a whole number, 0 or more")
    return int(given)


def _parser() -> _Parser:
    parser = _Parser(prog="touchstone", description="Is that robustness claim real?")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)

    def command(name: str, function: object, text: str, usage: str | None = None) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, usage=usage)
        sub.set_defaults(command=function, name=name)
        parser.commands[name] = sub
        return sub

    run = command("run", _run, "run a study through Snakemake, with progress")
    run.add_argument("study", nargs="?", default=DEFAULT_STUDY, help="a name or an overlay's path (default: digits)")
    run.add_argument("--cores", type=_cores, default="all", help="how many cores to use (default: all)")
    run.add_argument("--lock", choices=("keep", "rerun"), default="keep",
                     help="what to do with files made under another requirements.lock (default: keep them)")  # fmt: skip
    assayed = command("assay", _assay, "is this model robust? write a study for it, and run it",
                      usage="touchstone assay MODEL --data PATH [options]")  # fmt: skip
    assayed.add_argument("model", help="a .pt2, .onnx or weights file, a torchvision name")
    assayed.add_argument(
        "--data", required=True, metavar="PATH", help="a folder of pictures per class, .npz, .safetensors"
    )
    assayed.add_argument("--ood", action="append", metavar="PATH", help="images of no class (default: generated)")
    assayed.add_argument("--eps", default="8/255", help="L-inf budget, of the pixel range (default: 8/255)")
    effort = assayed.add_mutually_exclusive_group()
    effort.add_argument(
        "--quick", dest="effort", action="store_const", const="quick", help="minutes: 100 images, few steps"
    )
    effort.add_argument(
        "--full", dest="effort", action="store_const", const="full", help="up to 1,000 images, many steps"
    )
    assayed.add_argument("--architecture", metavar="M:F", help="module:function; returns the network of the weights")
    assayed.add_argument("--weights", metavar="FILE", help="of a torchvision network (default: as published)")
    assayed.add_argument("--mean", help="per channel: 0.5,0.5,0.5 (default: it does so itself)")
    assayed.add_argument("--std", help="the same")
    assayed.add_argument("--classes", metavar="A,B,C", help="all classes in the model's order (default: a to z)")
    assayed.add_argument("--resize", metavar="HxW", help="resize the images (default: never)")
    colour = assayed.add_mutually_exclusive_group()
    colour.add_argument("--gray", action="store_true", help="read the images as gray")
    colour.add_argument("--rgb", action="store_true", help="read the images as colour")
    assayed.add_argument("--leave-out-broken", action="store_true", help="go on without images that cannot be read")
    assayed.add_argument("--trust-code", "--trust-pickle", dest="trust_code", action="store_true",
                         help="open a pickle or TorchScript, which may run any code as you")  # fmt: skip
    assayed.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    assayed.add_argument("--cores", type=_cores, default="all", help="how many cores to use (default: all)")
    assayed.add_argument("--name", dest="study", help="of the study (default: made of the model's)")
    assayed.add_argument("--out", metavar="FILE.yaml", help="the study (default: workflow/studies/NAME.yaml)")
    assayed.add_argument(
        "--force", action="store_true", help="replace a study that was edited, or is about another model"
    )
    assayed.add_argument("--dry-run", action="store_true", help="write the study and the estimate, and run nothing")
    assayed.set_defaults(effort="usual")
    contract = command("contract", _contract, "hold a component of your own to the contract tests of its kind")
    contract.add_argument("file", help="such as mine/detectors/NAME.py")
    contract.add_argument("--trace", action="store_true", help="print pytest's own words of what failed")
    new = command("new", _new, "write a component to begin from, with its test")
    new.add_argument("kind", choices=("detector", "attack"))
    new.add_argument("file", metavar="NAME")
    new.add_argument(
        "--from", dest="origin", metavar="CLASS", help="pass on to torchattacks.PGD, pytorch_ood.MaxLogit, ..."
    )
    new.add_argument("--fitted", action="store_true", help="a detector that is fitted on in-distribution data")
    new.add_argument("--folder", default="plugins", help="the plugin folder (default: plugins)")
    check = command("check", _check, "check a study's settings and print its jobs per rule")
    check.add_argument("study", nargs="?", default=DEFAULT_STUDY)
    listed = command("list", _list, "list the components that may be used")
    listed.add_argument(
        "folder", nargs="?", choices=components.FOLDERS, metavar="KIND", help=", ".join(components.FOLDERS)
    )
    audited = command("audit", _audit, "check that the chain from raw data to report is whole")
    audited.add_argument("study", nargs="?", default=DEFAULT_STUDY, help="a study, or one file that a job made")
    audited.add_argument("--root", help="also check that the report has this root digest")
    audited.add_argument("--render", action=argparse.BooleanOptionalAction, default=True,
                         help="build the page again from the chain and compare its bytes")  # fmt: skip
    audited.add_argument("--recompute", type=_count, default=0, metavar="N", help="also run N random jobs again")
    audited.add_argument("--seed", type=_count, help="which jobs --recompute draws (default: random, printed)")
    audited.add_argument("--json", action="store_true", help="print the findings as JSON")
    traced = command("trace", _trace, "print what a file or a number was made from, back to raw data")
    traced.add_argument("file", nargs="?", help="an artefact or a page of a report; with --number a study")
    traced.add_argument("--number", help="a claim's id, or a line of the report's metrics.csv.gz")
    traced.add_argument("--picture", metavar="SVG", help="also draw the chain into this file")
    traced.add_argument("--json", action="store_true", help="print the sidecars as JSON")
    restored = command("restore", _restore, "make Snakemake's records again from the sidecars")
    restored.add_argument("study", nargs="?", default=DEFAULT_STUDY)
    crate = command("crate", _crate, "write a finished study as a Provenance Run RO-Crate, one zip")
    crate.add_argument("study", nargs="?", default=DEFAULT_STUDY)
    crate.add_argument("--out", help="where to (default: build/STUDY.crate.zip)")
    costs = command("costs", _costs, "print what a study's jobs cost, and make a page of it")
    costs.add_argument("study", nargs="?", default=DEFAULT_STUDY)
    collected = command("gc", _gc, "list, or delete, files that no study needs")
    collected.add_argument("study", nargs="?", default=DEFAULT_STUDY)
    collected.add_argument("--delete", action="store_true", help="remove it; without, nothing is touched")
    collected.add_argument("--limit", type=float, default=20.0, help="GB that the action cache may hold (default: 20)")
    claims = command("claims", _claims, "print the verdicts of a study that has run")
    claims.add_argument("study", nargs="?", default=DEFAULT_STUDY)
    claims.add_argument("--markdown", nargs="*", metavar="CLAIM", help="these claims as a Markdown table")
    table = command("table", _table, "print numbers of a report as a Markdown table")
    table.add_argument("study", help="a study that has run")
    table.add_argument("evaluation", help="a question of it, such as detection")
    table.add_argument("metric", help="such as auroc; of several seeds the mean, between the ends of their intervals")
    table.add_argument("--entries", nargs="+", default=[], metavar="NAME", help="these lines alone, in this order")
    table.add_argument("--examples", nargs="+", default=[], metavar="SET", help="these columns alone, in this order")
    compared = command("compare", _compare, "show which numbers and verdicts moved between two reports")
    compared.add_argument("first", help="a study, a git revision, REVISION:STUDY, or a folder with metrics.csv.gz")
    compared.add_argument("second", nargs="?", default=DEFAULT_STUDY, help="the same (default: digits)")
    compared.add_argument("--most", type=int, default=30, help="how many numbers to show (default: 30)")
    compared.add_argument("--json", action="store_true", help="print everything as JSON")
    versioned = command("dvc", _dvc, "write the DVC stages of a study, so that DVC carries its files")
    versioned.add_argument("study", nargs="?", default=DEFAULT_STUDY, help="digits, or a study in workflow/studies/")
    versioned.add_argument(
        "--check", action="store_true", help="fail if a dvc.lock is not that of today's code, settings and report"
    )
    completed = command("completion", _completion, "print what completes these in a shell")
    completed.add_argument("shell", choices=("bash", "zsh"), help='such as: eval "$(touchstone completion bash)"')
    job = command("job", _job, "do one job of the workflow, as its rules call it")
    job.add_argument(
        "rule", help="the rule's name; RULE:DIGEST refuses to run if the job's settings have another digest"
    )
    job.add_argument("wildcards", nargs="?", default="", help="the rule's wildcards: net=cnn.0,victim=cnn.0")
    job.add_argument("--study", default=DEFAULT_STUDY)
    job.add_argument("--code", help="refuse to run if the job's code has another digest")
    return parser


def _job(options: argparse.Namespace) -> int:
    study = load(options.study)
    plan = Plan(study)
    name, _, planned = options.rule.partition(":")
    rule = plan.rules.get(name)
    if rule is None:
        raise reader.JobError(f"study {study.name} has no rule {name}.{nearest(name, plan.rules)}")
    wildcards = dict(pair.partition("=")[::2] for pair in options.wildcards.split(",") if pair)
    if sorted(wildcards) != sorted(rule.wildcards):
        raise reader.JobError(f"the rule {rule.name} takes {', '.join(rule.wildcards)}, got {options.wildcards!r}")
    environment.prepare_process(rule.step, study["study"]["threads"])
    tasks = plan.tasks(rule, **wildcards)
    settings, code = digests_of(tasks)
    for given, found, what in ((planned, settings, "settings"), (options.code, code, "code")):
        if given and given != found:
            raise reader.JobError(f"the {what} changed since this job was planned; run the study again")
    logs = Path("logs") / study.name
    # Told to end, leave through every `finally`, so that no file is left half written.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with run_records.recorded(logs, rule.name, wildcards, tasks) as record:
        stop = logs / run_records.LEAK
        if stop.is_file() and rule.step not in ("fetch", "prepare"):
            raise reader.JobError(f"not started: {stop.read_text()}")
        record["from_cache"] = run.run(tasks, Path(), logs)
        if rule.step == "prepare":
            _look_for_leaks(plan, wildcards["examples"], stop)
    return 0


def _look_for_leaks(plan: Plan, examples: str, stop: Path) -> None:
    """Compare a set that was just prepared with the others; after a leak no other job of this run starts."""
    from touchstone.pipeline.auditing import leakage

    try:
        for note in leakage.check(plan, among=[examples]):
            print(f"touchstone: {note}", file=sys.stderr)
    except leakage.Leak as leak:
        stop.write_text(str(leak).splitlines()[0])  # Snakemake would go on with jobs that do not need this set
        raise


def _audit(options: argparse.Namespace) -> int:
    from touchstone.pipeline.auditing import audit

    return audit.run_audit(options.study, options.json, options.root, options.render, options.recompute, options.seed)


def _trace(options: argparse.Namespace) -> int:
    from touchstone.pipeline.auditing import trace

    return trace.run_trace(options.file, options.number, options.json, options.picture)


def _restore(options: argparse.Namespace) -> int:
    from touchstone.pipeline.orchestration.restore import restore

    done = restore(Plan(load(options.study)))
    for damage in done.damaged:
        print(damage)
    print(f"{done.written} records restored, {len(done.damaged)} damaged files")
    return 1 if done.damaged else 0


def _gc(options: argparse.Namespace) -> int:
    from touchstone.commands import gc

    return gc.collect(options.study, options.limit, options.delete)


def _table(options: argparse.Namespace) -> int:
    from touchstone.commands.claims import table

    return table(options.study, options.evaluation, options.metric, options.entries, options.examples)


def _claims(options: argparse.Namespace) -> int:
    from touchstone.commands.claims import tell

    return tell(options.study, markdown=options.markdown)


def _compare(options: argparse.Namespace) -> int:
    from touchstone.pipeline.auditing import comparison

    return comparison.run_compare(options.first, options.second, options.most, options.json)


def _costs(options: argparse.Namespace) -> int:
    from touchstone.commands import costs

    return costs.show(load(options.study).name)


def _crate(options: argparse.Namespace) -> int:
    from touchstone.commands import crates

    plan = Plan(load(options.study))
    target = Path(options.out or f"build/{plan.study.name}.crate.zip")
    files = crates.write(plan, target)
    print(f"{target}: {files} files, {target.stat().st_size / 1e6:.0f} MB")
    return 0


def _dvc(options: argparse.Namespace) -> int:
    from touchstone.commands import dvc

    if options.check:
        lines = dvc.stale()
        for line in lines:
            print(line, file=sys.stderr)
        return int(bool(lines))
    path = dvc.add(options.study)
    print(f"{path} holds the stages of {options.study}. After a run, `dvc commit` records what it made.")
    if folder := dvc.hidden_from_git(options.study):
        print(f"git ignores {folder}/, which is to be committed: add !/{folder}/ to .gitignore")
    return 0


def _run(options: argparse.Namespace) -> int:
    from touchstone.pipeline.orchestration import running

    return running.run(options.study, options.cores, options.lock)


def _assay(options: argparse.Namespace) -> int:
    from touchstone.assay import command

    return command.assay(options)


def _contract(options: argparse.Namespace) -> int:
    from touchstone.commands import contracting

    return contracting.contract(Path(options.file), options.trace)


def _new(options: argparse.Namespace) -> int:
    from touchstone.commands import contracting

    return contracting.new(options.kind, options.file, Path(options.folder), options.origin, options.fitted)


def _completion(options: argparse.Namespace) -> int:
    from touchstone.commands import completion

    print(completion.completion(_parser(), options.shell))
    return 0


def _check(options: argparse.Namespace) -> int:
    return components.check(options.study)


def _list(options: argparse.Namespace) -> int:
    return components.show(options.folder)


if __name__ == "__main__":
    sys.exit(main())
