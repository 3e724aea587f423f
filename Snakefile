"""touchstone: settings in, rule files included, targets named. Start with README.md; the design is two hops deep."""


include: "workflow/common.smk"


rule all:
    default_target: True
    input:
        REPORT,
        REPORT + ".prov.json",


include: "workflow/rules/data.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/examples.smk"
include: "workflow/rules/results.smk"
