"""Check the chain of a finished run, trace, compare. It must not change a file of the study, nor compute one again."""
