"""What people call the entries of a study, in sentences and titles: "the CNN trained on PGD", never cnn_pgd."""

from __future__ import annotations

import re
from collections.abc import Mapping

STAR = "*"  # of a pattern, and in its words
NUMBER = re.compile(r"_\d+$")  # cnn_aloe_0 is of the kind cnn_aloe, pgd_10 of the kind pgd


def called(name: str, words: Mapping[str, str]) -> str:
    """Return what people call an entry, or else its kind; one without words is called its name, with spaces.

    Args:
        name: of the entry.
        words: {entry: what people call it}. The words of a pattern are those of each of its entries, and a `*` in them is
            what the rest of the name is called: with `gradients_on_*: gradients fitted on *` and `pgd: PGD`,
            gradients_on_pgd is called "gradients fitted on PGD".
    """
    if name in words:
        return words[name]
    for pattern, text in words.items():
        before, star, after = pattern.partition(STAR)
        rest = name.removeprefix(before).removesuffix(after)
        if star and rest and name == f"{before}{rest}{after}":
            return text.replace(STAR, called(rest, words)) if STAR in text else text
    return words.get(NUMBER.sub("", name), name.replace("_", " "))
