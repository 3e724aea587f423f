"""Everything that knows Snakemake: its command line, its rules, locks, cleaning up. It must not compute a number."""
