"""Components of the section `detectors:`: scores, higher is more anomalous. They must not import one another."""
