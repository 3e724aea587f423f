"""The arguments of an assay as values."""

from types import SimpleNamespace

import click
import pytest
import torch

from touchstone.assay import arguments, named_data
from touchstone.assay.run_assay import run_assay
from touchstone.numerics.tensors import to_grid_towards
from typed_words import assay_arguments
from typed_words import parsed as parsed_words


@pytest.fixture
def parsed(tmp_path):
    (tmp_path / "Cnn v2.pt2").touch()

    def parse(*flags):
        return assay_arguments(str(tmp_path / "Cnn v2.pt2"), "--data", str(tmp_path), *flags)

    return parse


def test_a_study_is_named_for_its_model_unless_the_user_names_it(parsed):
    assert (parsed().target, parsed().named) == (arguments.STUDIES / "assay_cnn_v2.yaml", False)
    assert (parsed("--name", "mine").target, parsed("--name", "mine").named) == (arguments.STUDIES / "mine.yaml", True)


def test_a_fraction_stays_as_it_was_typed_in_the_study(parsed):
    assert (parsed("--eps", "4/255").eps, parsed("--eps", "4/255").eps_written) == (pytest.approx(4 / 255), "4/255")
    assert parsed("--eps", "0.1").eps_written == 0.1


@pytest.mark.parametrize("typed", ["8/255", "0.0314", "0.03137", "0.031", "0.0078", "7.5/255", "1/255", "0.5"])
def test_a_budget_that_rounding_to_8_bits_cuts_is_noted(parsed, typed):
    clean = torch.full((1, 1, 1, 1), 100 / 255)

    notes = " ".join(parsed("--eps", typed).unused_budget())

    eps = parsed("--eps", typed).eps
    left = round(255 * float((to_grid_towards(clean + eps, clean) - clean).abs()))
    assert (f"no pixel moves by more than {left}. Write {left + 1}/255" in notes) == (left < 255 * eps - 0.01)
    assert bool(notes) == (typed in ("0.03137", "0.031", "0.0078", "7.5/255", "0.5"))


def test_one_mean_serves_all_channels_and_the_std_is_one_without_a_flag(parsed):
    assert parsed("--mean", "0.5").normalisation(3) == ([0.5] * 3, [1.0] * 3)


def test_neither_one_mean_nor_one_for_each_channel_is_refused(parsed):
    with pytest.raises(ValueError, match=r"--mean 0\.5,0\.4: expected one number for each of 3 channels"):
        parsed("--mean", "0.5,0.4").normalisation(3)


def test_a_size_of_one_number_is_a_square(parsed):
    assert (parsed("--resize", "32").shaping.size, parsed("--resize", "32x16").shaping.size) == ((32, 32), (32, 16))


@pytest.mark.parametrize("flag", ["--data", "--ood"])
def test_a_mistyped_folder_is_answered_with_the_nearest_one(parsed, tmp_path, flag):
    (tmp_path / "pictures").mkdir()

    with pytest.raises(FileNotFoundError, match=rf"{flag} .*picturs: there is no such .* Did you mean pictures\?"):
        parsed(flag, str(tmp_path / "picturs"))


def test_a_mistake_is_reported_before_the_images_are_downloaded(monkeypatch):
    monkeypatch.setattr(named_data, "located", lambda data: pytest.fail("images were downloaded"))

    with pytest.raises(ValueError, match="Did you mean Carmon2019Unlabeled"):
        run_assay(
            SimpleNamespace(**parsed_words("assay", "robustbench:Carmon2019Unlabelled", "--data", "cifar10").params)
        )


@pytest.mark.parametrize("flag", ["--data", "--ood", "--weights", "--backward"])
def test_a_path_that_is_not_utf_8_is_refused_before_a_study_names_it(parsed, tmp_path, flag):
    place = tmp_path / "caf\udce9"
    place.mkdir() if flag in ("--data", "--ood") else place.touch()

    with pytest.raises(ValueError, match=r"caf\\xe9.*: this path is not UTF-8, so no study can name it"):
        parsed(flag, str(place))


def test_a_folder_to_work_in_that_is_not_utf_8_is_refused(parsed, tmp_path, monkeypatch):
    (tmp_path / "caf\udce9").mkdir()
    monkeypatch.chdir(tmp_path / "caf\udce9")

    with pytest.raises(ValueError, match="this path is not UTF-8"):
        parsed()


@pytest.mark.parametrize("typed", ["99999x99999", "1x99999", "4097", "9999999999999999999"])
def test_a_size_that_takes_all_memory_is_refused(parsed, typed):
    with pytest.raises(ValueError, match=rf"--resize {typed}: (pictures are resized to at most 4,096|expected HEIGHT)"):
        parsed("--resize", typed)


@pytest.mark.parametrize(
    ("typed", "told"), [("a,b,a", "a is there twice"), ("a,,b", "a name is empty"), (",", "is empty")]
)
def test_names_of_classes_are_given_once(parsed, typed, told):
    with pytest.raises(ValueError, match=rf"--classes {typed}: .*{told}"):
        parsed("--classes", typed)


def test_blanks_between_names_of_classes_mean_nothing(parsed):
    assert parsed("--classes", "ant, bee ,cow").classes == ("ant", "bee", "cow")


def test_robustbench_takes_no_weights_and_says_which_file_it_reads(tmp_path):
    (tmp_path / "own.pt").touch()

    with pytest.raises(ValueError, match=r"reads weights from models/cifar10/Linf/Carmon2019Unlabeled\.pt"):
        assay_arguments(
            "robustbench:Carmon2019Unlabeled", "--data", str(tmp_path), "--weights", str(tmp_path / "own.pt")
        )


@pytest.mark.parametrize("typed", [("--images", "9"), ("--batch-size", "0")])
def test_too_few_images_are_refused(parsed, typed):
    with pytest.raises(click.BadParameter, match="is not in the range"):
        parsed(*typed)
