"""The files of a finished run: their chain, where a number comes from, two runs compared. It must not compute one again."""
