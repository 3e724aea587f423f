"""`touchstone contract FILE` and `touchstone new`: is this component one, and a first one to begin from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from touchstone import plugins, registry

TESTS = Path("tests/properties")
KINDS = ("detectors", "attacks")  # that `new` has a beginning for
DETECTOR = '''"""One line: what it looks at, and why that tells."""

from __future__ import annotations

from torch import Tensor

from touchstone.contracts import PositiveFloat


def {name}(logits: Tensor, *, temperature: PositiveFloat = 1.0) -> Tensor:
    """Return the score of each row of logits (N, K), (N,); higher is more anomalous.

    What stands before the star is data that touchstone has: logits, features, gradient_norms, images, model, state.
    What stands after it is a setting with a type and a default. One value per row, from that row alone.
    """
    return -(logits / temperature).logsumexp(dim=1)
'''
ATTACK = '''"""One line: what it does to an image."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.contracts import Model, NonNegativeFloat
from touchstone.losses import cross_entropy, input_gradient
from touchstone.perturbations import check_inputs
from touchstone.tensors import Draws, frozen


def {name}(model: Model, images: Tensor, labels: Tensor, generator: Draws, *, eps: NonNegativeFloat = 0.1) -> Tensor:
    """Return images of the same shape, in [0, 1], within `eps` (L-inf) of `images`; labels are the true classes."""
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        return (images + eps * generator.signs(images.shape[1:], images.dtype)).clamp(0, 1)
'''
TEST = '''"""What {name} must do, on numbers worked out by hand."""

import torch

from touchstone import plugins, registry

plugins.use([__import__("pathlib").Path(__file__).parents[1]])


def test_{name}_ranks_an_unsure_row_above_a_sure_one():
    logits = torch.tensor([[9.0, 0.0], [0.1, 0.0]])

    scores = registry.load("detectors/{name}")(logits)

    assert scores[1] > scores[0]
'''


def contract(file: Path) -> int:
    """Check a component's signature, then hold it to the contract tests of its folder; 0 where it keeps them."""
    kind, name, folder = file.parent.name, file.stem, file.resolve().parent.parent
    if not file.is_file():
        raise FileNotFoundError(f"no file {file}")
    if kind not in registry.FOLDERS:
        raise ValueError(
            f"{file}: lies in {kind}/; its kind is the folder it lies in, one of {', '.join(registry.FOLDERS)}"
        )
    registry.use_plugins([folder] if folder != plugins.PACKAGE else [])
    found = registry.component(kind, name)
    print(f"{kind}/{name}: takes {', '.join(found.call.data)}; settings {', '.join(found.settings) or 'none'}")
    tests = TESTS / f"test_{kind}.py"
    if not tests.is_file():
        raise FileNotFoundError(f"{tests}: the contract tests lie in a clone of touchstone; run this there")
    command = [sys.executable, "-m", "pytest", str(tests), "-q", "-k", name, "-p", "no:cacheprovider"]
    environment = os.environ | ({"TOUCHSTONE_PLUGINS": str(folder)} if folder != plugins.PACKAGE else {})
    code = subprocess.run(command, env=environment).returncode
    print(f"{kind}/{name}: {'keeps the contract' if code == 0 else 'does not keep the contract'}")
    return int(code != 0)


def new(kind: str, name: str, folder: Path, origin: str | None = None) -> int:
    """Write a component to begin from into a plugin folder, and for a detector its test.

    origin: a class of another library that it shall pass its work on to, "torchattacks.PGD"; see adapting.py.
    """
    kind = kind if kind.endswith("s") else f"{kind}s"
    if kind not in KINDS:
        raise ValueError(f"new: there is a beginning for {' and '.join(KINDS)}, not for {kind}")
    if not name.isidentifier() or not name.islower():
        raise ValueError(f"new: {name}: a name is made of a-z, 0-9 and _, a letter first")
    if name in registry.names(kind):
        raise ValueError(f"new: {kind}/{name}.py is touchstone's own; take another name")
    path = folder / kind / f"{name}.py"
    if origin is not None:
        from touchstone import adapting

        files = {path: adapting.adapter(kind, name, origin)}
    else:
        files = {path: (DETECTOR if kind == "detectors" else ATTACK).format(name=name)}
    if kind == "detectors" and origin is None:
        files[folder / "tests" / f"test_{name}.py"] = TEST.format(name=name)
    for path, text in files.items():
        if path.exists():
            raise FileExistsError(f"{path} is there already")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path)
    print(f"Edit it, then: touchstone contract {folder / kind / name}.py; in a study: plugins: [{folder}/]")
    return 0
