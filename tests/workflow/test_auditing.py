"""Any flipped bit, swapped file, edited sidecar, forged word or missing link in a study is named; an untouched one passes."""

import gzip
import json
import random
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import forks
from touchstone import digests
from touchstone.__main__ import main
from touchstone.pipeline.auditing import audit, recomputation
from touchstone.pipeline.auditing.report_pages import ExpectedRoot, root_digest_on
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import chain, code, sidecar_files
from touchstone.pipeline.settings.study import load

CHECKPOINT = "data/tiny/checkpoints/cnn.0.safetensors"
EXAMPLES = "data/tiny/examples/digits_test.safetensors"


@pytest.fixture(autouse=True)
def jobs_with_torch(forking):
    forking(recomputation)


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
        "data/tiny/metrics/margins.csv",
        "data/raw/sklearn_digits/digits.csv",
        "data/tiny/scores/cnn.0/all_detectors/tested.zip",
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


def test_an_edited_sidecar_is_named_by_what_was_made_from_its_file(copied):
    path = sidecar_files.sidecar_path(copied.root / CHECKPOINT)
    content = json.loads(path.read_text())
    content["settings"]["loop"]["epochs"] = 99
    path.write_text(json.dumps(content))

    found = {finding.file: finding.problem for finding in findings(copied)}

    assert found[CHECKPOINT] == "was created under other settings than today's"
    assert "another sidecar" in found["data/tiny/outputs/cnn.0/tested.zip#digits_test"]


def test_a_file_forged_with_a_consistent_sidecar_is_caught_by_its_consumers_and_the_root(copied):
    path = copied.root / CHECKPOINT
    root = (copied.root / "reports/tiny/ROOT").read_text().strip()
    flip(path)
    content = sidecar_files.read_sidecar(path)
    del content["artefact"]
    sidecar_files.write_with_sidecar(path, path.read_bytes(), content)

    found = named(copied)

    assert CHECKPOINT not in found
    assert "data/tiny/outputs/cnn.0/tested.zip#digits_test" in found
    linked_anew(copied.root)
    assert chain.root_digest(copied.root / "reports/tiny/report.html") != root


def linked_anew(root):
    """Give every sidecar the digests of its inputs as they are now, inputs first: what a forger of a whole chain does."""
    done = {}

    def digest_of(address):
        file = address.partition("#")[0]
        if file not in done:
            path = sidecar_files.sidecar_path(root / file)
            content = json.loads(path.read_text())
            for record in content["members"].values() if "members" in content else [content]:
                for link in chain.links(record):
                    link["sidecar"] = digest_of(link["file"])
                    link["artefact"] = sidecar_files.read_sidecar(root / link["file"])["artefact"]
            if "members" in content:
                content["records"] = sidecar_files.digest_of_records(content["members"], content["definitions"])
            path.write_text(digests.canonical(content) + "\n")
            done[file] = path
        return sidecar_files.record_digest(root / address)

    for path in (*(root / "data/tiny").rglob("*" + sidecar_files.SIDECAR), root / "reports/tiny/report.html.prov.json"):
        digest_of(path.relative_to(root).as_posix().removesuffix(sidecar_files.SIDECAR))


def test_two_swapped_files_are_named(copied):
    first, second = (
        copied.root / f"data/tiny/{folder}/tested.zip" for folder in ("outputs/cnn.0", "scores/cnn.0/all_detectors")
    )
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)

    assert {path.relative_to(copied.root).as_posix() for path in (first, second)} <= named(copied)


def test_a_missing_artefact_and_a_missing_sidecar_are_named(copied):
    (copied.root / EXAMPLES).unlink()
    sidecar_files.sidecar_path(copied.root / CHECKPOINT).unlink()

    assert {EXAMPLES, CHECKPOINT} <= named(copied)


@pytest.mark.parametrize("file", ["data/tiny/scores/extra.safetensors", "reports/tiny/figures/extra.svg"])
def test_an_extra_file_is_named(copied, file):
    (copied.root / file).write_bytes(b"x")

    assert file in named(copied)


