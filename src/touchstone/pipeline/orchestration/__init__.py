"""Everything that knows Snakemake: runs, reruns, locks, restored records. It must not compute a number."""
