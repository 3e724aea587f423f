"""What a task's code starts from is there, and the installed packages count."""

import os
from pathlib import Path

import pytest

from touchstone.commands import job
from touchstone.pipeline.planning.parts import STEPS
from touchstone.provenance import code, definitions, plugin_data

ROOT = Path(__file__).parents[3]
LOCK = "annotated-types==0.1\nnumpy==2.0 \\\n    --hash=sha256:00\ntorch==9.9 \\\n    --hash=sha256:01\n"


@pytest.mark.parametrize("step", STEPS)
def test_the_code_of_every_step_starts_from_what_every_job_runs_and_from_its_own_adapter(step):
    found = code.code_of(step, {}).definitions

    assert {"pipeline.jobs.run.run", "pipeline.jobs.environment.prepare_process"} <= found.keys()
    assert any(name.endswith(f".run_{step}") for name in found)
    assert any(name.startswith((f"pipeline.steps.{step}.", "pipeline.steps.")) for name in found)


def test_the_command_of_a_job_computes_by_the_one_definition_that_its_digest_starts_from():
    module = definitions.parse(Path(job.__file__).read_bytes())
    body = module.definitions["_run"]
    imports = module.imports | body.imports
    called = {".".join([*imports[first][0], *others]) for first, *others in body.names if first in imports}

    computing = {
        name
        for name in called
        if name.startswith(("touchstone.pipeline.jobs.run.", "touchstone.pipeline.jobs.environment."))
    }

    assert computing == {".".join(code.EVERY_JOB)}


FILES = {
    "__init__.py": "",
    "__main__.py": "def main():\n    return 1\n",
    "commands/job.py": "from touchstone import plan\n\n\ndef main():\n    import touchstone.late\n\n    return plan.f()\n",
    "plan.py": "import torch\n\nK = 1\ntorch.x = 1\n\n\ndef f():\n    return K\n",
    "late.py": "import torch\n\ntorch.y = 1\n",
    "pipeline/jobs/run.py": "def run_in_own_process():\n    return 1\n",
}


@pytest.mark.parametrize(
    ("file", "old", "new", "counts"),
    [
        ("plan.py", "torch.x = 1", "torch.x = 2", True),
        ("late.py", "torch.y = 1", "torch.y = 2", True),
        ("commands/job.py", "    import touchstone.late\n\n", "", True),
        (
            "commands/job.py",
            "from touchstone import plan\n",
            "import os\n\nfrom touchstone import plan\n\nos.umask(0)\n",
            True,
        ),
        ("plan.py", "K = 1", "K = 2", False),
        ("plan.py", "return K", "return K + 1", False),
    ],
)
def test_what_plans_a_job_in_its_process_counts_only_by_the_effects_of_its_import(
    tmp_path, monkeypatch, file, old, new, counts
):
    monkeypatch.setattr(code, "PACKAGE", tmp_path)
    monkeypatch.setattr(code, "_read", [])
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    before, download = code.code_of("train", {}), code.code_of("fetch", {"sha256": "sha256:00"})

    (tmp_path / file).write_text(FILES[file].replace(old, new))
    os.utime(tmp_path / file, ns=(1, 1))

    after = code.code_of("train", {})
    assert code.code_of("fetch", {"sha256": "sha256:00"}) == download
    assert (after.digest != before.digest) == counts
    assert (after.differences(before.definitions, before.packages) != []) == counts


def test_what_was_reached_is_kept_for_the_next_command_until_a_file_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "package")
    monkeypatch.setattr(code, "REACHED", tmp_path / "reached.json")
    monkeypatch.setattr(code.parsed_files, "_trusted", True)  # a command of another test may judge somebody's files
    for name, text in FILES.items():
        (tmp_path / "package" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "package" / name).write_text(text)

    def in_the_next_command():
        monkeypatch.setattr(code, "_read", [])
        return code.code_of("train", {})

    first = in_the_next_command()
    code.save()
    with monkeypatch.context() as patch:
        patch.setattr(code.Program, "reach", lambda *_: pytest.fail("it was kept"))
        assert in_the_next_command() == first
    assert code.code_of("train", {}) == first
    run = tmp_path / "package/pipeline/jobs/run.py"
    run.write_text(FILES["pipeline/jobs/run.py"].replace("1", "2"))
    os.utime(run, ns=(1, 1))

    assert code.code_of("train", {}).digest != first.digest, "also in the command that took what was kept"
    assert in_the_next_command().digest != first.digest


