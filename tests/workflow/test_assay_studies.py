"""Which file `touchstone assay` writes its study to, and what it leaves as it is."""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from touchstone.__main__ import main
from touchstone.numerics import devices
from touchstone.pipeline.orchestration import snakemake_run
from touchstone.settings.study import load

ROOT = Path(__file__).parents[2]
STUDIES = Path("workflow/studies")


def exported(path, net):
    count = torch.export.Dim("images", min=1)
    torch.export.save(torch.export.export(net, (torch.rand(2, 1, 6, 6),), dynamic_shapes=({0: count},)), path)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two networks that are right on most of 60 images, as programs, one of them as weights too."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("files")
    levels = np.random.default_rng(0).integers(0, 100, (60, 6, 6)).astype(np.uint8)
    labels = np.arange(60) % 3
    levels[np.arange(60), labels] += 100  # the class is the bright row
    np.savez(folder / "images.npz", images=levels, labels=labels)
    for name, scale in (("cnn.pt2", 1.0), ("other/cnn.pt2", 2.0)):
        net = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
        with torch.no_grad():
            net[1].weight.copy_(scale * torch.eye(6)[:3].repeat_interleave(6, 1))
            net[1].bias.zero_()
        (folder / name).parent.mkdir(exist_ok=True)
        exported(folder / name, net)
    save_file(net.state_dict(), folder / "weights.safetensors")
    return folder


