"""Sidecars, digests, the cache. It must not depend on a study or Snakemake."""
