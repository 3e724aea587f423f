"""Any flipped bit, swapped file, edited sidecar, forged word or missing link in a study is named; an untouched one passes."""

import gzip
import json
import random
import re
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import forks
from projects import write_study
from touchstone import digests
from touchstone.__main__ import main
from touchstone.audit import own_study
from touchstone.audit.chain import audit
from touchstone.audit.chain.report_pages import ExpectedRoot, root_digest_on
from touchstone.audit.own_audit import run_audit
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import chain, code, job_folders, sidecar_files
from touchstone.records import encoding
from touchstone.settings.study import load

CHECKPOINT = "results/tiny/train/cnn.0/networks/cnn.0.safetensors"
EXAMPLES = "results/tiny/prepare/tiny/examples/digits_test.safetensors"
OUTPUTS = "results/tiny/detect/cnn.0/outputs/cnn.0/digits_test.safetensors"
MSP = "results/tiny/detect/cnn.0/scores/cnn.0/msp/digits_test.safetensors"
MARGINS = "results/tiny/evaluate/margin_consistency/metrics/margins.csv"
REPORT = "reports/tiny/report.html"
NOTHING = ("--recompute", "0")


CHECK = """
import json, sys
from dataclasses import asdict
from touchstone.audit import own_study
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.study import load
found = own_study.check(Plan(load("tiny")), [], **json.loads(sys.argv[1]))
print(json.dumps([asdict(finding) for finding in found]))
"""


def as_jobs_do(project, *words, check=True):
    """Run Python in a process with torch and the environment of jobs, so that it computes the same bytes."""
    fork = replace(project, environment=forks.VARIABLES | {"PYTHONPATH": str(project.root / "src")})
    return fork.forked(list(words), check=check, server=forks.server())


def computed_again(project, **options):
    """What differs when some of a study is computed again, whatever the audit has found."""
    done = as_jobs_do(project, "-c", CHECK, json.dumps({"seed": 0, **options}))
    return [audit.Finding(**finding) for finding in json.loads(done.stdout)]


def findings(project, **options):
    return audit.audit(Plan(load("tiny", project.root)), project.root, quiet=True, **options)


def named(project, **options):
    return {finding.file for finding in findings(project, **options)}


def test_an_untouched_study_is_whole(tiny):
    assert findings(tiny) == []


def flip(path, place=-1):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


def test_a_flipped_bit_of_each_kind_of_artefact_is_named(copied):
    files = [
        CHECKPOINT,
        EXAMPLES,
        MARGINS,
        "data/raw/sklearn_digits/digits.csv",
        MSP,
    ]
    for file in files:
        flip(copied.root / file, place=20)

    of_bytes = [finding.file for finding in findings(copied) if not finding.problem.startswith(audit.CREATED)]

    assert [file for file in files if not any(file.startswith(name) for name in of_bytes)] == []


@pytest.mark.parametrize(
    "file",
    [
        "reports/tiny/metrics.csv.gz",
        "reports/tiny/report.html",
        "reports/tiny/ROOT",
        "reports/tiny/figures/roc.svg",
    ],
)
def test_a_flipped_bit_of_the_report_is_named(copied, file):
    flip(copied.root / file, place=20)

    assert any(file.startswith(name) for name in named(copied))


def edit(root, file, change):
    """Change the record of an artefact, and write the sidecar of its job in the form that a job gives it."""
    folder, name = job_folders.split(root / file)
    records = sidecar_files.read_folder(folder)
    change(records[name])
    sidecar_files.write_job_sidecar(folder, records)


def test_an_edited_sidecar_is_named_by_what_was_made_from_its_file(copied):
    edit(copied.root, CHECKPOINT, lambda record: record["settings"]["loop"].update(epochs=99))

    found = {finding.file: finding.problem for finding in findings(copied)}

    assert found[CHECKPOINT] == "was created under other settings than today's"
    assert "another sidecar" in found[OUTPUTS]


def forged_bytes(root, file, data=None):
    """Give an artefact other bytes, by default one other bit, and its record their digest."""
    if data is None:
        flip(root / file)
    else:
        (root / file).write_bytes(data)
    edit(root, file, lambda record: record.update(artefact=digests.file_digest(root / file)))