@pytest.fixture
def clone(tmp_path, monkeypatch, files):
    for name in ("Snakefile", "params.yaml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / STUDIES).mkdir(parents=True)
    (tmp_path / "linear.py").write_text(
        "from torch import nn\n\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(36, 3))\n"
    )
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def assay(*arguments):
    return main(["assay", *arguments, "--trust-code", "--data", "images.npz", "--quick", "--dry-run"])


def written():
    return sorted(path.name for path in STUDIES.iterdir())


def test_a_study_that_was_edited_is_kept_and_the_new_one_is_written_beside_it(clone, capsys):
    assay("cnn.pt2")
    study = STUDIES / "assay_cnn.yaml"
    edited = study.read_text().replace("8/255", "4/255")
    study.write_text(edited)
    capsys.readouterr()

    assert assay("cnn.pt2") == assay("cnn.pt2") == 0

    message = capsys.readouterr().out
    assert (
        "workflow/studies/assay_cnn.yaml was edited, so it is kept (touchstone run assay_cnn runs it, --force"
        in message
    )
    assert "Study: workflow/studies/assay_cnn_2.yaml" in message
    assert study.read_text() == edited
    assert written() == ["assay_cnn.yaml", "assay_cnn_2.yaml"]
    assert load("assay_cnn_2")["attacks"]["pgd"]["eps"] == pytest.approx(8 / 255)


def test_one_that_was_not_edited_is_replaced_by_one_about_the_same_model_and_images(clone, capsys):
    assay("cnn.pt2")
    capsys.readouterr()

    assay("cnn.pt2", "--eps", "4/255")

    assert "assay_cnn.yaml, in place of the one written before." in capsys.readouterr().out
    assert written() == ["assay_cnn.yaml"]
    assert load("assay_cnn")["attacks"]["pgd"]["eps"] == pytest.approx(4 / 255)


def test_a_budget_that_rounding_cuts_is_noted_in_the_terminal_and_in_the_study(clone, capsys):
    assay("cnn.pt2", "--eps", "0.031")

    note = "eps 0.031 is 7.905 of 255 levels. Attacked images have 8 bits, so no pixel moves by more than 7."
    assert f"  - {note}" in capsys.readouterr().out
    assert f"# {note}" in (STUDIES / "assay_cnn.yaml").read_text()


@pytest.mark.parametrize("change", [lambda text: text + "\n", lambda text: text.replace("\ntitle: ", "\ntitle:  ")])
def test_any_change_of_its_text_is_an_edit(clone, change):
    assay("cnn.pt2")
    study = STUDIES / "assay_cnn.yaml"
    study.write_text(change(study.read_text()))

    assay("cnn.pt2")

    assert written() == ["assay_cnn.yaml", "assay_cnn_2.yaml"]


def test_a_model_of_the_same_name_has_a_study_of_its_own(clone, capsys):
    assay("cnn.pt2")
    first = (STUDIES / "assay_cnn.yaml").read_bytes()
    capsys.readouterr()

    assay("other/cnn.pt2")

    assert "assay_cnn.yaml is about another model or other images, so it is kept" in capsys.readouterr().out
    assert (STUDIES / "assay_cnn.yaml").read_bytes() == first
    assert load("assay_cnn_2")["sources"]["assay_cnn_2_model"]["location"] == str(clone / "other/cnn.pt2")


def test_weights_that_became_a_program_keep_their_program_beside_their_study(clone):
    named = ("weights.safetensors", "--architecture", "linear:net")
    assay(*named)
    study, program = STUDIES / "assay_weights.yaml", STUDIES / "assay_weights.pt2"
    study.write_text(study.read_text() + "# mine\n")
    before = program.read_bytes()

    assay(*named)

    assert program.read_bytes() == before
    assert written() == ["assay_weights.pt2", "assay_weights.yaml", "assay_weights_2.pt2", "assay_weights_2.yaml"]


def test_force_replaces_an_edited_study(clone):
    assay("cnn.pt2")
    study = STUDIES / "assay_cnn.yaml"
    first = study.read_text()
    study.write_text("title: Mine\n")

    assert assay("cnn.pt2", "--force") == 0

    assert written() == ["assay_cnn.yaml"]
    assert study.read_text().splitlines()[2:] == first.splitlines()[2:]  # the first line is the command


@pytest.mark.parametrize("place", [("--name", "mine"), ("--out", "workflow/studies/mine.yaml")])
def test_a_chosen_name_that_is_taken_is_refused_before_the_model_is_opened(clone, capsys, monkeypatch, place):
    (STUDIES / "mine.yaml").write_text("title: Mine\n")
    monkeypatch.setattr("touchstone.assay.user_models.open_model", None)

    assert assay("cnn.pt2", *place) == 1

    message = capsys.readouterr().err
    assert "workflow/studies/mine.yaml was edited, or is not from touchstone assay" in message and "--force" in message
    assert (STUDIES / "mine.yaml").read_text() == "title: Mine\n"


def test_a_program_that_is_not_from_an_assay_is_not_overwritten_by_the_one_made_of_weights(clone, capsys):
    mine = Path("mine.pt2")
    mine.write_bytes(b"my own")

    assert assay("weights.safetensors", "--architecture", "linear:net", "--out", "mine.yaml") == 1

    assert "mine.pt2 is there already" in capsys.readouterr().err
    assert mine.read_bytes() == b"my own" and not Path("mine.yaml").exists()


def test_the_program_that_an_interrupted_assay_has_left_is_used_again(clone):
    named = ("weights.safetensors", "--architecture", "linear:net", "--name", "mine")
    assert assay(*named) == 0
    (STUDIES / "mine.yaml").unlink()  # it is written last

    assert assay(*named) == 0

    assert written() == ["mine.pt2", "mine.yaml"]


def test_the_default_studys_name_is_refused(clone, capsys):
    assert assay("cnn.pt2", "--name", "digits") == 1

    assert "--name digits: that is touchstone's default study" in capsys.readouterr().err


def test_a_name_of_a_file_with_a_line_break_leaves_a_study_that_can_be_read(clone, monkeypatch):
    Path("cnn.pt2").rename("a\nb: c.pt2")
    monkeypatch.setattr(sys, "argv", ["touchstone", "assay", "a\nb: c.pt2", "--data", "images.npz"])

    assert assay("a\nb: c.pt2") == assay("a\nb: c.pt2") == 0

    assert written() == ["assay_a_b_c.yaml"]
    assert load("assay_a_b_c")["sources"]["assay_a_b_c_model"]["location"] == str(clone / "a\nb: c.pt2")


def test_outside_a_clone_the_study_is_written_here_and_run(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    started = []
    monkeypatch.setattr(snakemake_run, "run", lambda *given: started.append(given) or 1)

    assert main(["assay", "cnn.pt2", "--trust-code", "--data", "images.npz", "--quick", "--cores", "1"]) == 1

    assert started == [("assay_cnn.yaml", "1")]
    assert load("assay_cnn.yaml")["study"]["title"] == "Assay of assay_cnn"


def test_outside_a_clone_an_assay_is_run_again_checked_and_known_by_its_bare_name(files, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    started = []
    monkeypatch.setattr(snakemake_run, "run", lambda *given: started.append(given) or 1)
    main(["assay", "cnn.pt2", "--trust-code", "--data", "images.npz", "--quick"])

    assert "touchstone run PATH_OF_THIS_FILE" in Path("assay_cnn.yaml").read_text()
    assert main(["run", "assay_cnn.yaml", "--cores", "1"]) == main(["run", "assay_cnn"]) == 1
    assert started[1:] == [("assay_cnn.yaml", "1"), ("assay_cnn", "all")]
    capsys.readouterr()
    assert main(["check", "assay_cnn"]) == 0
    assert re.search(r"\nto run +(\d+) of \1 jobs: ", capsys.readouterr().out)


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    """A function that puts a GPU's driver on this machine, or takes it away."""

    def put(there):
        monkeypatch.setattr(devices, "GPUS", (tmp_path if there else tmp_path / "none",))

    return put


def test_cuda_without_a_gpu_is_refused_before_the_model_is_opened(clone, capsys, monkeypatch, gpu):
    gpu(False)
    monkeypatch.setattr("touchstone.assay.user_models.open_model", None)

    assert main(["assay", "cnn.pt2", "--trust-code", "--data", "images.npz", "--quick", "--device", "cuda"]) == 1

    assert "--device cuda: there is no GPU here that torch can use" in capsys.readouterr().err
    assert written() == []


def test_a_driver_without_a_torch_that_can_use_it_is_refused_too(clone, capsys, monkeypatch, gpu):
    gpu(True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert main(["assay", "cnn.pt2", "--trust-code", "--data", "images.npz", "--quick", "--device", "cuda"]) == 1

    assert "there is no GPU here that torch can use" in capsys.readouterr().err


@pytest.mark.parametrize("there", [True, False])
def test_dry_run_check_and_run_say_that_a_study_asks_for_a_gpu_that_is_not_here(clone, capsys, monkeypatch, gpu, there):
    gpu(there)
    monkeypatch.setattr(snakemake_run, "_run", lambda *given: 1)
    said = []

    for command in (
        ["assay", "cnn.pt2", "--trust-code", "--data", "images.npz", "--dry-run"],
        ["check", "assay_cnn"],
        ["run", "assay_cnn"],
    ):
        main([*command, *(["--device", "cuda"] if command[0] == "assay" else [])])
        said.append("compute.device is cuda, and this machine has no GPU" in capsys.readouterr().err)

    assert said == [not there] * 3
    assert load("assay_cnn")["study"]["device"] == "cuda"


def pictures(folder, names):
    """60 images as pictures in folders of their classes, by number 0, 1, 2 the names."""
    arrays = np.load("images.npz")
    for row, (image, label) in enumerate(zip(arrays["images"], arrays["labels"], strict=True)):
        home = Path(folder) / names[label]
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(home / f"{row:02}.png")


def test_classes_in_another_order_than_the_models_are_refused_with_the_order_that_is_right(clone, capsys):
    pictures("pictures", ["zebra", "ant", "cat"])
    command = ["assay", "cnn.pt2", "--trust-code", "--data", "pictures", "--quick", "--dry-run"]

    assert main(command) == 1

    message = capsys.readouterr().err
    assert "right on 0% of 60 of your images, but on 100% in another order" in message
    (flag,) = re.findall(r"--classes \S+", message)
    assert main([*command, *flag.split()]) == 0
    assert "right on 100% of 60" in capsys.readouterr().out


def test_labels_in_another_order_than_the_models_are_refused_with_the_line_that_puts_them_right(clone, capsys):
    arrays = np.load("images.npz")
    images, labels = arrays["images"], (arrays["labels"] + 1) % 3
    np.savez("images.npz", images=images, labels=labels)

    assert assay("cnn.pt2") == 1

    (line,) = re.findall(r"labels = (.*\[labels\])", capsys.readouterr().err)
    np.savez("images.npz", images=images, labels=eval(line, {"numpy": np, "labels": labels}))
    assert assay("cnn.pt2") == 0


def test_a_model_that_is_never_right_is_refused_where_no_order_helps(clone, capsys):
    arrays = np.load("images.npz")
    labels = (arrays["labels"] + 1 + np.arange(60) // 3 % 2) % 3  # half of each class to either other output
    np.savez("images.npz", images=arrays["images"], labels=labels)

    assert assay("cnn.pt2") == 1

    message = capsys.readouterr().err
    assert "right on 0% of 60 of your images" in message and "no other order of the classes was found" in message
    assert written() == []
