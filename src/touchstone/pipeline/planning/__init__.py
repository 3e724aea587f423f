"""The graph of a study: which step creates which file. It must not run anything."""
