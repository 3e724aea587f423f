"""Which network's numbers are subtracted from another's."""

import pytest

from touchstone.evaluations.statistics.pairing import partner, require_outputs
from touchstone.records.nouns import Cell


@pytest.mark.parametrize(
    ("seeds", "seed", "expected"),
    [((0, 1, 2), 1, 1), ((1,), 0, 1), ((1,), None, 1), ((None,), 3, None)],
)
def test_the_partner_has_the_same_seed_or_is_the_only_one(seeds, seed, expected):
    assert partner({one: f"net.{one}" for one in seeds}, seed) == f"net.{expected}"


@pytest.mark.parametrize(("seeds", "seed"), [((1, 2), 0), ((0, 1), 2), ((3, None), 0)])
def test_no_network_of_several_takes_the_place_of_one_that_is_missing(seeds, seed):
    assert partner({one: f"net.{one}" for one in seeds}, seed) is None


def test_a_name_without_outputs_is_refused():
    cells = [Cell(None, "o", entry="cnn")]

    require_outputs(["cnn"], cells)
    with pytest.raises(ValueError, match="no outputs of mlp"):
        require_outputs(["mlp", "cnn"], cells)
