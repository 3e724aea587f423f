"""How many images a number could be measured on: the subsets behind it, and the sets that they are drawn from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from touchstone.records.metric_tables import MetricRow

SUBSET = "data/subset"
IMAGE_BY_IMAGE = ("data/corruption", "data/natural_shift")  # components that make one image from each image of a set


class LargerSets:
    """How far the sets of a study can grow.

    Only subsets grow, by a larger `count`. These rules keep every image that they have, and take none that another
    purpose reserves:

    - A subset grows up to the size of the set that it is drawn from, less the images that it skips.
    - If that set is a subset, too, and nothing of it is skipped, the smaller one can outgrow it. It then takes the place
      of the larger one: what it is drawn from, and what it skips.
    - It ends where another subset of the same set begins, because a `skip` keeps images apart.
    - The size of a set that is no subset is the greatest number of images of a number that is measured on the whole
      set. Without such a number, subsets grow no further than the subsets that they are drawn from.
    """

    def __init__(self, examples: Mapping[str, Mapping[str, Any]], rows: Iterable[MetricRow]) -> None:
        """Count the images of each set.

        Args:
            examples: the resolved settings of the study's sets.
            rows: all that the study measured.
        """
        self._examples = examples
        self._counted: dict[str, int] = {}
        for row in rows:
            # Skip numbers about two populations, which have fewer images than n.
            if row.base_rate is None and row.examples == row.dataset and row.images == row.n:
                self._counted[row.dataset] = max(row.n, self._counted.get(row.dataset, 0))

    def images(self, row: MetricRow, sets: Iterable[str]) -> int:
        """Return how many images a number could have; the present ones if one of its sets cannot grow.

        All sets of a number grow in proportion, because its variance is assumed to fall with the images of each. So the
        set that can grow least decides, even for a mean over sets.

        Args:
            row: the number.
            sets: that it was measured on.
        """
        present, counts = row.images or row.n, self._counts(sets)
        # If neither is true, the number is of a sample of fixed size.
        if counts and (present >= row.n or present in counts.values()):
            return max(present, min(present * self.limit(name) // count for name, count in counts.items()))
        return present

    def enlarged(self, row: MetricRow, sets: Iterable[str], images: int) -> dict[str, int]:
        """Return {subset: its count} with which a number has so many images; none if it has them already."""
        present = row.images or row.n
        if images <= present:
            return {}
        return {name: -(-images * count // present) for name, count in self._counts(sets).items()}

    def limit(self, name: str) -> int:
        """Return the largest count that a subset can have."""
        block = self._examples[name]
        first, parent = int(block["skip"]), block["of"]
        end = first + int(block["count"])
        if not self._is_subset(parent):
            size = self._counted.get(parent, end)
        else:
            size = int(self._examples[parent]["count"]) if first else self.limit(parent)
        others = [other for other in self._examples.values() if other["use"] == SUBSET]
        reserved = [
            int(other["skip"]) for other in others if all(other[key] == block[key] for key in ("of", "split_seed"))
        ]
        return max(end, min([size, *(start for start in reserved if start >= end)])) - first

    def _is_subset(self, name: str) -> bool:
        return bool(self._examples[name]["use"] == SUBSET)

    def _counts(self, sets: Iterable[str]) -> dict[str, int]:
        """Return {subset: its count} of the subsets that have to grow for these sets; none if one cannot grow."""
        subsets = {subset_behind(name, self._examples) for name in sets}
        return {} if "" in subsets else {name: int(self._examples[name]["count"]) for name in sorted(subsets)}


def subset_behind(name: str, examples: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the subset that has to grow for a set to grow: itself, or what it was made from; "" if there is none."""
    while examples[name]["use"] in IMAGE_BY_IMAGE:
        name = examples[name]["of"]
    return name if examples[name]["use"] == SUBSET else ""
