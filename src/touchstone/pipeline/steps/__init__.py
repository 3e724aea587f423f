"""One file per step, from records to records. It must not read or write a file, or know a name of a study."""
