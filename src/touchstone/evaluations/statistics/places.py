"""What a metric row was measured on: an example set, and what was done to its images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from touchstone.records.metric_tables import MetricRow


@dataclass(frozen=True)
class Place:
    """The column `examples` of a row, taken apart: "digits_test/pgd/unet" was attacked, then translated.

    Attributes:
        dataset: the example set.
        changes: the attacks and translators that changed its images, in order; empty for clean images.
    """

    dataset: str
    changes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "/".join((self.dataset, *self.changes))

    @classmethod
    def parse(cls, examples: str) -> Self:
        """Return the place that a text names; `str` is its inverse."""
        dataset, *changes = examples.split("/")
        return cls(dataset, tuple(changes))

    @property
    def how(self) -> str:
        """What was done to the images: "pgd/unet"; empty for clean ones."""
        return "/".join(self.changes)

    @property
    def last(self) -> str:
        """The last change, or the example set if there is none."""
        return self.changes[-1] if self.changes else self.dataset

    @property
    def before(self) -> Place:
        """The place before the last change."""
        return Place(self.dataset, self.changes[:-1])


def place_of(row: MetricRow) -> Place:
    """Return the place of a row."""
    return Place.parse(row.examples)
