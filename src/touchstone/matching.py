"""Which rule makes a file, told to Snakemake by the plan, which knows.

Snakemake 9 compares each file that a job reads with each output of each rule: of 590 jobs with 12,000 files that took 11
of 12 s. What the plan does not know (pages of the report, mistyped paths) is still looked for in Snakemake's own way.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from snakemake.output_index import OutputIndex
from snakemake.rules import Rule as SnakemakeRule

from touchstone.plan import Plan
from touchstone.plan_parts import Rule
from touchstone.provenance import SIDECAR


def use(plan: Plan) -> None:
    """Let Snakemake's index of outputs and its rules ask the plan first, in this process."""
    start, search, match = OutputIndex.__init__, OutputIndex.match_producers, SnakemakeRule.get_wildcards

    @cache
    def maker(file: str) -> tuple[Rule, dict[str, str]] | None:
        try:
            return plan.maker(file.removesuffix(SIDECAR))
        except KeyError:
            return None

    def started(self: Any, rules: Any) -> None:
        start(self, rules)
        self.touchstone_rules = {rule.name: rule for rule in rules}

    def producers(self: Any, targetfile: str) -> Any:
        if (known := maker(str(targetfile))) is None:
            return search(self, targetfile)
        found = self.touchstone_rules.get(known[0].name)  # none: a job on a cluster is told the rules that it may use
        return set() if found is None else {found}

    def wildcards(self: Any, requested_output: Any, wildcards_dict: Any = None) -> Any:
        known = None if requested_output is None else maker(str(requested_output))
        if known is None or known[0].name != self.name:
            return match(self, requested_output, wildcards_dict=wildcards_dict)
        return dict(known[1])

    OutputIndex.__init__, OutputIndex.match_producers = started, producers
    SnakemakeRule.get_wildcards = wildcards
