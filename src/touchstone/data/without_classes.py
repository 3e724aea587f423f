"""Images of another data set whose classes have no meaning here."""

from __future__ import annotations

from touchstone.data.ingest.example_notes import derived, no_classes
from touchstone.records.nouns import ExampleSet


def without_classes(examples: ExampleSet) -> ExampleSet:
    """Return the same rows with label -1; images and ids stay.

    For an out-of-distribution set that has classes of its own. An image with a class counts as in distribution, so an
    attack on a detector's score would make it look more anomalous instead of less. The source is named
    `<source>/without_classes`.
    """
    return derived(examples, examples.images, "without_classes", labels=no_classes(len(examples)))
