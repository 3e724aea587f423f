"""Which network's numbers are subtracted from another's."""

import pytest

from touchstone.records.nouns import Cell
from touchstone.statistics.pairing import partner, require_outputs


@pytest.mark.parametrize(
    ("seeds", "seed", "expected"),
    [((0, 1, 2), 1, 1), ((1, 2), 0, 1), ((2, 1), None, 1), ((None,), 3, None), ((3, None), 0, 3)],
)
def test_the_partner_has_the_same_seed_or_is_the_first(seeds, seed, expected):
    assert partner({one: f"net.{one}" for one in seeds}, seed) == f"net.{expected}"


def test_a_name_without_outputs_is_refused():
    cells = [Cell(None, "o", entry="cnn")]

    require_outputs(["cnn"], cells)
    with pytest.raises(ValueError, match="no outputs of mlp"):
        require_outputs(["mlp", "cnn"], cells)
