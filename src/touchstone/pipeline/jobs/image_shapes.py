"""Check that all sets which a job has prepared have images of one shape, because every network sees all of them."""

from __future__ import annotations

from collections import Counter

from touchstone.pipeline.jobs.artefacts import Artefacts

Shape = tuple[int, ...]  # channels, height, width


def check(artefacts: Artefacts) -> None:
    """Raise ValueError if a set has images of another shape than most others."""
    files = {task.output.rpartition("/")[2].rpartition(".")[0]: task.output for task in artefacts.plan.tasks}
    shapes = {name: artefacts.noun(file, "ExampleSet").images.shape[1:] for name, file in files.items()}
    if reason := wrong_shape(shapes):
        raise ValueError(reason)


def wrong_shape(shapes: dict[str, Shape]) -> str:
    """Return which set has images of another shape than most others, and what to do; "" if none has."""
    if len(set(shapes.values())) < 2:
        return ""
    ((most, _),) = Counter(shapes.values()).most_common(1)
    name, shape = next((name, shape) for name, shape in shapes.items() if shape != most)
    same = next(name for name, shape in shapes.items() if shape == most)
    channels, height, width = most
    colour = "gray" if channels == 1 else "rgb"
    return (
        f"{name} has images of {_text(shape)}, and {same} of {_text(most)}; networks need one shape. Pictures of your own"
        f" become such with height: {height}, width: {width}, colour: {colour}"
    )


def _text(shape: Shape) -> str:
    """Return a shape as messages show it: 1 x 28 x 28 (channels, height, width)."""
    return f"{' x '.join(map(str, shape))} (channels, height, width)"
