"""Names of the classes of data sets that label them by numbers only."""

from __future__ import annotations

from touchstone.records.nouns import ExampleSet

# In the order of the labels. Digits have no entry: their numbers are their names.
CLASS_NAMES = {
    "fashion_mnist": (
        "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
    ),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}  # fmt: skip


def class_name(examples: ExampleSet | None, label: int) -> str:
    """Return what a label of a set is called, or its number if the data set has no names.

    Args:
        examples: the data set, or one that was derived from it; None if it is not at hand.
        label: one of its labels.
    """
    if examples is None:
        return str(label)
    number = examples.notes.get("relabelled", range(label + 1))[label]
    names = CLASS_NAMES.get(examples.source.partition("/")[0], ())
    return names[number] if 0 <= number < len(names) else str(number)
