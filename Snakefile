"""touchstone: settings in, rule files included, targets named. Start with README.md; the design is two hops deep."""


include: "workflow/common.smk"


rule all:
    default_target: True
    input:
        # The tables too: a clone holds the committed report, and that alone must not count as a finished study.
        with_sidecars([REPORT, *METRICS]),
        PLAN.more_pages[:-1],


include: "workflow/rules/data.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/examples.smk"
include: "workflow/rules/shards.smk"
include: "workflow/rules/results.smk"
