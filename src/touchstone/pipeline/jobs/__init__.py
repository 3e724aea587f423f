"""One job of the workflow in one process. It must not depend on Snakemake."""
