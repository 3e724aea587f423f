"""Criteria fixed beforehand, the measurements they need, verdicts. It must not draw or write a page."""
