"""`touchstone contract FILE` and `touchstone new`: is this component one, and a first one to begin from."""

from __future__ import annotations

import keyword
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from touchstone import plugins, registry

TESTS = Path("tests/properties")
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
FITTED = '''"""One line: what it is fitted on, and why that tells."""

from __future__ import annotations

from torch import Tensor

from touchstone.contracts import PositiveFloat


def fit(fit_features: Tensor, fit_labels: Tensor, *, least: PositiveFloat = 1e-6) -> dict[str, Tensor]:
    """Return the mean (D,) and the spread (D,), at least `least`, of in-distribution features (N, D).

    Data of the fit is called fit_logits, fit_features, fit_labels, ...; what is returned is kept in a file.
    """
    return {{"mean": fit_features.mean(0), "spread": fit_features.std(0).clamp(min=least)}}


def {name}(features: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Return the score of each row of features (N, D), (N,); higher is more anomalous. state is what `fit` returned."""
    # Features may come as float64 where the state was fitted in float32.
    mean, spread = state["mean"].to(features), state["spread"].to(features)
    return ((features - mean) / spread).square().sum(dim=1)
'''
ATTACK = '''"""One line: what it does to an image."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.contracts import Model, UnitInterval
from touchstone.adversary.losses import loss_and_input_gradient, of
from touchstone.adversary.perturbations import check_inputs
from touchstone.numerics.tensors import Draws, frozen


def {name}(model: Model, images: Tensor, labels: Tensor, generator: Draws, *, eps: UnitInterval = 0.1) -> Tensor:
    """Return images of the same shape, in [0, 1], within `eps` (L-inf) of `images`; labels are the true classes.

    An attack may be called under torch.no_grad(). loss_and_input_gradient switches gradients on by itself; around code of
    your own that needs them write `with torch.enable_grad():`. Random numbers come from `generator`, a stream per image:
    generator.uniform(images.shape[1:], images.dtype).
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        _, gradient = loss_and_input_gradient(of(model, labels), images)
        return (images + eps * gradient.sign()).clamp(0, 1)
'''
HEAD = '''"""What {name} must do, on numbers worked out by hand."""

from pathlib import Path

import torch

from touchstone import plugins, registry

plugins.use([Path(__file__).parents[1]])  # the plugin folder


'''
TEST = (
    HEAD
    + """def test_{name}_ranks_an_unsure_row_above_a_sure_one():
    logits = torch.tensor([[9.0, 0.0], [0.1, 0.0]])

    scores = registry.load("detectors/{name}")(logits)

    assert scores[1] > scores[0]
"""
)
FITTED_TEST = (
    HEAD
    + """def test_{name}_is_the_squared_distance_from_the_mean_in_units_of_the_spread():
    fit, score = registry.load_fit("detectors/{name}"), registry.load("detectors/{name}")
    state = fit(torch.tensor([[0.0, 1.0], [2.0, 1.0]]), torch.tensor([0, 1]), least=0.5)

    scores = score(torch.tensor([[1.0, 1.0], [1.0, 2.0]]), state)

    torch.testing.assert_close(scores, torch.tensor([0.0, 4.0]))
"""
)
ATTACK_TEST = (
    HEAD.replace(
        "from touchstone import plugins, registry\n",
        "from touchstone import plugins, registry\nfrom touchstone.numerics.tensors import Draws\n",
    )
    + """def test_{name}_moves_each_pixel_by_eps_away_from_the_label_and_stays_in_range():
    weights = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])  # the first pixel speaks for class 0, the second for class 1
    images = torch.tensor([[0.5, 0.5], [0.05, 0.98]]).view(2, 1, 1, 2)
    labels, generator = torch.tensor([0, 0]), Draws(0, "attack", torch.arange(2))

    with torch.no_grad():  # an attack may be called so
        moved = registry.load("attacks/{name}")(lambda x: x.flatten(1) @ weights, images, labels, generator, eps=0.1)

    torch.testing.assert_close(moved.flatten(1), torch.tensor([[0.4, 0.6], [0.0, 1.0]]))
"""
)
BEGINNINGS = {"detectors": (DETECTOR, TEST), "attacks": (ATTACK, ATTACK_TEST)}  # what `new` writes, with its test
SAME_TYPE = "make the state what the data is: state[...].to(features)"
NO_GRAD = (
    "attacks are called under torch.no_grad(): take gradients with touchstone.adversary.losses.loss_and_input_gradient,"
    " or inside `with torch.enable_grad():`"
)
HINTS = {  # words in an error -> what helps
    "detectors": {"same dtype": SAME_TYPE, "but found Double": SAME_TYPE},
    "attacks": {"does not require grad": NO_GRAD},
}


