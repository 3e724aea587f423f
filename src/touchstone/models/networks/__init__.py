"""Trained networks: checkpoints, read-outs, confounding labels. It must not read files of publishers or users."""