# Draw 0 hits the `cpu` of a member that no later job reads.
@pytest.mark.parametrize("draw", range(8))
def test_any_flipped_bit_of_any_file_or_sidecar_is_found(copied, draw):
    chance = random.Random(draw)
    files = sorted(path for folder in ("data", "reports") for path in (copied.root / folder).rglob("*"))
    files = [path for path in files if path.is_file() and path.stat().st_size and not path.name.startswith(".")]
    sidecars = [path for path in files if path.name.endswith(sidecar_files.SIDECAR)]
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
            r'(id="claim-S4-3"[^>]*>.*?<span class="verdict [^>]*>)[^<]*',
            r"\1confirmed as well",
            "says that S4-3 is confirmed as",
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
        "Each claim of a paper became a criterion",
        "Each claim was proven by a criterion",
    )
    forge(copied, "metrics.csv.gz", r"(?m)^(margins,.*,)(\d+),((?:[^,]*,){9}[^,]*)$", r"\g<1>99999,\3")
    forge(copied, "claims.csv", "not run", "not at all run")
    forge(copied, "metrics.json", r"(?<=: )0\.\d", "0.9")
    forge(copied, "figures/roc.svg", "</svg>", "<!-- --></svg>")
    before = copied.digests("data", "reports")
    plan = Plan(load("tiny"))
    known = audit.audit(plan, quiet=True)

    found = {it.file: it for it in recomputation.of_jobs("tiny", plan, [], render=True, count=0, seed=0)}

    folder = "reports/tiny"
    assert [it for it in known if "not at all run" not in it.problem and "counts" not in it.problem] == []
    assert {file.removeprefix(f"{folder}/") for file in found} == {
        "report.html", "metrics.csv.gz", "claims.csv", "metrics.json", "figures/roc.svg",
    }  # fmt: skip
    assert not any(it.unchecked for it in found.values())
    told = found[f"{folder}/report.html"].problem
    assert "Each claim was proven by" in told
    assert "Each claim of a paper became" in told
    assert copied.digests("data", "reports") == before, "an audit changes nothing"


def drawing(plan, wanted):
    """A seed with which one random job is the wanted one."""
    jobs = [(rule.name, *wildcards.values()) for rule, wildcards in plan.jobs() if rule.step not in ("fetch", "report")]
    return next(seed for seed in range(10_000) if random.Random(seed).sample(jobs, 1) == [wanted])


def test_a_whole_chain_that_was_hashed_again_is_found_by_root_and_by_recomputing_but_by_nothing_else(
    copied, monkeypatch
):
    monkeypatch.chdir(copied.root)
    root = (copied.root / "reports/tiny/ROOT").read_text().strip()
    path = copied.root / "data/tiny/metrics/margins.csv"
    path.write_text(re.sub(r"(?m)^(margins,.*?,pixels,.*?,)\d+,", r"\g<1>99999,", path.read_text()))
    content = sidecar_files.read_sidecar(path)
    del content["artefact"]
    sidecar_files.write_with_sidecar(path, path.read_bytes(), content)
    fork = replace(copied, environment=forks.VARIABLES | {"PYTHONPATH": str(copied.root / "src")})
    fork.forked(["-m", "touchstone", "job", "report", "--study", "tiny"], server=forks.server())
    plan = Plan(load("tiny"))

    assert findings(copied) == []
    assert "root digest" in findings(copied, expected_root=ExpectedRoot(root))[0].problem
    seed = drawing(plan, ("evaluate", "margins"))
    (found,) = recomputation.of_jobs("tiny", plan, [], render=False, count=1, seed=seed)[1:]
    assert (found.file, found.unchecked) == ("data/tiny/metrics/margins.csv", False)
    assert found.problem.startswith("recomputed, its digest is sha256:")


def test_random_jobs_that_are_run_again_give_the_same_bytes(with_one_figure, monkeypatch, capsys):
    monkeypatch.chdir(with_one_figure.root)
    root = (with_one_figure.root / "reports/tiny/ROOT").read_text().strip()

    assert main(["audit", "tiny", "--root", root, "--recompute", "3", "--seed", "1"]) == 0

    said = capsys.readouterr()
    assert "Rebuilding the report" in said.err
    assert said.err.count("Rerunning ") == 3
    assert re.search(r"3 of \d+ jobs were rerun; --seed 1 selects the same jobs", said.err)
    assert said.out.startswith("The chain is whole")
    assert said.out.strip().endswith(f"Root digest: {root}, which is the one you gave")


def test_a_report_of_other_code_is_not_built_again_and_that_is_said(copied, monkeypatch):
    monkeypatch.chdir(copied.root)
    known = [audit.Finding("reports/tiny/report.html", "was created by other code than today's: x")]

    (found,) = recomputation.of_jobs("tiny", Plan(load("tiny")), known, render=True, count=0, seed=0)

    assert found.unchecked
    assert "was not rebuilt" in found.problem


def test_a_sidecar_that_keeps_an_input_to_itself_is_named(copied):
    path = sidecar_files.sidecar_path(copied.root / "data/tiny/metrics/margins.csv")
    content = json.loads(path.read_text())
    first = next(iter(content["inputs"]))
    content["inputs"][first] = content["inputs"][first][1:]
    path.write_text(digests.canonical(content) + "\n")
    linked_anew(copied.root)
    (copied.root / "reports/tiny/ROOT").write_text(chain.root_digest(copied.root / "reports/tiny/report.html") + "\n")

    assert [(it.file, it.problem) for it in findings(copied)] == [
        ("data/tiny/metrics/margins.csv", "was created from other files than today's settings name")
    ]


