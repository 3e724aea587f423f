"""The words of a verdict, on its two axes: whether a claim holds here, and whether it survives an attacker who knows."""

from __future__ import annotations

# Axis 1: does the claim hold here?
HOLDS, FAILS, INCONCLUSIVE, NOT_RUN = "holds", "fails", "inconclusive", "not run"
NO_VERDICT = ""  # of numbers without a bound
# If several apply, the first is the word: a claim is as good as the weakest of what it asks for.
STATUSES = (FAILS, NOT_RUN, INCONCLUSIVE, HOLDS, NO_VERDICT)
# Axis 2: does it survive an attacker who knows? The worst first.
BROKEN, UPPER_BOUND, NOT_ATTACKED = "broken", "upper bound only", "not attacked"
SURVIVES, DOES_NOT_APPLY = "survives", "does not apply"
ATTACKERS = (BROKEN, UPPER_BOUND, NOT_ATTACKED, SURVIVES, DOES_NOT_APPLY)
MISSING = "missing: "  # how the first note begins if the study asks a claim but lacks the rows for it


def shown_attacker(word: str, attacker: str) -> str:
    """Return what an attacker who knows makes of a claim; "" if that says nothing.

    Of a claim that fails without him, an attacker who found no more is not mentioned.
    """
    says_nothing = attacker == DOES_NOT_APPLY or (word, attacker) == (FAILS, UPPER_BOUND)
    return "" if says_nothing else attacker


def in_words(word: str, attacker: str) -> str:
    """Return both words of a verdict: "holds; attacker who knows: broken"."""
    shown = shown_attacker(word, attacker)
    return "; ".join(filter(None, (word, f"attacker who knows: {shown}" if shown else "")))
