"""CIFAR, SVHN, GTSRB and the picture folders, read from files that were written by hand."""

import hashlib
import pickle
import runpy
from pathlib import Path

import numpy as np
import pytest

from touchstone.data.cifar10 import cifar10
from touchstone.data.cifar100 import cifar100
from touchstone.data.gtsrb import gtsrb
from touchstone.data.lsun_crop import lsun_crop
from touchstone.data.mnist import mnist
from touchstone.data.places365 import places365
from touchstone.data.svhn import svhn
from touchstone.data.textures import textures
from touchstone.records.damage import DamagedFile

WRITERS = runpy.run_path(str(Path(__file__).parents[2] / "raw_archives.py"))
cifar, mat, ppm, png, idx = (WRITERS[name] for name in ("cifar", "mat", "ppm", "png", "idx"))
PARTS = ("train", "validation", "calibration", "detector_train")


def levels(examples):
    return np.rint(examples.images * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(1).integers(0, 256, (500, 3, 32, 32), np.uint8)


@pytest.fixture
def ten(tmp_path, pixels):
    labels = np.arange(500) % 10
    for number in range(5):
        rows = slice(100 * number, 100 * number + 100)
        (tmp_path / f"data_batch_{number + 1}.bin").write_bytes(cifar(labels[rows], pixels[rows]))
    (tmp_path / "test_batch.bin").write_bytes(cifar(labels[:50], pixels[:50]))
    return tmp_path


def test_cifar10_parts_are_disjoint_stratified_and_the_bytes_divided_by_255(ten, pixels):
    parts = {part: cifar10(ten, part=part) for part in PARTS}

    assert {part: len(examples) for part, examples in parts.items()} == dict(zip(PARTS, (440, 20, 20, 20), strict=True))
    assert sorted(np.concatenate([examples.example_ids for examples in parts.values()])) == list(range(500))
    for examples in parts.values():
        np.testing.assert_array_equal(levels(examples), pixels[examples.example_ids])
        np.testing.assert_array_equal(examples.labels, examples.example_ids % 10)


def test_cifar10_test_ids_count_on_from_the_training_rows(ten, pixels):
    examples = cifar10(ten, part="test")

    assert examples.example_ids.tolist() == list(range(50_000, 50_050))
    np.testing.assert_array_equal(levels(examples), pixels[:50])


def test_cifar_channels_are_red_green_blue_planes(tmp_path):
    planes = b"\x01" * 1024 + b"\x02" * 1024 + b"\x03" * 1024
    (tmp_path / "test_batch.bin").write_bytes((b"\x07" + planes) * 20)

    examples = cifar10(tmp_path, part="test")

    assert [int(level) for level in levels(examples)[0, :, 0, 0]] == [1, 2, 3]
    assert examples.labels[0] == 7


def test_cifar100_labels_are_the_fine_ones(tmp_path, pixels):
    coarse, fine = np.arange(50) % 20, np.arange(50) * 2
    (tmp_path / "test.bin").write_bytes(cifar(np.stack([coarse, fine], 1), pixels[:50]))

    assert cifar100(tmp_path, part="test").labels.tolist() == fine.tolist()


@pytest.mark.parametrize(
    "change", [lambda data: b"", lambda data: data[:-1], lambda data: data + b"\0", lambda data: b"\x0a" + data[1:]]
)
def test_a_damaged_cifar_file_is_refused_and_named(ten, change):
    (ten / "test_batch.bin").write_bytes(change((ten / "test_batch.bin").read_bytes()))

    with pytest.raises(DamagedFile, match=r"test_batch\.bin"):
        cifar10(ten, part="test")


class Touches:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize(
    ("read", "name"), [(cifar10, "test_batch.bin"), (svhn, "test_32x32.mat"), (mnist, "t10k-images-idx3-ubyte")]
)
def test_a_pickle_in_place_of_a_raw_file_is_refused_and_not_run(tmp_path, read, name):
    (tmp_path / name).write_bytes(pickle.dumps(Touches(tmp_path / "ran")))

    with pytest.raises(DamagedFile, match=name):
        read(tmp_path, part="test")

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("kind", ["u1", "f8"])
def test_svhn_is_read_from_a_mat_file_written_by_hand(tmp_path, pixels, packed, kind):
    labels = (np.arange(50) % 10 + 1)[:, None].astype(kind)
    (tmp_path / "test_32x32.mat").write_bytes(mat({"X": pixels[:50].transpose(2, 3, 1, 0), "y": labels}, packed))

    examples = svhn(tmp_path, part="test")

    np.testing.assert_array_equal(levels(examples), pixels[:50])
    assert examples.labels.tolist() == [(number % 10 + 1) % 10 for number in range(50)]  # 10 is the digit 0
    assert examples.example_ids[0] == 73_257


MISTAKES = {
    "of another size": {"X": np.zeros((32, 31, 3, 5), np.uint8), "y": np.ones((5, 1), np.uint8)},
    "of floats": {"X": np.zeros((32, 32, 3, 5)), "y": np.ones((5, 1), np.uint8)},
    "with too few labels": {"X": np.zeros((32, 32, 3, 5), np.uint8), "y": np.ones((4, 1), np.uint8)},
    "with label 0": {"X": np.zeros((32, 32, 3, 5), np.uint8), "y": np.zeros((5, 1), np.uint8)},
    "with label 11": {"X": np.zeros((32, 32, 3, 5), np.uint8), "y": np.full((5, 1), 11, np.uint8)},
    "without labels": {"X": np.zeros((32, 32, 3, 5), np.uint8)},
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mat_file_that_is_not_svhn_is_refused(tmp_path, mistake):
    (tmp_path / "test_32x32.mat").write_bytes(mat(MISTAKES[mistake]))

    with pytest.raises(DamagedFile, match=r"test_32x32\.mat"):
        svhn(tmp_path, part="test")


def test_a_mat_file_cut_anywhere_is_refused(tmp_path):
    data = mat({"X": np.zeros((32, 32, 3, 5), np.uint8), "y": np.ones((5, 1), np.uint8)})

    for length in range(0, len(data), 7):
        (tmp_path / "test_32x32.mat").write_bytes(data[:length])
        with pytest.raises(DamagedFile, match=r"test_32x32\.mat"):
            svhn(tmp_path, part="test")


@pytest.fixture
def signs(tmp_path):
    for kind in range(3):
        for track in range(40):
            folder = tmp_path / "Training" / f"{kind:05d}"
            folder.mkdir(parents=True, exist_ok=True)
            for frame in range(3):
                pixels = np.full((32, 40, 3), (kind, track, frame), np.uint8)
                (folder / f"{track:05d}_{frame:05d}.ppm").write_bytes(ppm(pixels))
    (tmp_path / "Final_Test" / "Images").mkdir(parents=True)
    rows = "".join(f"{row:05d}.ppm;40;32;1;1;9;9;{row % 3}\n" for row in range(6))
    (tmp_path / "GT-final_test.csv").write_text(f"Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n{rows}")
    for row in range(6):
        (tmp_path / "Final_Test" / "Images" / f"{row:05d}.ppm").write_bytes(ppm(np.full((32, 32, 3), row, np.uint8)))
    return tmp_path


def test_no_traffic_sign_stands_in_two_parts(signs):
    parts = {part: gtsrb(signs, part=part) for part in PARTS}

    seen = {
        part: {tuple(pixel[:2]) for pixel in levels(examples)[:, :, 0, 0].tolist()} for part, examples in parts.items()
    }
    assert sum(map(len, seen.values())) == len(set().union(*seen.values())) == 120
    assert sorted(np.concatenate([examples.example_ids for examples in parts.values()])) == list(range(360))
    for examples in parts.values():
        np.testing.assert_array_equal(levels(examples)[:, 0, 0, 0], examples.labels)
        assert set(examples.labels.tolist()) == {0, 1, 2}


def test_gtsrb_test_labels_come_from_its_table(signs):
    examples = gtsrb(signs, part="test")

    assert examples.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert levels(examples)[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert examples.example_ids[0] == 26_640


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Filename,ClassId\n1.ppm,2\n",
        "Filename;ClassId\n00000.ppm;43\n",
        "Filename;ClassId\n00000.ppm;x\n",
        "Filename;ClassId\n",
    ],
)
def test_a_damaged_table_of_signs_is_refused(signs, text):
    (signs / "GT-final_test.csv").write_text(text)

    with pytest.raises(DamagedFile, match="GT-final_test"):
        gtsrb(signs, part="test")


@pytest.mark.parametrize("name", ["²", "٣", "99999999999", "stop"])
def test_a_folder_of_signs_that_is_no_class_is_named(signs, pixels, name):
    (signs / "Training" / name).mkdir()
    (signs / "Training" / name / "1.ppm").write_bytes(ppm(pixels[0].transpose(1, 2, 0)))

    with pytest.raises(DamagedFile, match=f"contains {name}"):
        gtsrb(signs, part="train")


def test_the_table_of_signs_cannot_name_files_elsewhere(signs, tmp_path):
    (signs / "GT-final_test.csv").write_text("Filename;ClassId\n../../Training/00000/00000_00000.ppm;1\n")

    with pytest.raises(DamagedFile, match=r"Images/00000_00000\.ppm: no such raw file"):
        gtsrb(signs, part="test")


def test_pictures_are_shrunk_to_their_shorter_side_and_cut_in_the_middle(tmp_path):
    wide = np.zeros((64, 192, 3), np.uint8)
    wide[:, 64:128] = (10, 20, 30)
    (tmp_path / "Places365_val_00000001.png").write_bytes(png(wide))

    examples = places365(tmp_path)

    assert examples.images.shape == (1, 3, 32, 32)
    assert levels(examples)[0, :, 5, 2:-2].T.tolist() == [[10, 20, 30]] * 28


@pytest.mark.parametrize("data", [b"P6\n10000 9000\n255\n" + bytes(270_000_000), b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_a_picture_that_is_too_large_or_a_program_is_not_opened(tmp_path, data):
    (tmp_path / "Places365_val_00000001.png").write_bytes(data)

    with pytest.raises(DamagedFile, match=r"Places365_val_00000001\.png: not a whole image"):
        places365(tmp_path)


def test_pieces_are_cut_out_and_not_resized(tmp_path):
    piece = np.random.default_rng(0).integers(0, 256, (36, 36, 3), np.uint8)
    (tmp_path / "LSUN").mkdir()
    (tmp_path / "LSUN" / "1.png").write_bytes(png(piece))

    np.testing.assert_array_equal(levels(lsun_crop(tmp_path))[0], piece[2:34, 2:34].transpose(2, 0, 1))


def test_a_piece_that_is_too_small_is_refused(tmp_path):
    (tmp_path / "LSUN").mkdir()
    (tmp_path / "LSUN" / "1.png").write_bytes(png(np.zeros((36, 31, 3), np.uint8)))

    with pytest.raises(DamagedFile, match=r"1\.png: 31x36 pixels, expected at least 32x32"):
        lsun_crop(tmp_path)


def test_a_count_is_spread_evenly_over_the_kinds(tmp_path):
    for kind in ("dotted", "woven"):
        (tmp_path / kind).mkdir()
        for number in range(10):
            (tmp_path / kind / f"{kind}_{number:04d}.png").write_bytes(png(np.full((40, 40, 3), number, np.uint8)))

    assert textures(tmp_path, count=4).example_ids.tolist() == [0, 5, 10, 15]
    with pytest.raises(ValueError, match="at most 20"):
        textures(tmp_path, count=21)


def test_a_picture_that_is_cut_is_damaged_and_named(tmp_path):
    (tmp_path / "LSUN").mkdir()
    data = png(np.random.default_rng(0).integers(0, 256, (36, 36, 3), np.uint8))
    (tmp_path / "LSUN" / "1.png").write_bytes(data[:-500])

    with pytest.raises(DamagedFile, match=r"1\.png"):
        lsun_crop(tmp_path)


def test_pinned_digests_are_those_of_the_published_files():
    """Computed from SHA-256 figures of the single files that many public projects state alike; the data was not at hand."""
    digests = {
        "mnist": {
            "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        },
        "svhn": {
            "train_32x32.mat": "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
            "test_32x32.mat": "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        },
    }
    root = Path(__file__).parents[3]
    files_of_settings = [
        root / "src/touchstone/papers/common.yaml",
        *sorted((root / "workflow/studies").glob("*.yaml")),
    ]
    studies = "".join(path.read_text() for path in files_of_settings)

    for source, files in digests.items():
        lines = sorted(f"{digest}  {name}\n" for name, digest in files.items())
        assert (
            f'{source}: {{use: {source}, sha256: "sha256:{hashlib.sha256("".join(lines).encode()).hexdigest()}"'
            in studies
        )