def contract(file: Path, traceback: bool = False) -> int:
    """Check a component's signature, then hold it to the contract tests of its folder; 0 where it keeps them.

    Each test that it fails is told in a line; with `traceback` in pytest's own words.
    """
    kind, name, folder = file.parent.name, file.stem, file.resolve().parent.parent
    if not file.is_file():
        raise FileNotFoundError(f"no file {file}")
    if kind not in registry.FOLDERS:
        raise ValueError(
            f"{file}: lies in {kind}/; its kind is the folder it lies in, one of {', '.join(registry.FOLDERS)}"
        )
    plugins.use([folder] if folder != plugins.PACKAGE else [])
    found = registry.component(kind, name)
    print(f"{kind}/{name}: takes {', '.join(found.call.data)}; settings {', '.join(found.settings) or 'none'}")
    tests = TESTS / f"test_{kind}.py"
    if not tests.is_file():
        raise FileNotFoundError(f"{tests}: the contract tests lie in a clone of touchstone; run this there")
    environment = os.environ | ({"TOUCHSTONE_PLUGINS": str(folder)} if folder != plugins.PACKAGE else {})
    with tempfile.TemporaryDirectory() as results:
        file = Path(results) / "results.xml"
        command = [sys.executable, "-m", "pytest", str(tests), "-q", "-k", name, "-p", "no:cacheprovider"]
        command += [f"--junitxml={file}"]
        done = subprocess.run(command, env=environment, capture_output=not traceback, text=True)
        code = done.returncode
        if not traceback:
            print(_in_words(file, HINTS.get(kind, {})) if file.is_file() else done.stdout + done.stderr)
    print(f"{kind}/{name}: {'keeps the contract' if code == 0 else 'does not keep the contract'}")
    return int(code != 0)


def _in_words(results: Path, hints: dict[str, str]) -> str:
    """Return how many tests were kept, and of each that was not its name as a sentence and what was seen."""
    lines, kept, broken_ones = [], 0, 0
    for test in ElementTree.parse(results).iter("testcase"):
        broken = next((found for kind in ("failure", "error") if (found := test.find(kind)) is not None), None)
        if broken is None:
            kept += 1
            continue
        broken_ones += 1
        sentence, _, about = test.get("name", "").removeprefix("test_").partition("[")
        sentence = sentence.replace("_", " ") + (f": {about.removesuffix(']')}" if about else "")
        seen = (broken.get("message") or "").strip().splitlines() or ["no reason given"]
        lines.append(f"  - {sentence}\n      {seen[0]}")
        lines += [f"      Hint: {hint}" for words, hint in hints.items() if words in " ".join(seen)]
    return "\n".join([f"{kept} promises kept, {broken_ones} broken", *lines])


def new(kind: str, name: str, folder: Path, origin: str | None = None, fitted: bool = False) -> int:
    """Write a component to begin from into a plugin folder, with its test.

    fitted: a detector that is fitted on in-distribution data first.
    origin: a class of another library that it shall pass its work on to, "torchattacks.PGD"; see adapters.py.
    """
    kind = kind if kind.endswith("s") else f"{kind}s"
    if kind not in BEGINNINGS:
        raise ValueError(f"new: there is a beginning for {' and '.join(BEGINNINGS)}, not for {kind}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"new: {name}: a name is made of a-z, 0-9 and _, a letter first")
    if name in registry.names(kind):
        raise ValueError(f"new: {kind}/{name}.py is touchstone's own; take another name")
    if fitted and (kind != "detectors" or origin is not None):
        raise ValueError("new: --fitted is for a detector of your own")
    path = folder / kind / f"{name}.py"
    if origin is not None:
        from touchstone.commands import adapters

        files = {path: adapters.adapter(kind, name, origin)}
    else:
        text, test = (FITTED, FITTED_TEST) if fitted else BEGINNINGS[kind]
        if keyword.iskeyword(name) or re.search(rf"import .*\b{name}\b|def {name}\(", text):
            raise ValueError(f"new: {name}: this name has a meaning of its own in Python or in the file; take another")
        files = {path: text.format(name=name), folder / "tests" / f"test_{name}.py": test.format(name=name)}
    for path in files:
        if path.exists():
            raise FileExistsError(f"{path} is there already")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path)
    entry = f"{{use: {name}, fit: EXAMPLES}}" if fitted else f"{{use: {name}}}"
    test = "" if origin else f"python -m pytest {folder / 'tests' / f'test_{name}.py'} && "
    print(f"Edit it, then: {test}touchstone contract {folder / kind / name}.py")
    print(f"In a study: plugins: [{folder}/]; under {kind}: {name}: {entry}; and in an evaluation {kind}: [{name}]")
    return 0
