"""Exactly the jobs that a change calls for rerun, and no others: plans only, on the finished tiny study."""

import os
import shutil

import numpy as np
from PIL import Image

MAKES_IMAGES_WITH_PGD = {
    "Train unet.0",
    "Train gan_unet.0",
    "Attack cnn.0: fitting_plain",
    "Attack cnn.0: tested_plain",
}
TRAINS_WITHOUT_PGD = {"Train cnn.0", "Train cnn_aloe.0"}


def test_a_finished_study_has_nothing_to_do_in_another_folder(copied):
    assert not copied.planned()


def test_what_changes_no_number_reruns_nothing(copied):
    """A comment, a docstring, layout, a default written out, times of files, another study's overlay: all at once."""
    copied.edit(
        "src/touchstone/attacks/pgd.py",
        '"""Projected gradient descent (PGD)."""',
        '"""Another word."""\n# a comment\n\n',
    )
    copied.edit("src/touchstone/pipeline/steps/attack.py", "def attack(", "# why not\ndef attack(")
    copied.edit("workflow/studies/tiny.yaml", "fab: {use: fab, steps: 2}", "fab: {use: fab, steps: 2, restarts: 1}")
    (copied.root / "workflow/studies/other.yaml").write_text("attacks: {pgd: {eps: 0.2}}\n")
    for name in ("examples/digits_test", "checkpoints/cnn.0", "attacked/digits_test/cnn.0/pgd"):
        os.utime(copied.root / f"data/tiny/{name}.safetensors")
    os.utime(copied.root / "params.yaml")

    assert not copied.planned()


def test_a_constant_in_one_attack_reruns_what_uses_it_and_what_is_downstream_and_no_clean_training(copied):
    copied.edit(
        "src/touchstone/attacks/pgd.py",
        "size = resolve_step_size(step_size, eps, steps)",
        "size = resolve_step_size(step_size, eps, steps + 1)",
    )

    planned = copied.planned()

    assert set(planned) >= MAKES_IMAGES_WITH_PGD
    assert not set(planned) & TRAINS_WITHOUT_PGD
    assert not [job for job in planned if job.startswith(("Fetch", "Prepare", "Measure"))]
    assert "Evaluate margins" not in planned
    assert "Evaluate robustness" in planned


def test_a_setting_reruns_just_the_jobs_that_read_it_and_what_is_downstream(copied):
    copied.edit("workflow/studies/tiny.yaml", "fab: {use: fab, steps: 2}", "fab: {use: fab, steps: 3}")

    assert set(copied.planned()) == {
        "Measure margins of cnn.0 by fab: tested", "Evaluate margins", "Write the report",
    }  # fmt: skip


def test_a_changed_static_network_retrains_what_is_attacked_on_it(copied):
    copied.edit("workflow/studies/tiny.yaml", "epochs: 3, batch_size: 20", "epochs: 2, batch_size: 20")

    planned = set(copied.planned())

    assert planned >= {"Train cnn.0", "Train cnn_ensemble.0"}
    assert not planned & {"Train cnn_aloe.0", "Train cnn_aloe.1"}


def test_how_often_static_networks_are_drawn_is_asked_of_one_training_alone(copied):
    copied.edit("workflow/studies/tiny.yaml", "static_networks: [cnn]", "static_networks: [cnn], static_share: 0.9")

    assert set(copied.planned()) == {
        "Train cnn_ensemble.0", "Run cnn_ensemble.0: tested", "Run cnn_ensemble.0: tested_plain",
        "Evaluate robustness", "Write the report",
    }  # fmt: skip


def test_a_missing_part_of_the_report_is_written_again(copied):
    (copied.root / "reports/tiny/metrics.csv.gz").unlink()

    assert set(copied.planned()) == {"Write the report"}


def test_a_missing_table_is_remade_and_with_it_the_report(copied):
    (copied.root / "data/tiny/metrics/margins.csv").unlink()

    assert set(copied.planned()) == {"Evaluate margins", "Write the report"}


def test_a_committed_report_alone_does_not_count_as_a_finished_study(tiny, tmp_path):
    shutil.copytree(tiny.root, tmp_path / "clone", ignore=shutil.ignore_patterns(".snakemake"))
    clone = type(tiny)(tmp_path / "clone")
    shutil.rmtree(clone.root / "data")

    planned = clone.planned()

    assert set(planned) >= {"Fetch sklearn_digits", "Train cnn.0", "Write the report"}


def test_the_default_profile_is_picked_up_by_a_plain_snakemake(tiny):
    done = tiny.snakemake("--dry-run", "--cores", "1")

    assert "workflow specific profile profiles/default" in done.stdout + done.stderr


def test_wrong_settings_stop_a_plain_snakemake_before_any_job(copied):
    copied.edit("workflow/studies/tiny.yaml", "pgd: {steps: 5,", "pgd: {stepz: 5,")

    done = copied.snakemake("--cores", "1", check=False)

    assert done.returncode != 0
    assert "attacks.pgd.stepz: not a setting of attacks/pgd.py" in done.stdout + done.stderr
    assert "Did you mean steps?" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


PETS = """
base: none
study: {title: Pets, device: cpu, calibration: pets}
sources: {mine: {use: own_files, location: pets, sha256: null}}
examples: {pets: {use: own_images, source: mine, height: 8, width: 8, colour: gray}}
evaluations: {sheet: {use: data_sheet, examples: [pets], system: shared, question: What is in it, resamples: 10}}
"""


def test_a_picture_that_the_user_adds_is_fetched_and_measured_and_then_nothing_is_left_to_do(clone):
    def run():
        done = clone.forked_touchstone("run", "pets.yaml", "--cores", "1")
        metrics = clone.root / "data/pets/metrics/sheet.csv"
        return done.stdout + done.stderr, metrics.read_text()

    (clone.root / "pets.yaml").write_text(PETS)
    for name in ("cat/1", "cat/2", "dog/1", "dog/2"):
        picture = clone.root / f"pets/{name}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), len(name) * 9 + int(name[-1]), np.uint8)).save(picture)
    _, before = run()
    assert "Nothing to do" in run()[0]
    Image.fromarray(np.full((8, 8), 200, np.uint8)).save(clone.root / "pets/dog/3.png")

    text, after = run()

    assert "sources.mine: pets has changed; fetching it again" in text
    assert before != after
    assert "Nothing to do" in run()[0]
