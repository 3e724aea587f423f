"""Digests of code, sidecars, the chain, the action cache, git. It must not depend on a study or Snakemake."""
