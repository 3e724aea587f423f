"""DVC carries a study: what a stage records is pushed, pulled into a clone, planned right there, compared, taken back."""

import json
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from command_server import dvc_server
from touchstone.commands import dvc
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.study import load

ROOT = Path(__file__).parents[2]
STAGE, FEW_STAGE = "workflow/dvc.yaml:tiny", "workflow/dvc.yaml:few"
STEPS = ("fab: {use: fab, steps: 2}", "fab: {use: fab, steps: 41}")
FEWER = ("part: test, limit: 60", "part: test, limit: 50")
FILE, TABLE = "workflow/studies/few.yaml", "data/few/metrics/sheet.csv"
RESAMPLES = ("resamples: 10", "resamples: 20")
REMEASURED = {"Measure margins of cnn.0 by fab: tested", "Evaluate margins", "Write the report"}
S3 = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}
QUIET = {
    "DVC_NO_ANALYTICS": "1",
    "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org",
    "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org",
}  # fmt: skip


@dataclass(frozen=True)
class Versioned:
    """A git repository with a study's DVC stage, and the commands that people type in it."""

    project: object

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


def versioned(finished, study, folder):
    """A copy of a project in which a study was run, its stage committed, its files pushed to a remote that is a folder."""
    made = Versioned(finished.copy(folder / "project"))
    (made.root / "dvc.yaml").unlink()  # the default study was not run here
    (made.root / ".venv").symlink_to(sys.prefix)
    with (made.root / ".gitignore").open("a") as ignored:
        ignored.write(f"/.venv\n!/reports/{study}/\n")
    dvc.write_stages(study, made.root)
    for line in ("git init -q .", f"dvc remote add -q -d folder {folder / 'remote'}", "dvc commit -q -f"):
        made.type(line)
    for line in ("git add -A", "git commit -q -m one", "dvc push -q"):
        made.type(line)
    return made


@pytest.fixture(scope="module")
def recorded(with_one_figure, tmp_path_factory):
    """The finished tiny study with one figure, recorded: hundreds of files, bundles, pictures and checkpoints."""
    return versioned(with_one_figure, "tiny", tmp_path_factory.mktemp("dvc"))


@pytest.fixture(scope="module")
def few_versioned(few, tmp_path_factory):
    """The finished study of four jobs, recorded."""
    return versioned(few, "few", tmp_path_factory.mktemp("few"))


@pytest.fixture
def own_few(few_versioned, tmp_path):
    """A copy of the project with the study of four jobs that a test may change."""
    return Versioned(few_versioned.project.copy(tmp_path / "own"))


def clone_of(origin, folder):
    """A fresh clone, in which nothing is pulled yet."""
    origin.type(f"git clone -q . {folder}")
    (folder / ".venv").symlink_to(sys.prefix)
    return Versioned(type(origin.project)(folder))


@pytest.fixture
def few_cloned(few_versioned, tmp_path):
    """A fresh clone of the study of four jobs with its files pulled."""
    fresh = clone_of(few_versioned, tmp_path / "clone")
    fresh.type("dvc pull -q")
    return fresh


def test_the_committed_stage_is_the_one_that_make_dvc_writes():
    written = yaml.safe_load((ROOT / "dvc.yaml").read_text())

    assert written == dvc.document([Plan(load("digits", ROOT))], set())


def test_a_second_study_leaves_shared_raw_data_to_the_first(copied):
    dvc.write_stages("tiny", copied.root)

    stages = yaml.safe_load((copied.root / "workflow/dvc.yaml").read_text())["stages"]

    assert list(stages) == ["tiny"]
    assert "data/raw/sklearn_digits/" in stages["tiny"]["deps"]


def test_papers_and_plugins_of_the_users_own_are_dependencies():
    study = replace(load("tiny", ROOT), folders=("./my_paper", "plugins/"))

    stages = dvc.document([Plan(study)], set())["stages"]

    assert {"./my_paper", "plugins/"} <= set(stages["tiny"]["deps"])


