"""Which file is made by which step from which files. It must not run anything."""
