"""Functions for notebooks, offered by `import touchstone`. They must not need a plan, a workflow or a file of a study."""
