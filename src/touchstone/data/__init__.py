"""Components of the section `examples:`: from raw files to example sets. They must not import one another or torch."""
