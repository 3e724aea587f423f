"""From raw files to example sets: sources, components of the section `examples:`, and readers of archives (ingest). They
must not import one another or torch.
"""
