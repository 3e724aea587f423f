"""A forger of the evidence of evaluate(): every file is changed consistently, so that no digest and no number differs.

Tests load it with runpy, because test folders are no packages.
"""

from dataclasses import replace

import numpy as np

from touchstone.api.evaluation_checks import failed
from touchstone.api.evaluation_evidence import ROWS, SETS, decode_rows, encode_rows
from touchstone.evaluations.statistics import intervals
from touchstone.provenance import archive
from touchstone.records import encoding

NOUNS = tuple(f"{name}{suffix}" for name in SETS for suffix in ("", "_logits"))


class Evaluation:
    """The contents of an evidence file of evaluate(): nouns by name, the masks, and what it says about them."""

    def __init__(self, path, folder):
        evidence, _ = archive.unpack(path, folder)
        self.about = dict(evidence.about)
        self.nouns = {name: encoding.decode((folder / f"{name}.safetensors").read_bytes()) for name in NOUNS}
        self.rows = decode_rows((folder / ROWS).read_bytes(), len(self.nouns["clean"]))

    def change(self, *names, **fields):
        """Replace fields of nouns, each by what a function makes of it."""
        for name in names:
            noun = self.nouns[name]
            made = {field: make(getattr(noun, field).copy()) for field, make in fields.items()}
            self.nouns[name] = replace(noun, **made)

    def keep(self, rows):
        """Keep some rows, in this order, and number them anew."""
        numbered = {"labels": lambda labels: labels[rows], "example_ids": lambda _: np.arange(len(rows))}
        self.change(*SETS, **numbered, images=lambda images: images[rows])
        self.change("clean_logits", "attacked_logits", **numbered, logits=lambda logits: logits[rows])
        self.rows = {name: mask[rows] for name, mask in self.rows.items()}

    def relabel(self, labels):
        """Give other labels to all images."""
        self.change(*NOUNS, labels=lambda _: labels)

    def consistent(self):
        """Make masks, accuracies and checks what the predictions say."""
        clean, attacked = (self.nouns[f"{name}_logits"] for name in SETS)
        right = clean.predictions == clean.labels
        robust = right & (attacked.predictions == attacked.labels)
        # An attack that the author says fooled an image did so; all others left it as it was.
        self.rows |= {name: (self.rows[name] & right) | robust for name in ("white_box", "black_box")}
        self.rows |= {name: (self.rows[name] | robust) & right for name in ("single_step", "noise")}
        self.rows["black_box"] &= self.rows["white_box"]
        self.rows |= {"clean": right, "robust": robust}
        self.rows["large_eps"] &= robust
        self.rows["loss_rises"] |= ~robust
        for name, mask in (("clean", right), ("robust", robust)):
            interval = intervals.binomial(int(mask.sum()), len(mask))
            self.about[f"{name}_accuracy"] = {end: getattr(interval, end) for end in ("value", "low", "high")}
        self.about["failed_checks"] = list(failed({name: mask.mean() for name, mask in self.rows.items()}, 0.0))

    def packed(self, path):
        """Write the evidence file."""
        files = {f"{name}.safetensors": encoding.encode(noun) for name, noun in self.nouns.items()}
        files[ROWS] = encode_rows(self.rows)
        archive.write(path, "evaluation", self.about, [(name, lambda data=data: data) for name, data in files.items()])
        return path
