"""Evidence files: one archive with everything that a claim can be checked from. It must not know what a check is."""
