"""touchstone: the workflow is in workflow/Snakefile, where Snakemake's standard puts it. Start with README.md."""


include: "workflow/Snakefile"


# An included file does not set the default target.
workflow.default_target = "all"