def test_a_file_forged_with_a_consistent_sidecar_is_caught_by_its_consumers_and_the_root(copied):
    root = (copied.root / "reports/tiny/ROOT").read_text().strip()
    forged_bytes(copied.root, CHECKPOINT)

    found = named(copied)

    assert CHECKPOINT not in found
    assert OUTPUTS in found
    linked_anew(copied.root)
    assert chain.root_digest(copied.root / REPORT) != root


def linked_anew(root):
    """Give every record the digests of its inputs as they are now, inputs first: what a forger of a whole chain does."""
    places = [path.parent for path in (root / "results/tiny").rglob("sidecar.json")]
    folders = {folder: sidecar_files.read_folder(folder) for folder in places}
    records = {(folder / name).relative_to(root).as_posix(): record
               for folder, own in folders.items() for name, record in own.items()}  # fmt: skip
    for file in (REPORT, "data/raw/sklearn_digits"):
        records[file] = dict(sidecar_files.read_sidecar(root / file))

    @cache
    def digest_of(file):
        for link in chain.links(records[file]):
            link |= {"sidecar": digest_of(link["file"]), "artefact": records[link["file"]]["artefact"]}
        return sidecar_files.digest_of_record(records[file])

    for file in records:
        digest_of(file)
    for folder, own in folders.items():
        sidecar_files.write_job_sidecar(folder, own)
    facts = {name: value for name, value in records[REPORT].items() if name != "artefact"}
    sidecar_files.write_sidecar(root / REPORT, records[REPORT]["artefact"], facts)
    (root / "reports/tiny/ROOT").write_text(chain.root_digest(root / REPORT) + "\n")


def test_two_swapped_files_are_named(copied):
    first, second = copied.root / OUTPUTS, copied.root / MSP
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)

    assert {OUTPUTS, MSP} <= named(copied)


def test_a_missing_artefact_and_a_missing_sidecar_are_named(copied):
    (copied.root / EXAMPLES).unlink()
    sidecar = Path(CHECKPOINT).parents[1] / "sidecar.json"
    (copied.root / sidecar).unlink()

    assert {EXAMPLES, sidecar.as_posix()} <= named(copied)
    assert CHECKPOINT not in named(copied), "one sentence is enough"


@pytest.mark.parametrize(
    "file",
    [
        "results/tiny/detect/cnn.0/scores/extra.safetensors",
        "results/tiny/detect/extra",
        "reports/tiny/figures/extra.svg",
    ],
)
def test_an_extra_file_is_named(copied, file):
    (copied.root / file).write_bytes(b"x")

    assert file in named(copied)


@pytest.mark.parametrize("draw", range(8))
def test_any_flipped_bit_of_any_file_or_sidecar_is_found(copied, draw):
    chance = random.Random(draw)
    files = sorted(path for folder in ("results", "data/raw", "reports") for path in (copied.root / folder).rglob("*"))
    files = [path for path in files if path.is_file() and path.stat().st_size and not path.name.startswith(".")]
    sidecars = [path for path in files if path.name.endswith(("sidecar.json", ".prov.json"))]
    path = chance.choice(sidecars if draw % 2 else files)

    flip(path, chance.randrange(path.stat().st_size))

    assert findings(copied) != [], path


def forge(project, name, pattern, replacement):
    """Change a page of the report, and make the digests that vouch for it those of the forgery."""
    folder = project.root / "reports/tiny"
    path, report = folder / name, folder / "report.html"
    data = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    forged, count = re.subn(pattern, replacement, data.decode(), count=1)
    assert count == 1, pattern
    path.write_bytes(gzip.compress(forged.encode(), mtime=0) if name.endswith(".gz") else forged.encode())
    content = sidecar_files.read_sidecar(report)
    content["pages"][name] = digests.file_digest(path)
    content["artefact"] = content["pages"]["report.html"]
    sidecar_files.sidecar_path(report).write_text(digests.canonical(content) + "\n")
    (folder / chain.ROOT).write_text(digests.file_digest(sidecar_files.sidecar_path(report)) + "\n")