def test_overlays_are_dependencies_also_those_that_a_study_is_based_on(clone):
    studies = clone.root / "workflow/studies"
    (studies / "further.yaml").write_text("base: mine/base.yaml\n")
    (clone.root / "mine").mkdir()
    (clone.root / "mine/base.yaml").write_text("base: tiny\n")

    plans = [Plan(load(name, clone.root)) for name in ("digits", "further")]
    document = dvc.document(plans, set(), clone.root)

    params = {name: [file for entry in stage["params"] for file in entry] for name, stage in document["stages"].items()}
    assert params["digits"] == ["params.yaml", "workflow/studies/digits.yaml"]
    overlays = ["workflow/studies/tiny.yaml", "mine/base.yaml", "workflow/studies/further.yaml"]
    assert params["further"] == ["params.yaml", *overlays]


def test_every_output_stays_when_dvc_runs_a_stage(recorded):
    stages = yaml.safe_load((recorded.root / "workflow/dvc.yaml").read_text())["stages"]
    outs = {name: kept for stage in stages.values() for out in stage["outs"] for name, kept in out.items()}

    assert {"data/raw/sklearn_digits/", "data/tiny/", "reports/tiny/report.html", "reports/tiny/ROOT"} <= outs.keys()
    assert all(kept["persist"] for kept in outs.values())


def test_a_run_leaves_the_lock_alone_and_commit_records_it(recorded):
    assert "up to date" in recorded.type("dvc status")
    assert "didn't change, skipping" in recorded.type(f"dvc repro {STAGE}")
    assert recorded.type("git status --short") == ""


def test_repro_after_a_comment_calls_snakemake_which_runs_no_job(own_few):
    (own_few.root / "src/touchstone/data/digits.py").open("a").write("# a comment\n")

    said = own_few.type(f"dvc repro {FEW_STAGE}")

    assert "Nothing to be done" in said
    assert own_few.type("git status --short").split() == [
        "M",
        "src/touchstone/data/digits.py",
        "M",
        "workflow/dvc.lock",
    ]


def test_a_clone_with_pulled_files_has_nothing_to_do_and_one_setting_reruns_its_jobs(recorded, tmp_path):
    cloned = clone_of(recorded, tmp_path / "clone")
    cloned.type("dvc pull -q")
    assert "up to date" in cloned.type("dvc status")
    assert not cloned.project.planned()

    cloned.project.edit("workflow/studies/tiny.yaml", *STEPS)

    assert set(cloned.project.planned()) == REMEASURED


