"""One small noun of every kind."""

import numpy as np

from touchstone.records.nouns import Checkpoint, Detector, ExampleSet, Margins, Outputs, Scores


def examples(count=3, **changes):
    values = {
        "images": np.linspace(0, 1, count * 4, dtype=np.float32).reshape(count, 1, 2, 2),
        "labels": np.arange(count, dtype=np.int64),
        "example_ids": np.arange(count, dtype=np.int64) + 7,
        "source": "here",
        "notes": {"why": "test"},
    }
    return ExampleSet(**(values | changes))


NOUNS = [
    examples(),
    examples(unquantised=np.full((3, 1, 2, 2), 0.123, dtype=np.float32)),
    Checkpoint({"w": np.ones(3)}, {"use": "models/mlp"}, (1, 2, 2), 3, (0.1,), (0.5,), {"loss": np.ones(2)}),
    Outputs(
        np.ones((2, 3)), np.zeros(2, np.int64), np.arange(2), {"penultimate": np.ones((2, 5))}, {"a": np.ones((2, 4))}
    ),
    Margins(np.array([0.1, np.inf]), np.array([True, False]), np.zeros(2), np.zeros(2), np.arange(2), "linf", "fab"),
    Detector({"mean": np.zeros(3)}, {"use": "detectors/msp"}, {"0.05": 0.5}, 1.0, False),
    Detector({}, {"use": "detectors/msp"}, {"0.05": 0.5}, 1.0, False),
    Scores(np.array([0.5, 0.25]), np.arange(2), np.zeros(2, np.int64)),
]
