"""Evidence of a study's claims: which files hold it, and what proves them without trust. It must not verify by attacks."""
