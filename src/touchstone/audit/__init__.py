"""What checks a study: the chain of its files, and everything that is computed again. It must not change a file of it."""