@pytest.mark.parametrize(
    ("pattern", "replacement", "problem"),
    [
        ('<data value="[^"]*"', '<data value="0.123456"', "shows 0.123456, which is not in line"),
        (r"(<data [^>]*>)[^<]*", r"\1+0.150", "shows +0.150 but line"),
        (
            r'(id="claim-F3"[^>]*>.*?<span class="verdict [^>]*>)[^<]*',
            r"\1holds as well",
            "says that F3 is holds as",
        ),
        (r"(<span class=\"verdict [^>]*>[^<]*</span> <strong>)\d+", r"\g<1>77", "counts 77 claims"),
    ],
    ids=["value", "text", "verdict", "scorecard"],
)
def test_a_forged_number_or_verdict_on_the_page_is_named_without_building_it_again(
    copied, pattern, replacement, problem
):
    forge(copied, "report.html", f"(?s){pattern}", replacement)

    assert [finding.file for finding in findings(copied)] == ["reports/tiny/report.html"]
    assert findings(copied)[0].problem.startswith(problem)


def test_forged_words_tables_and_figures_are_found_by_building_the_report_again(copied, monkeypatch):
    monkeypatch.chdir(copied.root)
    forge(
        copied,
        "report.html",
        "Each claim has a bound, fixed",
        "Each claim was proven by a criterion",
    )
    forge(copied, "README.md", "## In short", "## Proven")
    forge(copied, "metrics.csv.gz", r"(?m)^(margins,.*,)(\d+),((?:[^,]*,){9}[^,]*)$", r"\g<1>99999,\3")
    forge(copied, "claims.csv", "not run", "not at all run")
    forge(copied, "metrics.json", r"(?<=: )0\.[0-8]", "0.9")
    forge(copied, "figures/roc.svg", "</svg>", "<!-- --></svg>")
    before = copied.digests("data", "results", "reports", ".touchstone/plan")
    plan = Plan(load("tiny"))
    known = audit.audit(plan, quiet=True)

    found = {it.file: it for it in computed_again(copied, render=True, count=0)}

    folder = "reports/tiny"
    assert [it for it in known if "not at all run" not in it.problem and "counts" not in it.problem] == []
    assert {file.removeprefix(f"{folder}/") for file in found} == {
        "README.md", "report.html", "metrics.csv.gz", "claims.csv", "metrics.json", "figures/roc.svg",
    }  # fmt: skip
    assert not any(it.unchecked for it in found.values())
    told = found[f"{folder}/report.html"].problem
    assert "Each claim was proven by" in told
    assert "Each claim has a bound" in told
    assert copied.digests("data", "results", "reports", ".touchstone/plan") == before, "an audit changes nothing"


def again(project, wanted):
    """What differs when one artefact is computed again."""
    tasks = Plan(load("tiny", project.root)).tasks
    files = [file for file, task in sorted(tasks.items()) if task.step not in ("fetch", "report")]
    seed = next(seed for seed in range(10_000) if own_study.draw(files, {}, 1, seed) == [wanted])
    return computed_again(project, render=False, count=1, seed=seed)[1:]


def test_a_whole_chain_that_was_hashed_again_is_found_by_root_and_by_recomputing_but_by_nothing_else(
    copied, monkeypatch
):
    monkeypatch.chdir(copied.root)
    root = (copied.root / "reports/tiny/ROOT").read_text().strip()
    path = copied.root / MARGINS
    path.write_text(re.sub(r"(?m)^(margins,.*?,pixels,.*?,)\d+,", r"\g<1>99999,", path.read_text()))
    edit(copied.root, MARGINS, lambda record: record.update(artefact=digests.file_digest(path)))
    as_jobs_do(copied, *list(copied.jobs())[-1])  # the report, of the forged table

    assert findings(copied) == []
    assert "root digest" in findings(copied, expected_root=ExpectedRoot(root))[0].problem
    (found,) = again(copied, MARGINS)
    assert (found.file, found.unchecked) == (MARGINS, False)
    assert found.problem.startswith("recomputed, its digest is sha256:")


@pytest.mark.parametrize("file", [EXAMPLES, CHECKPOINT, OUTPUTS, MSP])
def test_an_artefact_of_any_rule_is_computed_again(copied, file):
    kept = ("data", "results", "reports", ".touchstone/unfinished")
    before = copied.digests(*kept)
    assert again(copied, file) == []
    assert copied.digests(*kept) == before

    forged_bytes(copied.root, file)
    assert [(finding.file, finding.unchecked) for finding in again(copied, file)] == [(file, False)]


