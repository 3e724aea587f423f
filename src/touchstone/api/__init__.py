"""Functions for notebooks. It must not need a study, a plan or a file."""
