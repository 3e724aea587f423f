"""Components of the section `figures:`: from metric rows to plots. They must not import one another or torch."""
