"""`touchstone assay`: a study about a user's own model. It must not hold a step or a component of its own."""
