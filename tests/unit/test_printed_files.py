"""What a file holds reaches the terminal without control characters, and adds no line of its own, in every command."""

import copy
import csv
import gzip
import io
import json
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.numpy import save

import job_files
import touchstone
from touchstone.__main__ import main
from touchstone.messages import guard_terminal, printable, unguarded
from touchstone.pipeline.orchestration import display
from touchstone.provenance import archive, job_folders
from touchstone.records.metric_tables import METRIC_COLUMNS
from touchstone.report import packing
from touchstone.report.claim_files import COLUMNS as CLAIM_COLUMNS

ROOT = Path(__file__).parents[2]
FAKE = "FAKED.evidence (sha256:0): verified, in 0 s"
# Each clears the screen, sets a link or the clipboard, goes back, turns the text around or begins a line.
ATTACKS = {
    "clear": "\x1b[2J\x1b[H",
    "link": "\x1b]8;;http://a\x07b\x1b]8;;\x07",
    "clipboard": "\x1b]52;c;YQ==\x07",
    "return": "a\r",
    "backspace": "a\b\b",
    "bidi": "\u202e\u2066",
    "C1": "\x9b2J\x9d8;;\x9c\x85",
    "line": f"a\n{FAKE}\n",
    "separator": f"a\u2028{FAKE}\u2029\v\f",
    "markup": f"[link=http://a]b[/link][bold]{FAKE}",
}
ALL = "".join(ATTACKS.values())
HOSTILE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def assert_harmless(capsys):
    """Assert that nothing printed moves the cursor, and that no line is one that a file has made up; return it all."""
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert not HOSTILE.search(text), ascii(text)
    assert not [line for line in text.splitlines() if line.startswith("FAKED")]
    return text