def test_a_component_brings_its_fit_and_what_it_names():
    found = code.code_of("fit", {"component": {"use": "detectors/mahalanobis"}}).definitions

    assert {"detectors.mahalanobis.mahalanobis", "detectors.mahalanobis.fit"} <= found.keys()


def test_a_download_that_is_pinned_depends_on_no_code():
    assert code.code_of("fetch", {"sha256": "sha256:00"}).definitions == {}
    assert code.code_of("fetch", {"sha256": None}).definitions != {}


def test_another_version_of_a_package_is_other_code(monkeypatch):
    code._installed.cache_clear()
    before = code.code_of("train", {})
    monkeypatch.setattr(code, "version", lambda name: "9.9")
    code._installed.cache_clear()
    after = code.code_of("train", {})
    code._installed.cache_clear()

    assert before.packages.keys() == after.packages.keys() >= {"torch", "numpy"}
    assert before.digest != after.digest
    assert f"torch {before.packages['torch']}" in after.differences(before.definitions, before.packages)


def test_in_another_environment_the_versions_are_those_of_its_lock(tmp_path):
    (tmp_path / "requirements.lock").write_text(LOCK)

    packages = code.code_of("train", {}, tmp_path / "requirements.lock").packages

    assert packages["annotated_types"] == "0.1"
    assert (packages["torch"], packages["numpy"], packages["safetensors"]) == ("9.9", "2.0", code.MISSING)


def test_a_study_with_a_plugin_that_hides_what_it_runs_is_refused_before_any_job(tmp_path):
    from projects import study_text
    from touchstone import plugins
    from touchstone.settings.files import ParamsError
    from touchstone.settings.study import load

    (tmp_path / "mine/detectors").mkdir(parents=True)
    (tmp_path / "mine/detectors/sly.py").write_text(
        "from torch import Tensor\n\n\ndef sly(logits: Tensor) -> Tensor:\n    return eval('-logits.amax(1)')\n"
    )
    change = {"detectors": {"sly": {"use": "sly"}}, "evaluations": {"effort": {"detectors": ["msp", "sly"]}}}
    text = study_text(plugins=[f"{tmp_path}/mine"], change=change)
    (tmp_path / "own.yaml").write_text(text)
    try:
        with pytest.raises(ParamsError, match=r"plugins: detectors/sly\.py: line 5: eval hides what runs"):
            load(str(tmp_path / "own.yaml"), ROOT)
    finally:
        plugins.use([])


def test_a_plugin_that_hides_what_it_runs_is_refused_with_its_line(tmp_path):
    from touchstone import plugins

    (tmp_path / "detectors").mkdir()
    (tmp_path / "detectors/sly.py").write_text(
        "import importlib\n\n\ndef sly(logits):\n    return importlib.import_module('os').getpid() + logits\n"
    )
    plugins.use([tmp_path])
    try:
        with pytest.raises(ValueError, match=r"detectors/sly\.py: line 5: import_module hides what runs"):
            code.code_of("score", {"component": {"use": "detectors/sly"}})
    finally:
        plugins.use([])


PLUGIN = """from pathlib import Path

from touchstone.lib.sub import table


def own(logits):
    return (Path(__file__).parent / "table.csv").read_text(), table.rows(logits)
"""


@pytest.mark.parametrize("edited", ["detectors/table.csv", "lib/sub/table.py"])
def test_an_edited_file_of_a_plugin_is_other_code_also_after_what_was_reached_was_kept(tmp_path, monkeypatch, edited):
    from touchstone import plugins

    monkeypatch.setattr(code, "REACHED", tmp_path / "reached.json")
    monkeypatch.setattr(code.parsed_files, "_trusted", True)
    folder = tmp_path / "mine"
    for name, text in {"detectors/own.py": PLUGIN, "detectors/table.csv": "1", "lib/sub/table.py": PLUS_ONE}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    def in_the_next_command():
        monkeypatch.setattr(code, "_read", [])
        return code.code_of("score", {"component": {"use": "detectors/own"}})

    plugins.use([folder])
    try:
        first = in_the_next_command()
        assert {"table.csv", "lib.sub.table.rows"} <= first.definitions.keys()
        code.save()
        (folder / edited).write_text((folder / edited).read_text().replace("1", "22"))

        assert in_the_next_command().digest != first.digest
    finally:
        plugins.use([])


