"""Attacks on networks, on detectors and defences (adaptive), and distances to the decision boundary (margins), beside what
these share (adversary). They must not import one another.
"""
