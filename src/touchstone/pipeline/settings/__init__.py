"""A study's settings: params.yaml and an overlay, read, checked, resolved. It must not know the files that a study makes."""
