"""Check an attacked set against the budget that its attack declares."""

from __future__ import annotations

from typing import Any

import numpy as np

from touchstone.evaluations.statistics import declared_budgets


def check_declared_budget(block: dict[str, Any], examples: Any, attacked: Any) -> None:
    """Check that an attacked set has the labels and rows of its clean set, and stays within the budget of its attack.

    An attack declares a budget by its settings `eps` and `norm`; without `norm`, the norm is L-inf. An attack that
    combines others, such as `worst_of`, declares all their budgets, and each image must be within at least one. If any of
    them has no `eps`, no budget is declared. With `clip: false`, only the images on the 1/255 grid are checked.

    Args:
        block: the settings of the attack.
        examples: the clean ExampleSet.
        attacked: the ExampleSet that the attack returned for it.

    Raises:
        ValueError: names the attack and what is wrong with its result.
    """
    import torch  # only jobs that attack need it

    from touchstone.attacks.adversary.budgets import check_budgets

    name = block["use"]
    if not np.array_equal(attacked.example_ids, examples.example_ids) or not np.array_equal(
        attacked.labels, examples.labels
    ):
        raise ValueError(f"{name} changed labels or the order of rows")
    budgets = declared_budgets.declared(block)
    if not budgets:
        return
    versions = [attacked.images]
    if attacked.unquantised is not None and declared_budgets.stays_in_range(block):
        versions.append(attacked.unquantised)
    for version in versions:
        check_budgets(name, torch.from_numpy(examples.images), torch.from_numpy(version), budgets)
