"""The error of damaged bytes and files. It must stay light: planning imports it."""


class DamagedFile(ValueError):
    """Bytes or files that are not whole, or not what they should be."""
