"""Sidecars, digests of code, the store, packs. It must not depend on a study or Snakemake."""