def test_a_download_that_was_changed_with_its_whole_chain_is_not_what_the_settings_pin(copied):
    folder = copied.root / "data/raw/sklearn_digits"
    content = sidecar_files.read_sidecar(folder)
    del content["artefact"]
    (folder / "digits.csv").write_bytes(b"0,1\n")
    sidecar_files.write_sidecar(folder, digests.folder_digest(folder), content)
    linked_anew(copied.root)
    (copied.root / "reports/tiny/ROOT").write_text(chain.root_digest(copied.root / "reports/tiny/report.html") + "\n")

    (found,) = findings(copied)

    assert found.file == "data/raw/sklearn_digits"
    assert found.problem.startswith("is not the download that the settings pin: sha256:")


def without_data(project):
    for folder in ("data/tiny", "data/raw"):
        shutil.rmtree(project.root / folder)


def test_a_clone_without_data_gets_one_sentence_and_an_exit_code_of_its_own(copied, monkeypatch, capsys):
    without_data(copied)
    monkeypatch.chdir(copied.root)
    root = (copied.root / "reports/tiny/ROOT").read_text().strip()

    assert main(["audit", "tiny", "--root", root]) == chain.PARTLY

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("data/tiny: is not here: the pages and ROOT were checked, the chain behind them was not")
    assert "`make run STUDY=tiny`" in lines[0]
    assert "`dvc pull`" in lines[0]
    assert len(lines) == 2


@pytest.mark.parametrize("file", ["report.html", "ROOT", "claims.csv", "figures/roc.svg", "report.html.prov.json"])
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

    assert set(whole) == {"data/tiny", "reports/tiny/report.html"}
    assert all(finding.unchecked for finding in whole.values())
    assert {finding.file for finding in findings(copied) if not finding.unchecked} == {"reports/tiny/claims.csv"}


def test_a_page_that_is_missing_beside_its_data_is_named(copied):
    (copied.root / "reports/tiny/report.html").unlink()

    assert [(finding.file, finding.unchecked) for finding in findings(copied)] == [("reports/tiny/report.html", False)]


def test_one_missing_file_is_named_once_with_what_was_made_from_it(copied):
    for path in (copied.root / EXAMPLES, sidecar_files.sidecar_path(copied.root / EXAMPLES)):
        path.unlink()

    found = [finding for finding in findings(copied) if finding.file == EXAMPLES]

    assert len(found) == 1
    assert re.match(r"is missing; \d+ files were created from it, such as data/tiny/", found[0].problem)


MSP = "data/tiny/scores/cnn.0/all_detectors/tested.zip#msp/digits_test"
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
    assert MSP.replace("#msp", "#pixel_mahalanobis") not in problems


def test_a_whole_chain_of_other_code_is_whole_and_its_report_is_built_again(own_code, capsys):
    """The code of the step that scores is behind the report, and not in it."""
    own_code.edit("src/touchstone/pipeline/steps/score.py", *RETURN)

    assert main(["audit", "tiny"]) == 0

    *notes, last = capsys.readouterr().out.splitlines()
    assert last.startswith("The chain is whole")
    assert re.fullmatch(
        r"data/tiny/\S+ and \d+ other files: built by other code: pipeline\.steps\.score\..*; that code .*",
        notes[0],
    )
    assert len(notes) == 1


def test_a_report_of_other_code_cannot_be_built_again_and_an_audit_says_so(own_code, capsys):
    own_code.edit("src/touchstone/report/page.py", *RETURN)

    assert main(["audit", "tiny"]) == chain.PARTLY

    said = capsys.readouterr().out
    assert "reports/tiny/report.html: was not rebuilt (it is missing, or named above)" in said
    assert "reports/tiny/report.html: built by other code: report.page." in said


def test_other_code_hides_no_flipped_bit(own_code, capsys):
    own_code.edit("src/touchstone/pipeline/steps/score.py", *RETURN)
    flip(own_code.root / EXAMPLES)

    assert main(["audit", "tiny", "--no-render"]) == 1

    assert f"{EXAMPLES}: its bytes have digest" in capsys.readouterr().out


def test_jobs_that_other_code_ran_are_not_rerun_and_an_audit_says_so(own_code, capsys):
    own_code.edit("src/touchstone/records/encoding.py", *RETURN)  # behind every file

    assert main(["audit", "tiny", "--no-render", "--recompute", "3", "--seed", "1"]) == chain.PARTLY

    assert "data/tiny: 0 of 3 jobs were rerun" in capsys.readouterr().out


def test_another_step_in_a_record_is_named(copied):
    path = sidecar_files.sidecar_path(copied.root / CHECKPOINT)
    content = json.loads(path.read_text()) | {"step": "infer"}
    path.write_text(digests.canonical(content) + "\n")
    linked_anew(copied.root)

    assert "was created by the step infer, not by train" in {finding.problem for finding in findings(copied)}


