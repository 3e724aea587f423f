"""DVC carries a study: what its stages record is pushed, pulled into a clone, found there by every job, and compared."""

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from command_server import dvc_server
from projects import Project, write_study
from touchstone.pipeline.planning.parts import RULES
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance.job_folders import name_of
from touchstone.settings.study import load

ROOT = Path(__file__).parents[2]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PAPERS = "src/touchstone/papers"
S3 = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}
QUIET = {
    "DVC_NO_ANALYTICS": "1",
    "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org",
    "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org",
}  # fmt: skip


def outs_of(stage):
    return [name.replace("${name}", "digits") for out in (*stage["outs"], *stage.get("metrics", [])) for name in out]


def omitted(stage):
    return stage["cmd"].partition("--omit-from ")[2].split()


# --- dvc.yaml ---


def test_the_stages_are_the_steps_that_people_name():
    assert list(STAGES) == ["data", "train", "attack", "detect", "report"]


def test_each_source_and_the_folder_of_each_rule_belong_to_one_stage():
    owned = Counter(out for stage in STAGES.values() for out in outs_of(stage))

    raw = {file for folder in Plan(load("digits", ROOT)).layout.raw_folders for file in (folder, f"{folder}.prov.json")}
    assert set(owned.values()) == {1}
    assert {out for out in owned if out.startswith("data/raw/")} == raw
    assert {out for out in owned if out.startswith("data/digits/")} == {f"data/digits/{rule}" for rule in RULES[1:-1]}


def test_a_stage_runs_every_job_that_fills_its_folders_and_none_of_a_later_stage():
    jobs = {str(job): job for job in Plan(load("digits", ROOT)).jobs.values()}
    filled = {"fetch"}
    for name, stage in STAGES.items():
        left_out = {one for one, job in jobs.items() if job.rule in omitted(stage)}
        while behind := {one for one, job in jobs.items() if left_out & set(job.inputs)} - left_out:
            left_out |= behind
        filled |= {Path(out).name for out in outs_of(stage) if out.startswith("data/digits/")}
        filled |= {"report"} if name == "report" else set()

        assert {job.rule for one, job in jobs.items() if one not in left_out} == filled, name
        assert {job.rule for one, job in jobs.items() if one in left_out} == set(RULES) - filled, name


def test_a_stage_depends_on_code_settings_and_the_results_of_every_stage_before_it():
    before = []
    for stage in STAGES.values():
        needed = ["params.yaml", "requirements.lock", "src/touchstone", "workflow", *before]
        assert [name.replace("${name}", "digits") for name in stage["deps"]] == needed
        before += [out for out in outs_of(stage) if out.startswith("data/digits/")]


def test_dvc_carries_the_record_of_the_report_and_git_the_rest():
    outs = {name: how for out in STAGES["report"]["outs"] for name, how in out.items() if name.startswith("reports/")}
    git = ["git", "-C", str(ROOT), "check-ignore", "--no-index", "-q"]

    for name, how in outs.items():
        ignored = subprocess.run([*git, name.replace("${name}", "digits")], check=False).returncode == 0
        assert ignored is name.endswith("report.html.prov.json") is how.get("cache", True), name


def test_every_output_stays_when_dvc_runs_its_stage():
    kept = [
        how for stage in STAGES.values() for out in (*stage["outs"], *stage.get("metrics", [])) for how in out.values()
    ]

    assert all(how["persist"] for how in kept)


def test_the_named_settings_are_in_params_yaml():
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())
    for name in (name for stage in STAGES.values() for name in stage.get("params", [])):
        section, _, entry = name.partition(".")
        assert entry in ("", *settings[section]), name


def test_every_file_of_settings_is_compared():
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / PAPERS).glob("*/experiment.yaml")}

    compared = yaml.safe_load((ROOT / "dvc.yaml").read_text())["params"]
    assert {*compared} == {"workflow/studies/${name}.yaml", f"{PAPERS}/common.yaml", *files}


