"""The sources that come inside a package: what is written is what the package's own loader gives."""

import ast
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn import datasets

from touchstone.data.ingest.raw_files import package_file
from touchstone.data.sources.skimage_faces import skimage_faces
from touchstone.data.sources.skimage_textures import skimage_textures
from touchstone.data.sources.sklearn_digits import sklearn_digits
from touchstone.data.sources.sklearn_photographs import sklearn_photographs


def registered_hashes():
    """scikit-image's own table of SHA-256, read without importing it."""
    tree = ast.parse(package_file("skimage", "data/_registry.py").read_text())
    return next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "registry"
    )


def test_digits_are_those_of_load_digits(tmp_path):
    sklearn_digits(tmp_path)

    table = np.loadtxt(tmp_path / "digits.csv", delimiter=",")
    expected = datasets.load_digits()
    np.testing.assert_array_equal(table[:, :64], expected.data)
    np.testing.assert_array_equal(table[:, 64], expected.target)


def test_photographs_are_those_of_load_sample_images(tmp_path):
    sklearn_photographs(tmp_path)

    for name in ("china.jpg", "flower.jpg"):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / name)), datasets.load_sample_image(name))


def test_textures_have_the_digests_that_scikit_image_registers(tmp_path):
    hashes = registered_hashes()

    skimage_textures(tmp_path)

    for name in ("brick.png", "grass.png", "gravel.png"):
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == hashes[f"data/{name}"]


def test_faces_are_the_first_hundred_of_a_registered_file(tmp_path):
    whole = package_file("skimage", "data/lfw_subset.npy").read_bytes()

    skimage_faces(tmp_path)

    assert hashlib.sha256(whole).hexdigest() == registered_hashes()["data/lfw_subset.npy"]
    half = 100 * 25 * 25 * 8  # bytes of float64 values; the headers before them differ
    assert (tmp_path / "faces.npy").read_bytes()[-half:] == whole[-2 * half : -half]


def test_no_component_of_sources_or_data_imports_torch_or_a_heavy_library():
    package = Path(__file__).parents[4] / "src" / "touchstone"
    modules = [f"touchstone.{path.parent.name}.{path.stem}" for path in package.glob("data/*.py")]
    modules += [f"touchstone.data.sources.{path.stem}" for path in package.glob("data/sources/*.py")]
    code = (
        f"import sys; sys.path.insert(0, {str(package.parent)!r})\n"
        f"for name in {modules!r}: __import__(name)\n"
        "print(sorted({'torch', 'torchvision', 'sklearn', 'skimage', 'scipy'} & set(sys.modules)))"
    )

    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert len(modules) >= 19
    assert imported.strip() == "[]"
