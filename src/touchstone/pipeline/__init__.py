"""From settings to files: the plan, its steps, its jobs, Snakemake. It must not hold science."""
