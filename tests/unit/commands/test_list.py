"""`touchstone list` says in one line what a component is."""

import pytest

from touchstone.__main__ import main


@pytest.mark.parametrize("name", ["gradnorm_huang", "openmax"])
def test_a_detector_that_differs_from_the_one_of_pytorch_ood_says_so_in_the_list(name, capsys):
    assert main(["list", "detectors"]) == 0

    (line,) = (each for each in capsys.readouterr().out.splitlines() if each.split()[:1] == [name])
    assert "; pytorch-ood" in line
