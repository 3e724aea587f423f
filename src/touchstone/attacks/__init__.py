"""Components of the section `attacks:`, one per file. They must not import one another."""
