"""Sidecars, digests of code, the store. It must not depend on a study or Snakemake."""
