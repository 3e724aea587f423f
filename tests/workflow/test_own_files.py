"""A study of pictures of one's own: what is edited, put back or gone is seen, and no picture is ever lost."""

import shutil

import numpy as np
import pytest
from PIL import Image

from sheet_study import PETS

TABLE = "results/pets/evaluate/shared/metrics/sheet.csv"


def draw(clone, name, grey, folder="pets"):
    """Draw a picture of one grey."""
    picture = clone.root / f"{folder}/{name}.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8), grey, np.uint8)).save(picture)


def run(clone, check=True):
    """Run the study; return what was said, and the table of the set."""
    done = clone.forked_touchstone("run", "pets.yaml", "--cores", "1", check=check)
    return done.stdout + done.stderr, (clone.root / TABLE).read_text()


def put_back(clone, *names):
    """Put back what was kept in the folder `kept`, with its times, as a backup does."""
    for name in names:
        shutil.rmtree(clone.root / name)
        shutil.copytree(clone.root / "kept" / name, clone.root / name)


@pytest.fixture
def pets(clone):
    """A clone with a finished study of four pictures; what it made is also in `kept`."""
    (clone.root / "pets.yaml").write_text(PETS)
    for grey, name in enumerate(("cat/1", "cat/2", "dog/1", "dog/2")):
        draw(clone, name, 9 * grey)
    run(clone)
    for name in ("results", "data/raw"):
        shutil.copytree(clone.root / name, clone.root / "kept" / name)
    return clone


def test_a_picture_that_the_user_adds_or_edits_is_fetched_and_measured_and_then_nothing_is_left_to_do(pets):
    first = (pets.root / TABLE).read_text()
    draw(pets, "dog/3", 200)
    text, added = run(pets)
    assert "jobs in" in text and added != first
    assert "Nothing to do" in run(pets)[0]

    draw(pets, "dog/3", 100)
    text, edited = run(pets)
    assert "jobs in" in text and edited not in (first, added)
    assert "Nothing to do" in run(pets)[0]


def test_results_or_raw_files_of_an_earlier_run_that_are_put_back_are_no_answer_of_today(pets):
    study = pets.root / "pets.yaml"
    study.write_text(PETS.replace("resamples: 10", "resamples: 20"))
    _, today = run(pets)

    for folder in (".snakemake/metadata", ".touchstone"):
        put_back(pets, "results")
        shutil.rmtree(pets.root / folder)
        assert run(pets)[1] == today
        assert "Nothing to do" in run(pets)[0]


def test_raw_files_that_are_put_back_are_measured_although_the_pictures_are_gone(pets):
    first = (pets.root / TABLE).read_text()
    draw(pets, "dog/2", 250)
    assert run(pets)[1] != first
    (pets.root / "pets").rename(pets.root / "lost")

    put_back(pets, "data/raw")  # as `git checkout` and `dvc checkout` do

    assert run(pets)[1] == first
    assert "Nothing to do" in run(pets)[0]


def test_a_check_removes_nothing(pets):
    shutil.rmtree(pets.root / ".snakemake/metadata")
    (pets.root / "pets.yaml").write_text(PETS.replace("resamples: 10", "resamples: 20"))
    (pets.root / TABLE).write_text("written into\n")
    before = pets.digests("results", "data", "reports")

    said = pets.forked_touchstone("check", "pets.yaml").stdout

    assert "remark: results/pets/evaluate/shared is made again: " in said
    assert "of other settings than today's, so made again" in said
    assert pets.digests("results", "data", "reports") == before


def test_the_only_copy_of_pictures_is_never_fetched_anew(pets):
    (pets.root / "pets").rename(pets.root / "lost")
    assert "Nothing to do" in run(pets)[0]
    copy = pets.digests("data/raw")

    (pets.root / "pets.yaml").write_text(PETS.replace("location: pets", "location: ./pets"))
    text, _ = run(pets, check=False)

    assert "data/raw/mine has a copy of files" in text and "there is nothing at pets" in text, text
    assert pets.digests("data/raw") == copy


@pytest.mark.parametrize("location", ["data/raw/mine", "data", "linked", "."])
def test_pictures_where_runs_write_are_refused(clone, location):
    draw(clone, "cat/1", 9, folder="data/raw/mine")
    (clone.root / "linked").symlink_to("data/raw/mine")
    (clone.root / "pets.yaml").write_text(PETS.replace("location: pets", f"location: {location}"))

    done = clone.forked_touchstone("run", "pets.yaml", "--cores", "1", check=False)

    assert done.returncode and "a run deletes and rewrites what is in data/raw" in done.stderr
    assert (clone.root / "data/raw/mine/cat/1.png").is_file()
