"""A study's settings: its file, params.yaml and its papers, read, checked, resolved. It must not know what a study makes."""