READING = {  # how a detector names a file, and where that lies
    'Path(__file__).parent.parent / "shared" / "lut.csv"': "shared/lut.csv",
    '(Path(__file__).parent / "../shared/lut.csv")': "shared/lut.csv",
    'Path(__file__).with_suffix(".csv")': "detectors/own.csv",
    'Path(__file__).parents[1] / "script.py"': "script.py",
    'Path(__file__).with_name("LUT")': "detectors/LUT",
    'Path(__file__).with_name("lut v2.csv")': "detectors/lut v2.csv",
}
ANY = next(iter(READING))


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    """A folder of plug-ins with a detector and data, and a function that returns its code as the next command sees it."""
    from touchstone import plugins

    monkeypatch.setattr(code, "REACHED", tmp_path / "reached.json")
    monkeypatch.setattr(code.parsed_files, "_trusted", True)
    folder = tmp_path / "mine"
    for name in READING.values():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("1")

    def write(reading):
        (folder / "detectors/own.py").write_text(
            f"from pathlib import Path\n\n\ndef own(logits):\n    return logits, {reading}\n"
        )
        plugins.use([folder])

    def in_the_next_command():
        code.save()
        monkeypatch.setattr(code, "_read", [])
        return code.code_of("score", {"component": {"use": "detectors/own"}}).digest

    yield folder, write, in_the_next_command

    plugins.use([])


@pytest.mark.parametrize(("reading", "file"), READING.items())
def test_every_file_counts_in_a_folder_of_plug_ins_whose_code_knows_where_it_lies(plugged, reading, file):
    folder, write, in_the_next_command = plugged
    write(reading)
    first = in_the_next_command()
    assert in_the_next_command() == first

    (folder / file).write_text("2")

    changed = in_the_next_command()
    assert changed != first
    (folder / file).rename(folder / "shared/other")
    assert in_the_next_command() not in (first, changed)


def test_a_file_that_is_added_beside_a_plug_in_counts_unless_nobody_sees_it(plugged):
    folder, write, in_the_next_command = plugged
    write(ANY)
    first = in_the_next_command()

    (folder / "detectors/__pycache__").mkdir()
    (folder / "detectors/__pycache__/own.cpython-314.pyc").write_bytes(b"1")
    (folder / ".own.swp").write_text("1")
    assert in_the_next_command() == first

    (folder / "shared/more.csv").write_text("1")
    assert in_the_next_command() != first


def test_a_plug_in_that_does_not_ask_where_it_lies_counts_without_other_files(plugged):
    folder, write, in_the_next_command = plugged
    write("1")
    first = in_the_next_command()

    (folder / "shared/lut.csv").write_text("2")

    assert in_the_next_command() == first


def test_a_folder_of_plug_ins_that_holds_more_than_these_is_refused_if_its_code_asks_where_it_lies(
    plugged, monkeypatch
):
    folder, write, in_the_next_command = plugged
    write(ANY)
    monkeypatch.setattr(plugin_data, "MOST_FILES", 3)
    with pytest.raises(
        ValueError, match=r"own\.py: names __file__, .* holds more than 3 files and folders; put the plug-ins"
    ):
        in_the_next_command()

    monkeypatch.chdir(folder / "shared")
    with pytest.raises(ValueError, match=r"own\.py: names __file__, .* holds the project; put the plug-ins"):
        in_the_next_command()


def test_an_edit_whose_time_was_set_back_is_noticed(plugged):
    folder, write, in_the_next_command = plugged
    write("1")
    first, file = in_the_next_command(), folder / "detectors/own.py"
    assert in_the_next_command() == first
    seen = file.stat()
    file.write_text(file.read_text().replace("1", "2"))
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))

    assert in_the_next_command() != first


PLUS_ONE = "def rows(logits):\n    return logits + 1\n"


def test_a_module_that_no_package_has_installed_is_refused(tmp_path, monkeypatch):
    from touchstone import plugins

    (tmp_path / "mine/detectors").mkdir(parents=True)
    (tmp_path / "mine/detectors/sly.py").write_text(
        "import my_helpers\n\n\ndef sly(x):\n    return my_helpers.score(x)\n"
    )
    (tmp_path / "my_helpers.py").write_text("def score(x):\n    return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins.use([tmp_path / "mine"])
    try:
        with pytest.raises(ValueError, match=r"my_helpers: no package has installed .*import touchstone\.my_helpers"):
            code.code_of("score", {"component": {"use": "detectors/sly"}})
    finally:
        plugins.use([])
