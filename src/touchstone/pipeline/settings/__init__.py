"""params.yaml and its overlays: read, checked, resolved. It must not know which files a study makes."""
