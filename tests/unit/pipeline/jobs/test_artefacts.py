"""What a job reads is checked against its record, and what it makes lies in its folder under its name."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from run_tasks import artefacts, path, put, read, run_tasks
from small_nouns import examples
from touchstone.pipeline.jobs import adapters
from touchstone.pipeline.jobs.job_plan import JobError
from touchstone.pipeline.planning.parts import Task
from touchstone.provenance import job_folders, sidecar_files, whole_files

MADE, READ = path("examples/a", "prepare/made"), path("outputs/a", "measure/cnn.0")
FIRST, SECOND = Task("make", {}, MADE, {}), Task("look", {"examples": MADE}, READ, {})
FOLDER = Path(MADE).parents[1]
ADVICE = r"\. Delete results/made/prepare/made and run the command again\.$"


@pytest.fixture(autouse=True)
def steps(tmp_path, monkeypatch):
    """A step that makes a set, and one that reads it, in a working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(adapters, "run_make", lambda job: job.write(examples()), raising=False)
    monkeypatch.setattr(adapters, "run_look", lambda job: job.write(job.noun("examples", "ExampleSet")), raising=False)


def in_results():
    return Path(MADE)


def in_the_store():
    (result,) = (file for file in Path("data/made/prepare").iterdir() if file.suffix != ".json")
    return result


@pytest.mark.parametrize("place", [in_results, in_the_store])
@pytest.mark.parametrize("quietly", [False, True], ids=["written into", "rotten"])
def test_a_changed_byte_is_noticed_when_it_is_read_and_what_the_message_says_mends_it(place, quietly):
    """One file has both names. A disk that loses a bit changes no time."""
    run_tasks(FIRST)
    seen, data = place().stat(), bytearray(place().read_bytes())
    data[-1] ^= 1
    place().write_bytes(data)
    os.utime(place(), ns=(seen.st_atime_ns, seen.st_mtime_ns if quietly else 2**61))

    with pytest.raises(
        JobError, match="results/made/prepare/made/examples/a.safetensors: its bytes do not match its record.*" + ADVICE
    ) as error:
        run_tasks(SECOND)
    assert "\n" not in str(error.value)
    assert not Path(READ).exists() and not Path("data/made/measure").exists()

    assert run_tasks(FIRST) == 1
    assert run_tasks(SECOND) == 1
    assert np.array_equal(read(READ, "ExampleSet").images, examples().images)


def test_a_changed_byte_of_what_the_store_has_is_noticed_in_the_job_that_takes_it():
    run_tasks(FIRST)
    seen, data = in_the_store().stat(), bytearray(in_the_store().read_bytes())
    data[-1] ^= 1
    in_the_store().write_bytes(data)
    os.utime(in_the_store(), ns=(seen.st_atime_ns, seen.st_mtime_ns))
    both = (FIRST, Task("look", {"examples": MADE}, path("examples/b", "prepare/made"), {}))

    with pytest.raises(JobError, match="its bytes do not match its record"):
        run_tasks(*both)
    assert run_tasks(*both) == 2


def lose_sidecar():
    (FOLDER / job_folders.SIDECAR).unlink()


def lose_record():
    sidecar_files.write_job_sidecar(FOLDER, {})


def break_sidecar():
    (FOLDER / job_folders.SIDECAR).write_text("{")


def lose_folder():
    FOLDER.rename("elsewhere")


@pytest.mark.parametrize(
    ("lose", "told"),
    [
        (lose_sidecar, r"^results/made/prepare/made/sidecar\.json: missing, so \S+/a\.safetensors cannot be verified"),
        (lose_record, r"sidecar\.json: has no record of examples/a\.safetensors"),
        (break_sidecar, r"sidecar\.json: invalid JSON: .*"),
        (lose_folder, r"sidecar\.json: missing, so \S+ cannot be verified"),
        (lambda: Path(MADE).unlink(), r"^the input results/made/prepare/made/examples/a\.safetensors is missing"),
    ],
    ids=["no sidecar", "no record", "broken sidecar", "no folder", "no file"],
)
def test_an_input_without_its_bytes_or_its_record_is_named_with_what_to_do(lose, told):
    run_tasks(FIRST)
    lose()

    with pytest.raises(JobError, match=told + ADVICE):
        run_tasks(SECOND)


def test_an_input_that_lies_beside_its_record_is_named_itself():
    put("images", examples())
    Path("images.prov.json").unlink()

    with pytest.raises(
        JobError, match=r"^images\.prov\.json: missing, so images cannot be verified\. Delete images and"
    ):
        run_tasks(Task("look", {"examples": "images"}, READ, {}))


def test_a_jobs_folder_holds_links_to_the_store_and_takes_no_more_room():
    run_tasks(FIRST)

    assert Path(MADE).samefile(in_the_store())
    assert in_the_store().stat().st_nlink == 2


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP])
def test_a_jobs_folder_holds_copies_where_there_can_be_no_link(monkeypatch, code):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(whole_files.os, "link", refuse)
    run_tasks(FIRST)

    assert not Path(MADE).samefile(in_the_store())
    assert Path(MADE).read_bytes() == in_the_store().read_bytes()
    assert sorted(file.name for file in FOLDER.rglob("*") if file.is_file()) == ["a.safetensors", "sidecar.json"]
    assert run_tasks(SECOND) == 1


@pytest.mark.parametrize("study", ["made", "another"])
def test_a_rotten_result_is_noticed_where_it_is_copied_and_what_the_message_says_mends_it(monkeypatch, study):
    """Of this study, or of another one whose results it takes."""

    def refuse(*_):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(whole_files.os, "link", refuse)
    run_tasks(FIRST)
    seen, data = in_the_store().stat(), bytearray(in_the_store().read_bytes())
    data[-1] ^= 1
    in_the_store().write_bytes(data)
    os.utime(in_the_store(), ns=(seen.st_atime_ns, seen.st_mtime_ns))
    shutil.rmtree(FOLDER)
    if study == "made":
        with pytest.raises(JobError, match="its bytes do not match its record.*" + ADVICE):
            run_tasks(FIRST)
    else:
        Path("data/made").rename("data/another")

    assert run_tasks(FIRST) == 1
    assert run_tasks(SECOND) == 1


def test_what_lay_in_the_folder_before_is_replaced_and_not_written_into():
    Path(MADE).parent.mkdir(parents=True)
    Path("mine").write_bytes(b"a file with another name, too")
    os.link("mine", MADE)

    run_tasks(FIRST)

    assert Path("mine").read_bytes() == b"a file with another name, too"
    assert Path(MADE).samefile(in_the_store())


def test_a_folder_of_raw_files_counts_by_its_name_too():
    """It is the source that example sets name."""
    keys = set()
    for name in ("one", "other"):
        folder = Path("data/raw", name)
        folder.mkdir(parents=True)
        (folder / "file").write_text("the same")
        sidecar_files.write_sidecar(folder, sidecar_files.artefact_digest(folder), {"inputs": {}})
        task = Task("make", {"folder": str(folder)}, MADE, {})
        keys.add(artefacts(task).key(task))

    assert len(keys) == 2