def test_a_committed_lock_is_that_of_these_stages():
    lock = ROOT / "dvc.lock"
    recorded = yaml.safe_load(lock.read_text())["stages"] if lock.is_file() else {}

    for name, stage in recorded.items():
        assert stage["cmd"] == STAGES[name]["cmd"].replace("${name}", "digits")
        assert {out["path"] for out in stage["outs"]} == set(outs_of(STAGES[name]))


@pytest.mark.parametrize("study", ["digits", "fashion_mnist"])
def test_the_plot_reads_columns_that_a_table_of_claims_has(study):
    head = (ROOT / "reports" / study / "claims.csv").read_text().partition("\n")[0].split(",")

    asked = set(re.findall(r"datum\.(\w+)", (ROOT / ".dvc/plots/claims.json").read_text())) - {"number"}
    assert asked == {"measured", "kind", "low", "high"}
    assert asked < set(head)


def test_git_carries_the_page_that_says_what_lies_in_data():
    page = (ROOT / "data/README.md").read_text()

    assert "`raw/SOURCE/`" in page
    assert "`STUDY/RULE/KEY`" in page


# --- a study that DVC carries ---


@dataclass(frozen=True)
class Versioned:
    """A git repository with the stages of tiny, and the commands that people type in it."""

    project: Project

    @property
    def root(self) -> Path:
        return self.project.root

    def type(self, line: str, check: bool = True) -> str:
        quiet, words = replace(self.project, environment=QUIET), line.split(" ")
        if words[0] == "dvc":
            done = quiet.forked(["-m", *words], check=False, server=dvc_server())
        else:
            done = quiet.run(words, check=False)
        assert not check or done.returncode == 0, f"{line}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout + done.stderr

    def runs(self) -> int:
        """Run the study; return how many tasks were computed, without the page."""
        shutil.rmtree(self.root / "logs/tiny", ignore_errors=True)
        self.project.snakemake("--cores", "2")
        logs = [path for path in (self.root / "logs/tiny").rglob("*.log") if path.name != "report.log"]
        return sum(int(re.search(r": (\d+) computed", path.read_text())[1]) for path in logs)

    def stored(self) -> set[str]:
        """The names of the results in the store."""
        return {path.relative_to(self.root).as_posix() for path in (self.root / "data/tiny").rglob("*.json")}

    def clone(self, folder: Path) -> "Versioned":
        """A fresh clone, in which nothing is pulled yet."""
        self.type(f"git clone -q . {folder}")
        (folder / ".venv").symlink_to(sys.prefix)
        return Versioned(Project(folder))


def of_tiny(stages: str) -> str:
    """Return the text of dvc.yaml for tiny, as its head says: with another name, and without the sources of digits alone."""
    other = {
        f"data/raw/{name}" for name in load("digits", ROOT)["sources"].keys() - load("tiny", ROOT)["sources"].keys()
    }
    lines = [line for line in stages.splitlines() if not any(source in line for source in other)]
    return "\n".join(lines).replace("- name: digits", "- name: tiny") + "\n"


@pytest.fixture(scope="module")
def recorded(ran_with_one_figure, tmp_path_factory):
    """The finished tiny study with one figure, recorded, and pushed to a remote that is a folder."""
    folder = tmp_path_factory.mktemp("dvc")
    made = Versioned(ran_with_one_figure.copy(folder / "project"))
    (made.root / ".venv").symlink_to(sys.prefix)
    (made.root / "dvc.lock").unlink(missing_ok=True)
    (made.root / "dvc.yaml").write_text(of_tiny((ROOT / "dvc.yaml").read_text()))
    with (made.root / ".gitignore").open("a") as ignored:
        ignored.write("/.venv\n!/reports/tiny/\n")
    for line in ("git init -q .", f"dvc remote add -q -d folder {folder / 'remote'}", "dvc commit -q -f"):
        made.type(line)
    for line in ("git add -A", "git commit -q -m one", "dvc push -q"):
        made.type(line)
    return made


@pytest.fixture
def own(recorded, tmp_path):
    """A copy of the recorded study that a test may change."""
    return Versioned(recorded.project.copy(tmp_path / "own"))


def test_what_was_recorded_is_up_to_date_and_no_stage_runs(recorded):
    assert "up to date" in recorded.type("dvc status")
    assert recorded.type("dvc repro").count("didn't change, skipping") == len(STAGES)
    assert recorded.type("git status --short") == ""


