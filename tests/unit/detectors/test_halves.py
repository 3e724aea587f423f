import pytest
import torch

from touchstone.detectors._halves import halves


def test_each_row_is_in_one_of_two_equal_halves_that_the_seed_draws():
    first, second = halves(11, 0)

    assert (len(first), len(second)) == (5, 6)
    assert torch.equal(torch.cat([first, second]).sort().values, torch.arange(11))
    assert torch.equal(first, halves(11, 0)[0])
    assert not torch.equal(first, halves(11, 1)[0])


def test_three_rows_are_refused():
    with pytest.raises(ValueError, match="3 ID images cannot be halved: at least 4 are needed"):
        halves(3, 0)