def leaves(content, path=()):
    """Yield the place of every value, and of every key, in nested dictionaries and lists."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        if isinstance(content, dict):
            yield path, key
        yield (*path, key), None
        yield from leaves(value, (*path, key))


def poisoned(content, place, key, text):
    """Return the content with a text for the value at a place, or for one of its keys."""
    changed = copy.deepcopy(content)
    *above, last = (*place, key) if key is not None else place
    part = changed
    for step in above:
        part = part[step]
    if key is None:
        part[last] = text
    else:
        part[last + text] = part.pop(last)
    return changed


def every_field(content):
    return [poisoned(content, place, key, ALL) for place, key in leaves(content)]


def run(*arguments):
    """Run a command and return its exit code; an error that it does not expect may end it, too."""
    try:
        return main(list(arguments))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        print(type(error))  # its traceback is harmless, as another test shows
        return 1


@pytest.mark.parametrize("text", [*ATTACKS.values(), ALL], ids=[*ATTACKS, "all"])
def test_a_printable_text_has_one_line_and_moves_no_cursor(text):
    shown = printable(text)

    assert not [each for each in shown if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert len(shown.splitlines()) == 1


def test_words_of_any_language_and_spaces_of_any_width_are_printable():
    text = "Über 99.9\u202f% 数字 λ\u00a0✓"

    assert printable(text) == text


def test_the_guard_is_on_every_print_and_our_own_colours_pass(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    guard_terminal()
    print(ALL)
    print(ALL, file=sys.stderr)
    sys.stdout.writelines([ALL])
    shown = capsys.readouterr()
    print("\x1b[1m", file=unguarded(sys.stdout))

    assert not HOSTILE.search(shown.out + shown.err)
    assert "\x1b[1m" in capsys.readouterr().out


def test_a_traceback_is_harmless_too(tmp_path):
    code = (
        "import sys; from touchstone import __main__\n"
        "sys.argv = ['touchstone', 'list']\n"
        f"def fail(*_): raise KeyError({ALL!r}, type('E', (), {{'__repr__': lambda self: {ALL!r}}})())\n"
        "__main__.command_line.invoke = fail\n"
        "__main__.main()"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode == 1 and "KeyError" in done.stderr and not HOSTILE.search(done.stderr)


# --- evidence --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    """What evidence of `evaluate` says, and its files."""
    folder = tmp_path_factory.mktemp("evidence")
    images, few = torch.rand(4, 1, 3, 3), {"steps": 1, "restarts": 1, "queries": 1}
    touchstone.evaluate(lambda x: x.flatten(1)[:, :3], images, torch.arange(4) % 3, evidence=folder / "e", **few)
    (folder / "files").mkdir()
    evidence, _ = archive.unpack(folder / "e", folder / "files")
    files = {name: (folder / "files" / name).read_bytes() for name in evidence.entries}
    return dict(evidence.about), [(name, lambda data=data: data) for name, data in files.items()]


def test_no_field_of_an_evaluation_s_evidence_reaches_the_terminal(evaluation, tmp_path, capsys):
    about, files = evaluation
    many = [*every_field(about), about | {"failed_checks": [ALL, FAKE, f"a\n{FAKE}"]}]
    for number, changed in enumerate(many):
        path = tmp_path / f"{number}.evidence"
        archive.write(path, "evaluation", changed, files)
        run("verify", str(path))
        assert_harmless(capsys)
    assert f"a\\n{FAKE}" in (run("verify", str(path)), assert_harmless(capsys))[1]


def test_no_field_of_a_study_s_evidence_reaches_the_terminal(tmp_path, capsys):
    about = {"study": "tiny", "claims": ["S1-1"], "root": "sha256:0", "touchstone": "1", "verdict_code": "sha256:1"}
    overlay = b"papers: []\n"
    for number, changed in enumerate(every_field(about)):
        path = tmp_path / f"{number}.evidence"
        archive.write(path, "study", changed, [("params.yaml", lambda: overlay)])
        run("verify", str(path))
        assert_harmless(capsys)


@pytest.mark.parametrize("kind", [ALL, FAKE])
def test_neither_the_kind_nor_a_name_in_an_archive_reaches_the_terminal(tmp_path, capsys, kind):
    archive.write(tmp_path / "e", kind, {}, [])
    (tmp_path / "no").write_text(ALL)

    assert run("verify", str(tmp_path / "e")) == 1 and run("verify", str(tmp_path / "no")) == 1
    assert_harmless(capsys)


# --- reports and artefacts -------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(columns, **cells):
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerow(dict.fromkeys(columns, "") | cells)
    return text.getvalue().encode()


def write_report(folder, claims, numbers):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "claims.csv").write_bytes(claims)
    (folder / packing.METRICS).write_bytes(gzip.compress(numbers))


CLAIM = {
    "claim": "S1-1",
    "status": "holds",
    "attacker": "broken",
    "unit": "fraction",
    "measured": "0.5",
}
NUMBER = {"evaluation": packing.OF_CLAIMS, "metric": "auroc", "entry": CLAIM["claim"], "value": "0.5", "files": "a"}


@pytest.mark.parametrize("column", CLAIM_COLUMNS)
@pytest.mark.parametrize("colours", [{}, {"FORCE_COLOR": "1"}], ids=["plain", "coloured"])
def test_no_column_of_claims_csv_reaches_the_terminal(project, capsys, monkeypatch, column, colours):
    for name, value in colours.items():
        monkeypatch.setenv(name, value)
    cells = CLAIM | {column: ALL}
    write_report(project / "reports/digits", table(CLAIM_COLUMNS, **cells), table(METRIC_COLUMNS, **NUMBER))
    write_report(project / "other", table(CLAIM_COLUMNS, **CLAIM), table(METRIC_COLUMNS, **NUMBER))

    for arguments in (
        ["show", "digits"], ["show", "digits", "--number", cells["claim"]],
        ["trace", "digits", "--number", cells["claim"]], ["compare", "digits", "other"], ["compare", "other", "digits"],
    ):  # fmt: skip
        run(*arguments)
        captured = capsys.readouterr()
        text = re.sub("\x1b\\[[0-9;]*m", "", captured.out + captured.err) if colours else captured.out + captured.err
        assert not HOSTILE.search(text), (arguments, ascii(text))
        assert not [line for line in text.splitlines() if line.startswith("FAKED")]


@pytest.mark.parametrize("column", METRIC_COLUMNS)
def test_no_column_of_the_numbers_reaches_the_terminal(project, capsys, column):
    write_report(
        project / "reports/digits", table(CLAIM_COLUMNS, **CLAIM), table(METRIC_COLUMNS, **NUMBER | {column: ALL})
    )
    write_report(project / "other", table(CLAIM_COLUMNS, **CLAIM), table(METRIC_COLUMNS, **NUMBER))

    for arguments in (
        ["trace", "digits", "--number", "2"],
        ["trace", "digits", "--number", CLAIM["claim"]],
        ["compare", "digits", "other"],
    ):
        run(*arguments)
        assert_harmless(capsys)


def test_no_name_of_a_report_s_folder_reaches_the_terminal(project, capsys):
    for text in ("\x1b[2J", "a\u202eb", "a\nFAKED", "[bold]x", "\udc9b"):
        write_report(project / text, table(CLAIM_COLUMNS, **CLAIM), table(METRIC_COLUMNS, **NUMBER))
        write_report(
            project / "other", table(CLAIM_COLUMNS, **CLAIM), table(METRIC_COLUMNS, **NUMBER | {"value": "0.7"})
        )
        run("compare", text, "other")
        assert_harmless(capsys)


def test_no_field_of_a_sidecar_or_name_of_an_array_reaches_the_terminal(project, capsys):
    folder = "results/s/detect/cnn.0"
    facts = {"step": "score", "settings": {"a": 1}, "inputs": {"of": [{"file": "data/raw/y", "artefact": "sha256:1"}]}}
    job_files.write_job(project / folder, {"x.safetensors": save({f"scores{ALL}": np.zeros(3)})}, **facts)
    sidecar = project / folder / job_folders.SIDECAR
    whole = json.loads(sidecar.read_text())
    for changed in [whole, *every_field(whole)]:
        sidecar.write_text(json.dumps(changed))
        for arguments in (["show"], ["trace"], ["trace", "--json"], ["audit"], ["audit", "--json"]):
            run(*arguments, f"{folder}/x.safetensors")
            assert_harmless(capsys)


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["params.yaml", "studies/mine.yaml"])
def test_no_field_of_settings_reaches_the_terminal(project, capsys, name):
    (project / "studies").mkdir()
    content = yaml.safe_load((project / "params.yaml").read_text())
    content = {key: content[key] for key in ("study", "sources", "attacks", "classifiers", "papers") if key in content}
    small = {
        section: dict(list(block.items())[:1]) if isinstance(block, dict) else block
        for section, block in content.items()
    }
    for changed in every_field(small):
        Path(name).write_text(yaml.safe_dump(changed, allow_unicode=False))
        run("check", "mine" if "mine" in name else "digits")
        assert_harmless(capsys)
    Path(name).write_text(f"study: {ALL}")
    run("check", "mine" if "mine" in name else "digits")
    assert_harmless(capsys)


@pytest.mark.parametrize("file", ["claims.yaml", "experiment.yaml"])
def test_no_field_of_a_paper_reaches_the_terminal(project, capsys, file):
    assert run("new", "paper", "mine") == 0
    folder = next(path.parent for path in project.rglob("claims.yaml"))
    content = yaml.safe_load((folder / file).read_text())
    capsys.readouterr()
    for changed in every_field(content):
        (folder / file).write_text(yaml.safe_dump(changed, allow_unicode=False, sort_keys=False))
        run("check", str(folder.relative_to(project)), "--no-run")
        assert_harmless(capsys)


# --- models and pictures ---------------------------------------------------------------------------------------------


@pytest.fixture
def pictures(project):
    for name in ("a\x1b[2Jb", "c\u202ed"):
        (project / "pictures" / name).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(np.full((4, 4), 40 * number, np.uint8)).save(
                project / f"pictures/{name}/{number}\n{FAKE}.png"
            )
        (project / f"pictures/{name}/broken\x1b[2J.png").write_text(ALL)
    return "pictures"


@pytest.mark.parametrize("make", ["npz", "checkpoint"])
def test_no_name_in_a_model_or_an_image_set_reaches_the_terminal(project, pictures, capsys, make):
    if make == "npz":
        model, pictures = project / "model\x1b[2J.pt2", "set.npz"
        np.savez(project / pictures, **{f"images{ALL}": np.zeros((4, 1, 4, 4), np.float32), "labels": np.zeros(4, int)})
        model.write_text(ALL)
    else:
        model = project / "model.pt"
        torch.save({f"weight{ALL}": torch.zeros(2), "meta": ALL}, model)

    run("assay", str(model), "--data", pictures, "--dry-run")

    assert_harmless(capsys)


# --- runs ------------------------------------------------------------------------------------------------------------


def test_neither_the_log_of_a_job_nor_its_progress_reaches_the_terminal(project, capsys):
    log = project / f"{'a'}.log"
    log.write_text(ALL)
    state = type("State", (), {"failures": [], "errors": [ALL], "signal_of": lambda self, failure: ""})()
    display.print_failures(state)
    shown = assert_harmless_lines(capsys)
    state.failures = [type("Failure", (), {"rule": f"r{ALL}", "log": str(log)})()]
    guarded = sys.stdout, sys.stderr
    guard_terminal()
    try:
        display.print_failures(state)
    finally:
        sys.stdout, sys.stderr = guarded

    assert "failed" in assert_harmless_lines(capsys) + shown


def assert_harmless_lines(capsys):
    captured = capsys.readouterr()
    assert not HOSTILE.search(captured.out + captured.err)
    return captured.err
