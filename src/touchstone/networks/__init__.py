"""Trained networks: checkpoints, read-outs, confounding labels. It must not read other people's files."""
