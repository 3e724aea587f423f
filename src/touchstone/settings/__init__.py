"""Settings of a study: its file, params.yaml and papers, read, checked, resolved. It must not know what a study makes."""
