"""Components of the section `adaptive:`: attacks on detectors and defences. They must not import one another."""