def test_a_clone_with_pulled_files_computes_nothing_and_after_one_eps_exactly_its_tasks(recorded, tmp_path):
    cloned = recorded.clone(tmp_path / "clone")
    cloned.type("dvc pull -q")
    root = (cloned.root / "reports/tiny/ROOT").read_text()

    assert cloned.runs() == 0
    assert (cloned.root / "reports/tiny/ROOT").read_text() == root
    assert "up to date" in cloned.type("dvc status")

    shutil.rmtree(cloned.root / "results")  # as in a fresh clone
    before = Plan(load("tiny", cloned.root)).tasks
    stored = cloned.stored()
    write_study(cloned.root, "tiny", change={"attacks": {"fgsm_02": {"eps": 0.03}}})
    after = Plan(load("tiny", cloned.root)).tasks

    assert cloned.runs() == len(behind(before, after)) > 1
    records = [json.loads((cloned.root / path).read_text()) for path in cloned.stored() - stored]
    assert {record["name"] for record in records} == behind(before, after)
    shown = json.loads(cloned.type("dvc params diff --json"))
    assert {file: [*names] for file, names in shown.items()} == {
        "workflow/studies/tiny.yaml": ["change.attacks.fgsm_02.eps"]
    }


def behind(before, after):
    """The names of the tasks with other settings or inputs, and of those that read what they make; without the page."""
    changed = {path for path, task in after.items() if path not in before or before[path] != task}
    while more := {path for path, task in after.items() if changed & set(task.input_files)} - changed:
        changed |= more
    return {name_of(path) for path in changed if after[path].step != "report"}


def test_repro_after_a_comment_computes_nothing_and_records_the_code(own):
    (own.root / "src/touchstone/data/digits.py").open("a").write("# a comment\n")

    said = own.type("dvc repro train")  # each stage is a process of Snakemake; two say what five would

    assert said.count("Nothing to be done") == 2
    assert own.type("git status --short").split() == ["M", "dvc.lock", "M", "src/touchstone/data/digits.py"]


def test_a_changed_setting_is_named(own):
    own.project.edit(f"{PAPERS}/common.yaml", "pgd: {use: pgd, eps: 0.1,", "pgd: {use: pgd, eps: 0.11,")
    own.project.edit("params.yaml", "epochs: 20", "epochs: 21")

    shown = json.loads(own.type("dvc params diff --json"))

    assert {file: [*names] for file, names in shown.items()} == {
        "params.yaml": ["scale.epochs"],
        f"{PAPERS}/common.yaml": ["attacks.pgd.eps"],
    }
    assert re.search(r"train:\n(.*\n)*.*modified: +scale\n", own.type("dvc status"))


def test_metrics_are_the_judged_numbers_and_plots_the_claims_and_figures(recorded, tmp_path):
    (found,) = json.loads(recorded.type("dvc metrics show --json"))[""]["data"].values()
    recorded.type(f"dvc plots show -q -o {tmp_path / 'plots'}", check=False)  # this study has one figure

    assert found["data"] == json.loads((recorded.root / "reports/tiny/metrics.json").read_text())
    assert 5 < len(found["data"]) < 100
    assert "datum.measured" in (tmp_path / "plots/index.html").read_text()
    assert any(path.name.endswith("figures_roc.svg") for path in (tmp_path / "plots/static").iterdir())


def test_an_s3_compatible_server_carries_a_study_to_another_machine(own, tmp_path, monkeypatch):
    for name, value in S3.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket="touchstone")
        for line in (
            "dvc remote add -q --local s3 s3://touchstone/data",
            f"dvc remote modify -q --local s3 endpointurl http://{host}:{port}",
            "dvc push -q -r s3 train",
        ):
            own.type(line)
        elsewhere = own.clone(tmp_path / "elsewhere")
        shutil.copy(own.root / ".dvc/config.local", elsewhere.root / ".dvc/config.local")

        elsewhere.type("dvc pull -q -r s3 train")
    finally:
        server.stop()

    carried = own.project.digests("data/tiny/train")
    assert carried and elsewhere.project.digests("data/tiny/train") == carried
