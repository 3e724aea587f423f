"""Check the chain of a finished run, trace, compare, recompute. It must not change a file of the study."""
