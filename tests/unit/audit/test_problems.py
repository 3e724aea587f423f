"""What an error means that a check raises: a forged file, or a machine that could not read an honest one."""

import errno

import pytest
import torch

from touchstone.audit.problems import BUDGET, Result

FORGED = "can't allocate memory"  # torch's words, which a forger may write anywhere


def said(error):
    result = Result()
    with result.reading(BUDGET, "attacked.safetensors", "cannot be read"):
        raise error
    return result


def no_memory():
    try:
        torch.empty(2**60, dtype=torch.uint8)
    except RuntimeError as error:
        return error
    raise AssertionError("a machine of 2^60 bytes")


@pytest.mark.parametrize("error", [no_memory(), MemoryError(), OSError(errno.ENOSPC, "full")])
def test_what_this_machine_lacks_is_no_finding(error):
    result = said(error)

    assert result.problems == []
    assert len(result.unchecked) == 1


@pytest.mark.parametrize("kind", [ValueError, KeyError, RuntimeError, OSError])
def test_words_of_a_forger_are_a_finding(kind):
    result = said(kind(f"norm: expected linf or l2, got {FORGED!r}"))

    assert len(result.problems) == 1
    assert result.unchecked == []