def test_what_another_processor_made_is_compared_within_what_that_changes(copied):
    def elsewhere(file):
        edit(copied.root, file, lambda record: record.update(cpu="aten=avx512 mkl=avx2"))
        return again(copied, file)

    assert elsewhere(MSP) == elsewhere(CHECKPOINT) == []  # the bytes are equal
    scores = encoding.decode((copied.root / MSP).read_bytes())
    for moved, problem in ((1e-9, ""), (0.01, "it differs by more than that changes: its scores are not what is")):
        forged_bytes(copied.root, MSP, encoding.encode(replace(scores, scores=scores.scores - moved)))
        assert [problem in it.problem and not it.unchecked for it in elsewhere(MSP)] == [True] * bool(problem)
    forged_bytes(copied.root, CHECKPOINT)
    (trained,) = elsewhere(CHECKPOINT)
    assert trained.unchecked
    assert trained.problem.startswith("recomputed in another environment (cpu), its digest is sha256:")


def test_a_sample_that_takes_some_seconds_is_computed_again_and_has_the_same_bytes(ran_with_one_figure):
    root = (ran_with_one_figure.root / "reports/tiny/ROOT").read_text().strip()

    said = as_jobs_do(ran_with_one_figure, "-m", "touchstone", "audit", "tiny", "--root", root, "--seed", "1")

    assert "Rebuilding the report" in said.stderr
    words = r"(\d\d+) of \d{3} artefacts were computed again, in \d+ s; \1 are equal to the last bit; --seed 1 selects"
    assert re.search(words, said.stderr)
    assert said.stdout.startswith("The chain is whole")
    assert said.stdout.strip().endswith(f"Root digest: {root}, which is the one you gave")


def test_a_report_of_other_code_is_not_built_again_and_that_is_said(copied, monkeypatch):
    monkeypatch.chdir(copied.root)
    known = [audit.Finding("reports/tiny/report.html", "was created by other code than today's: x")]

    (found,) = own_study.check(Plan(load("tiny")), known, render=True, count=0, seed=0)

    assert found.unchecked
    assert "was not rebuilt" in found.problem


def test_a_sidecar_that_keeps_an_input_to_itself_is_named(copied):
    edit(copied.root, MARGINS, lambda record: next(iter(record["inputs"].values())).pop())
    linked_anew(copied.root)

    assert [(it.file, it.problem) for it in findings(copied)] == [
        (MARGINS, "was created from other files than today's settings name")
    ]


def test_a_download_that_was_changed_with_its_whole_chain_is_not_what_the_settings_pin(copied):
    folder = copied.root / "data/raw/sklearn_digits"
    facts = {name: value for name, value in sidecar_files.read_sidecar(folder).items() if name != "artefact"}
    (folder / "digits.csv").write_bytes(b"0,1\n")
    sidecar_files.write_sidecar(folder, digests.folder_digest(folder), facts)
    linked_anew(copied.root)

    (found,) = findings(copied)

    assert found.file == "data/raw/sklearn_digits"
    assert found.problem.startswith("is not the download that the settings pin: sha256:")


def without_data(project):
    for folder in ("data", "results"):
        shutil.rmtree(project.root / folder)


def test_a_clone_without_data_gets_one_sentence_and_an_exit_code_of_its_own(copied, monkeypatch, capsys):
    without_data(copied)
    monkeypatch.chdir(copied.root)
    root = (copied.root / "reports/tiny/ROOT").read_text().strip()

    assert main(["audit", "tiny", "--root", root, *NOTHING]) == chain.PARTLY

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(
        "results/tiny: is not here: the pages and ROOT were checked, the chain behind them was not"
    )
    assert "`make run STUDY=tiny`" in lines[0]
    assert "`dvc pull`" in lines[0]
    assert len(lines) == 2


@pytest.mark.parametrize(
    "file", ["report.html", "README.md", "ROOT", "claims.csv", "figures/roc.svg", "report.html.prov.json"]
)
def test_without_data_a_changed_page_is_still_named(copied, file):
    without_data(copied)
    flip(copied.root / "reports/tiny" / file, place=20)

    assert any(not finding.unchecked for finding in findings(copied))


