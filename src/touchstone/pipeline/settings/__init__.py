"""A study's settings: its file, params.yaml and its papers, read, checked, resolved. It must not know the files that a study makes."""
