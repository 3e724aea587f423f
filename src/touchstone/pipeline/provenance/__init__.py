"""Digests of code, sidecars, the chain, the action cache, git. It must not know a study or Snakemake."""