@pytest.fixture(scope="module")
def bucket():
    """A bucket on an S3-compatible server, and where the server listens."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    place = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in S3.items():
            patch.setenv(name, value)
        boto3.client("s3", endpoint_url=place).create_bucket(Bucket="touchstone")
        yield place
    server.stop()


def test_an_s3_compatible_server_carries_a_study_to_another_machine(few_versioned, bucket, tmp_path):
    for line in (
        "dvc remote add -q --local s3 s3://touchstone/data",
        f"dvc remote modify -q --local s3 endpointurl {bucket}",
        "dvc push -q -r s3",
    ):
        few_versioned.type(line)
    elsewhere = clone_of(few_versioned, tmp_path / "elsewhere")
    shutil.copy(few_versioned.root / ".dvc/config.local", elsewhere.root / ".dvc/config.local")

    elsewhere.type("dvc pull -q -r s3")

    assert not elsewhere.project.planned(study="few")


def test_a_pulled_file_that_does_not_match_its_sidecar_is_made_again(few_cloned):
    path = few_cloned.root / TABLE
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-1] + b"x")

    assert "Evaluate sheet" in few_cloned.project.planned(study="few")


def test_two_versions_are_compared_and_checked_out_both_ways(own_few):
    own_few.project.edit(FILE, *FEWER)
    own_few.type(f"dvc repro -q {FEW_STAGE}")
    changed = json.loads(own_few.type("dvc metrics diff --json"))["reports/few/metrics.json"]
    own_few.type("git commit -q -a -m two")

    assert changed
    assert all(name.startswith("sheet.") for name in changed)
    for version in ("HEAD~1", "-"):
        own_few.type(f"git checkout -q {version}")
        own_few.type("dvc checkout -q")
        assert "up to date" in own_few.type("dvc status")
        assert not own_few.project.planned(study="few"), version
    own_few.project.edit(FILE, *RESAMPLES)
    assert set(own_few.project.planned(study="few")) == {"Evaluate sheet", "Write the report"}


def test_a_stage_gives_the_bytes_and_the_root_of_a_plain_run(own_few):
    before = own_few.project.digests("data", "reports")
    (own_few.root / "reports/few/report.html").unlink()
    (own_few.root / TABLE).unlink()

    own_few.type(f"dvc repro -q {FEW_STAGE}")

    assert own_few.project.digests("data", "reports") == before
    assert own_few.type("git status --short") == ""


def test_metrics_plots_and_checkpoints_are_shown(recorded, tmp_path):
    metrics = json.loads(recorded.type("dvc metrics show --json"))
    recorded.type(f"dvc plots show -q -o {tmp_path / 'plots'}")
    recorded.type("git tag -a workflow=tiny-cnn-0@v1.0.0 -m first")
    recorded.type(f"dvc artifacts get -q . workflow:tiny-cnn-0 -o {tmp_path / 'cnn.safetensors'}")

    (found,) = metrics[""]["data"].values()
    assert found["data"]["robustness"]["cnn"]["digits_test"]["clean_accuracy"] > 0.5
    assert "robust_accuracy" in (tmp_path / "plots/index.html").read_text()
    pictures = {path.name.split("_figures_")[1] for path in (tmp_path / "plots/static").iterdir()}
    assert pictures == {f"{name}.svg" for name in load("tiny", recorded.root)["figures"]}
    checkpoint = recorded.root / "data/tiny/checkpoints/cnn.0.safetensors"
    assert (tmp_path / "cnn.safetensors").read_bytes() == checkpoint.read_bytes()
    artifacts = yaml.safe_load((recorded.root / "workflow/dvc.yaml").read_text())["artifacts"]
    assert artifacts["tiny-unet-0"]["desc"] == "unet, trained by translation on digits_train, seed 0"
    assert all(entry["desc"] and entry["type"] == "model" for entry in artifacts.values())


def test_an_experiment_changes_a_setting_by_name(own_few):
    own_few.type(f"dvc exp run -q -n more -S {FILE}:evaluations.sheet.resamples=20 {FEW_STAGE}")

    assert "more" in own_few.type("dvc exp list")
    shown = json.loads(own_few.type("dvc params diff --json"))[FILE]
    assert shown == {"evaluations.sheet.resamples": {"old": 10, "new": 20, "diff": 10}}
    assert not own_few.project.planned(study="few")


@pytest.mark.parametrize("kind", ["hardlink", "symlink"])
def test_a_cache_of_links_outlives_what_snakemake_deletes(few_cloned, kind):
    few_cloned.type(f"dvc config cache.type {kind}")
    few_cloned.type("dvc checkout -q --relink")
    assert not few_cloned.project.planned(study="few")
    table = few_cloned.root / TABLE
    before = table.read_bytes()

    few_cloned.project.snakemake("--cores", "2", "--force", TABLE, study="few")

    assert table.read_bytes() == before
    shutil.rmtree(table.parent)
    few_cloned.type("dvc checkout -q")
    assert table.read_bytes() == before


@pytest.mark.parametrize(("made", "missing"), [("other", "DVC repository"), (".dvc", "not a git repository")])
def test_a_check_outside_a_repository_is_refused(tmp_path, made, missing):
    (tmp_path / made).mkdir()
    (tmp_path / made / "config").touch()

    with pytest.raises(ValueError, match=rf"dvc --check: .*{missing}.*; run it in a git clone of touchstone"):
        dvc.stale(tmp_path)


def test_an_overlay_outside_the_repositorys_studies_is_refused(copied):
    with pytest.raises(ValueError, match="only a study in workflow/studies/ can be versioned"):
        dvc.write_stages("elsewhere.yaml", copied.root)