def test_in_a_clone_a_report_of_other_code_and_settings_is_named_in_notes(own_code, capsys):
    without_data(own_code)
    own_code.edit("src/touchstone/attacks/pgd.py", "steps: PositiveInt = 40", "steps: PositiveInt = 41")
    own_code.edit("workflow/studies/tiny.yaml", "pgd: {steps: 5, restarts: 1}", "pgd: {steps: 6, restarts: 1}")

    assert main(["audit", "tiny"]) == chain.PARTLY

    lines = capsys.readouterr().out.splitlines()
    report = "reports/tiny/report.html"
    assert lines[0].startswith("data/tiny: is not here")
    assert lines[1] == f"{report}: built under other settings, papers or claims than those here"
    assert lines[2] == f"{report}: built by other code: attacks.pgd.pgd; that code is in no commit here"
    assert lines[3:] == ["Nothing is wrong, but not everything was checked"]


def test_the_root_digest_is_checked(tiny):
    root = (tiny.root / "reports/tiny/ROOT").read_text().strip()
    behind = chain.reached(tiny.root, ["reports/tiny/report.html"]).values()
    (own,) = {record["cpu"] for record in behind if record["step"] == "train"}

    assert findings(tiny, expected_root=ExpectedRoot(root)) == []
    assert "--cpu" in findings(tiny, expected_root=ExpectedRoot("sha256:0"))[0].problem
    (wrong,) = findings(tiny, expected_root=ExpectedRoot("sha256:0", own))
    assert wrong.problem == f"has root digest {root}, and {root} with {own}, not sha256:0"


def test_a_root_of_another_processor_is_that_of_this_report_if_no_byte_differs(with_one_figure, monkeypatch, capsys):
    monkeypatch.chdir(with_one_figure.root)
    other = "aten=avx2 mkl=avx2 onednn=amx numpy=X86_V4 blas=SkylakeX"
    there = root_digest_on(Path("reports/tiny/report.html"), Path(), other)

    assert main(["audit", "tiny", "--root", there]) == 1
    assert f"not {there}; if the other report is of another kind of processor" in capsys.readouterr().out
    assert main(["audit", "tiny", "--root", there, "--cpu", other]) == 0
    assert f"and {there} with the processor that you gave: all files have the same bytes" in capsys.readouterr().out


def test_an_empty_study_is_no_whole_one(copied):
    shutil.rmtree(copied.root / "data")
    shutil.rmtree(copied.root / "reports")

    assert "nothing to audit" in findings(copied)[0].problem


def test_the_command_prints_json_and_ends_in_1_where_something_is_wrong(copied, monkeypatch, capsys):
    """Without the page built again, which takes seconds and prints nothing."""
    root = (copied.root / "reports/tiny/ROOT").read_text().strip()
    monkeypatch.chdir(copied.root)

    assert main(["audit", "tiny", "--root", root, "--json", "--no-render"]) == chain.PARTLY
    (unchecked,) = json.loads(capsys.readouterr().out)
    assert (unchecked["file"], unchecked["unchecked"]) == ("reports/tiny/report.html", True)

    flip(copied.root / EXAMPLES)
    assert main(["audit", "tiny", "--json", "--no-render"]) == 1
    listed = json.loads(capsys.readouterr().out)
    wrong = [finding["file"] for finding in listed if not finding["unchecked"]]
    assert EXAMPLES in wrong and len(wrong) == len(listed) - 1

    assert main(["audit", "tiny", "--no-render"]) == 1
    first, *others, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{EXAMPLES}: its bytes have digest")
    assert any(f" other files: was created from {EXAMPLES} when that had other bytes" in line for line in others)
    assert len(others) < len(wrong) / 3
    assert last == f"{len(wrong)} findings"


@pytest.fixture(autouse=True)
def fresh_code_cache():
    yield
    code._read.clear()


def test_one_file_is_audited_back_to_raw_data_and_nothing_else(copied, monkeypatch, capsys):
    flip(copied.root / EXAMPLES)
    monkeypatch.chdir(copied.root)

    assert audit.run_audit("data/tiny/checkpoints/cnn.0.safetensors") == 0
    assert audit.run_audit("data/tiny/scores/cnn.0/all_detectors/tested.zip#msp/digits_test") == 1
    assert EXAMPLES in capsys.readouterr().out


def test_an_audit_of_the_page_as_one_file_does_not_call_it_whole(tiny, monkeypatch, capsys):
    monkeypatch.chdir(tiny.root)

    assert audit.run_audit("reports/tiny/report.html") == chain.PARTLY
    assert "audit its study" in capsys.readouterr().out