def test_a_clone_without_the_page_has_its_tables_checked_and_says_that_the_page_was_not(copied):
    without_data(copied)
    (copied.root / "reports/tiny/report.html").unlink()
    root = (copied.root / "reports/tiny/ROOT").read_text().strip()

    whole = {finding.file: finding for finding in findings(copied, expected_root=ExpectedRoot(root))}
    flip(copied.root / "reports/tiny/claims.csv", place=20)

    assert set(whole) == {"results/tiny", "reports/tiny/report.html"}
    assert all(finding.unchecked for finding in whole.values())
    assert {finding.file for finding in findings(copied) if not finding.unchecked} == {"reports/tiny/claims.csv"}


def test_a_page_that_is_missing_beside_its_data_is_named(copied):
    (copied.root / "reports/tiny/report.html").unlink()

    assert [(finding.file, finding.unchecked) for finding in findings(copied)] == [("reports/tiny/report.html", False)]


def test_one_missing_folder_is_named_with_what_was_made_from_it(copied):
    shutil.rmtree(copied.root / Path(CHECKPOINT).parents[1])

    (problem,) = [finding.problem for finding in findings(copied) if finding.file == CHECKPOINT]

    assert re.match(r"is missing; \d+ files were created from it, such as results/tiny/", problem)


RETURN = ("    return ", "    unused = 1\n    return ")  # another digest, and the same numbers


@pytest.fixture
def own_code(copied, monkeypatch):
    """A copy of the project whose own code is the code here."""
    monkeypatch.setattr(code, "PACKAGE", copied.root / "src/touchstone")
    code._read.clear()
    monkeypatch.chdir(copied.root)
    return copied


def test_files_that_other_code_built_are_named_with_it_in_notes(own_code):
    own_code.edit("src/touchstone/detectors/msp.py", *RETURN)

    found = findings(own_code)

    problems = {finding.file: finding.problem for finding in found}
    assert all(finding.note for finding in found)
    assert problems[MSP] == "built by other code: detectors.msp.msp; that code is in no commit here"
    assert MSP.replace("/msp/", "/pixel_mahalanobis/") not in problems


def test_a_whole_chain_of_other_code_is_whole_and_its_report_is_built_again(own_code, capsys):
    """The code of the step that scores is behind the report, and not in it."""
    own_code.edit("src/touchstone/pipeline/steps/score.py", *RETURN)

    assert main(["audit", "tiny", *NOTHING]) == 0

    *notes, last = capsys.readouterr().out.splitlines()
    assert last.startswith("The chain is whole")
    assert re.fullmatch(
        r"results/tiny/\S+ and \d+ other files: built by other code: pipeline\.steps\.score\..*; that code .*",
        notes[0],
    )
    assert len(notes) == 1


def test_a_report_of_other_code_cannot_be_built_again_and_an_audit_says_so(own_code, capsys):
    own_code.edit("src/touchstone/report/page.py", *RETURN)

    assert main(["audit", "tiny", *NOTHING]) == chain.PARTLY

    said = capsys.readouterr().out
    assert "reports/tiny/report.html: was not rebuilt (it is missing, or named above)" in said
    assert "reports/tiny/report.html: built by other code: report.page." in said


def test_other_code_hides_no_flipped_bit(own_code, capsys):
    own_code.edit("src/touchstone/pipeline/steps/score.py", *RETURN)
    flip(own_code.root / EXAMPLES)

    assert main(["audit", "tiny", "--no-render", *NOTHING]) == 1

    assert f"{EXAMPLES}: its bytes have digest" in capsys.readouterr().out


def test_artefacts_of_other_code_are_not_computed_again_and_an_audit_says_so(own_code, capsys):
    own_code.edit("src/touchstone/records/encoding.py", *RETURN)  # behind every file

    assert main(["audit", "tiny", "--no-render", "--recompute", "3", "--seed", "1"]) == chain.PARTLY

    assert "results/tiny: 0 of 3 artefacts were computed again" in capsys.readouterr().out


def test_another_step_in_a_record_is_named(copied):
    edit(copied.root, CHECKPOINT, lambda record: record.update(step="infer"))
    linked_anew(copied.root)

    assert "was created by the step infer, not by train" in {finding.problem for finding in findings(copied)}


