"""One job of the workflow in its own process. It must not know Snakemake."""
