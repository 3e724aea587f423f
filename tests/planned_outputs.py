"""What the jobs of a plan make, compared with what their rules promise and with what other jobs read."""

from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance.addresses import Address


def check(plan: Plan) -> int:
    """Check that each job makes its rule's outputs in order: all whole files, and of a bundle the members that are read.

    Returns:
        How many members are left out, because no job reads them.
    """
    jobs = [(rule, wildcards, plan.tasks(rule, **wildcards)) for rule, wildcards in plan.jobs()]
    read = {file for *_, tasks in jobs for task in tasks for file in task.input_files}
    left_out = 0
    for rule, wildcards, tasks in jobs:
        outputs = [pattern.format(**wildcards) for pattern in plan.outputs(rule)]
        made = [task.output for task in tasks]
        wanted = [address for address in outputs if address in read or not Address.parse(address).member]

        assert made == wanted, rule.name
        assert made, rule.name
        left_out += len(outputs) - len(made)
    return left_out
