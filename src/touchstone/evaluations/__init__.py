"""Components of the section `evaluations:`: from outputs to metric rows. They must not import one another or torch."""
