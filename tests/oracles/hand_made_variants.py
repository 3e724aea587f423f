"""A claim made by hand, S9-1, that is tried in variants: the rows of its networks, and the verdict with its variants."""

from __future__ import annotations

import numpy as np
from hand_made_claims import asks, book, row

from touchstone.claims.judging import StudyClaims, judge
from touchstone.evaluations.statistics.intervals import share
from touchstone.evaluations.statistics.rows import with_means

GATE = [
    {"name": "clean accuracy", "evaluation": "robustness", "metric": "clean_accuracy", "entry": "{net}",
     "examples": "{examples}", "within": 0.05},
]  # fmt: skip
CLAIM = asks(metric="robust_accuracy", above=0.5)


def seeded(entry, metric, values, images=500, **more):
    """Return the rows of networks of the seeds 0, 1, ... with these shares, and that of their mean, as evaluations make."""
    rows = []
    for seed, value in enumerate(values):
        hits = np.zeros(images, dtype=bool)
        hits[: round(value * images)] = True
        found = share(hits)
        about = {"entry": f"{entry}", "metric": metric, "seed": seed, "n": images, "method": found.method}
        spread = {"images": images, "image_variance": float(np.var(found.resampled.samples, ddof=1))}
        rows.append(row(value, found.low, found.high, resampled=found.resampled, **about, **spread, **more))
    return with_means(rows)


def flagship(robust=(0.78, 0.80, 0.82, 0.79, 0.81), clean=0.9):
    return [*seeded("cnn", "robust_accuracy", robust), *seeded("cnn", "clean_accuracy", [clean] * len(robust))]


def variant(robust, clean=0.9, entry="other", **more):
    return [*seeded(entry, "robust_accuracy", [robust], **more), *seeded(entry, "clean_accuracy", [clean])]


def tried(**variants):
    """Return the settings of variants, each with `other` as its network unless it says otherwise."""
    cast = {"net": "cnn", "examples": "test"}
    full = {
        name: {
            "changed": f"change {name}",
            "reason": "why",
            "roles": cast | {"net": "other"},
            "kind": cast,
            "eps": None,
        }
        | block
        for name, block in variants.items()
    }
    return {"gate": GATE, "variants": full}


def judged(rows, settings=None, claim=CLAIM):
    """Return the verdict on S9-1 with its variants."""
    made = book(S9_1=claim)
    cast = {"S9-1": {"net": "cnn", "examples": "test"}}
    study = StudyClaims({"main": "robustness"}, cast, variants={"S9-1": settings or tried(one={})})
    (verdict,) = judge(made, study, rows)
    return verdict
