"""The graph of a study: which step creates which file from which inputs. It must not run anything."""
