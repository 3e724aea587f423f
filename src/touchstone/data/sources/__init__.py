"""Components of the section `sources:`: where raw files come from. They must not import one another or torch."""
