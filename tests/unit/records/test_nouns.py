"""What steps exchange: values that mean nothing are refused where they are made."""

import numpy as np
import pytest

from touchstone.records.nouns import ContractError, Outputs


@pytest.mark.parametrize("name", ["logits", "unquantised_logits", "features", "gradient_norms"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_hold_numbers_only(name, value):
    rows = np.zeros((3, 2), dtype=np.float32)
    wrong = rows.copy()
    wrong[1, 1] = value
    given = {"logits": rows, "labels": np.zeros(3, dtype=np.int64), "example_ids": np.arange(3)}
    given |= {name: {"one": wrong} if name in ("features", "gradient_norms") else wrong}

    with pytest.raises(ContractError, match="holds NaN or infinity"):
        Outputs(**given)
