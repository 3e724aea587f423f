"""Which rule makes a file, told to Snakemake by the plan, which knows.

Snakemake 9 compares each file that a job reads with each output of each rule: of 590 jobs with 12,000 files that took 11
of 12 s. What the plan does not know (pages of the report, mistyped paths) is still looked for in Snakemake's own way.
"""

from __future__ import annotations

from typing import Any

from snakemake.output_index import OutputIndex

from touchstone.plan import Plan
from touchstone.provenance import SIDECAR


def use(plan: Plan) -> None:
    """Let Snakemake's index of outputs ask the plan first, in this process."""
    start, search = OutputIndex.__init__, OutputIndex.match_producers

    def started(self: Any, rules: Any) -> None:
        start(self, rules)
        self.touchstone_rules = {rule.name: rule for rule in rules}

    def producers(self: Any, targetfile: str) -> Any:
        try:
            rule, _ = plan.maker(str(targetfile).removesuffix(SIDECAR))
        except KeyError:
            return search(self, targetfile)
        found = self.touchstone_rules.get(rule.name)  # none: a job on a cluster is told the rules that it may use
        return set() if found is None else {found}

    OutputIndex.__init__, OutputIndex.match_producers = started, producers
