"""Keep the bytecode of the source and of the tests, rewritten by pytest, until all tests are collected.

PYTHONDONTWRITEBYTECODE, which many containers set, would have each worker, and each fork that runs tests, compile all of it.
After the collection the variable holds again: a file that a test edits twice in a second, without a change of its size,
would be read from the bytecode of its first edit.
"""

import sys

FORBIDDEN = sys.dont_write_bytecode
sys.dont_write_bytecode = False


def leave() -> None:
    """Write bytecode only if the environment allows it."""
    sys.dont_write_bytecode = FORBIDDEN
