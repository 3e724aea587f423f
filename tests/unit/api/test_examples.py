"""Every function of the library shows how it is called, and what it shows is true."""

import doctest
import inspect
import sys

import pytest

import touchstone

FUNCTIONS = [name for name in touchstone.__all__ if inspect.isfunction(getattr(touchstone, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_examples_of_a_function_are_true(name):
    function = getattr(touchstone, name)
    (test,) = doctest.DocTestFinder(recurse=False).find(
        function, name, globs=dict(vars(sys.modules[function.__module__]))
    )

    assert test.examples
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed == 0
