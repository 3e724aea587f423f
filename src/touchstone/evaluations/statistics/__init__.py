"""Cells in, metric rows out, with numpy and scipy. It must not read files or know a claim."""
