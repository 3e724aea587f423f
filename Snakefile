"""touchstone: read the settings, include the rule files, name the targets. Start with README.md."""


include: "workflow/common.smk"


rule all:
    default_target: True
    input:
        # A clone contains the committed report. Only with its tables does a study count as finished.
        with_sidecars([REPORT, *METRICS]),
        PLAN.layout.more_pages[:-1],


include: "workflow/rules/data.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/examples.smk"
include: "workflow/rules/shards.smk"
include: "workflow/rules/results.smk"