def test_in_a_clone_a_report_of_other_code_and_settings_is_named_in_notes(own_code, capsys):
    without_data(own_code)
    own_code.edit("src/touchstone/attacks/pgd.py", "steps: PositiveInt = 40", "steps: PositiveInt = 41")
    write_study(own_code.root, "tiny", change={"attacks": {"pgd": {"steps": 6}}})

    assert main(["audit", "tiny", *NOTHING]) == chain.PARTLY

    lines = capsys.readouterr().out.splitlines()
    report = "reports/tiny/report.html"
    assert lines[0].startswith("results/tiny: is not here")
    assert lines[1] == f"{report}: built under other settings, papers or claims than those here"
    assert lines[2] == f"{report}: built by other code: attacks.pgd.pgd; that code is in no commit here"
    assert lines[3:] == ["Nothing is wrong, but not everything was checked"]


def test_the_root_digest_is_checked(tiny):
    root = (tiny.root / "reports/tiny/ROOT").read_text().strip()
    behind = chain.reached(lambda file: tiny.root / file, ["reports/tiny/report.html"]).values()
    (own,) = {record["cpu"] for record in behind if record["step"] == "train"}

    assert findings(tiny, expected_root=ExpectedRoot(root)) == []
    assert "--cpu" in findings(tiny, expected_root=ExpectedRoot("sha256:0"))[0].problem
    (wrong,) = findings(tiny, expected_root=ExpectedRoot("sha256:0", own))
    assert wrong.problem == f"has root digest {root}, and {root} with {own}, not sha256:0"


def test_a_root_of_another_processor_is_that_of_this_report_if_no_byte_differs(with_one_figure, monkeypatch, capsys):
    monkeypatch.chdir(with_one_figure.root)
    other = "aten=avx2 mkl=avx2 onednn=amx numpy=X86_V4 blas=SkylakeX"
    there = root_digest_on(Path("reports/tiny/report.html"), Path(), other)

    assert main(["audit", "tiny", "--root", there, *NOTHING]) == 1
    assert f"not {there}; if the other report is of another kind of processor" in capsys.readouterr().out
    assert main(["audit", "tiny", "--root", there, "--cpu", other, *NOTHING]) == 0
    assert f"and {there} with the processor that you gave: all files have the same bytes" in capsys.readouterr().out


def test_an_empty_study_is_no_whole_one(copied):
    for folder in ("data", "results", "reports"):
        shutil.rmtree(copied.root / folder)

    assert "nothing to audit" in findings(copied)[0].problem


def test_the_command_prints_json_and_ends_in_1_where_something_is_wrong(copied, monkeypatch, capsys):
    """Without the page built again, which takes seconds and prints nothing."""
    root = (copied.root / "reports/tiny/ROOT").read_text().strip()
    monkeypatch.chdir(copied.root)

    assert main(["audit", "tiny", "--root", root, "--json", "--no-render", *NOTHING]) == chain.PARTLY
    (unchecked,) = json.loads(capsys.readouterr().out)
    assert (unchecked["file"], unchecked["unchecked"]) == ("reports/tiny/report.html", True)

    flip(copied.root / EXAMPLES)
    assert main(["audit", "tiny", "--json", "--no-render", *NOTHING]) == 1
    listed = json.loads(capsys.readouterr().out)
    wrong = [finding["file"] for finding in listed if not finding["unchecked"]]
    assert EXAMPLES in wrong and len(wrong) == len(listed) - 1

    assert main(["audit", "tiny", "--no-render", *NOTHING]) == 1
    first, *others, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{EXAMPLES}: its bytes have digest")
    assert any(f" other files: was created from {EXAMPLES} when that had other bytes" in line for line in others)
    assert len(others) < len(wrong) / 3
    assert last == f"{len(wrong)} findings; besides, 1 not checked"


@pytest.fixture(autouse=True)
def fresh_code_cache():
    yield
    code._read.clear()


def test_one_file_is_audited_back_to_raw_data_and_nothing_else(copied, monkeypatch, capsys):
    flip(copied.root / EXAMPLES)
    monkeypatch.chdir(copied.root)

    assert run_audit(CHECKPOINT) == 0
    assert run_audit(MSP) == 1
    assert EXAMPLES in capsys.readouterr().out


def test_an_audit_of_the_page_as_one_file_does_not_call_it_whole(tiny, monkeypatch, capsys):
    monkeypatch.chdir(tiny.root)

    assert run_audit("reports/tiny/report.html") == chain.PARTLY
    assert "audit its study" in capsys.readouterr().out
