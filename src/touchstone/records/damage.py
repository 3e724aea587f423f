"""What is raised for bytes or files that are damaged."""


class DamagedFile(ValueError):
    """Bytes that are not a whole, readable noun."""
