"""One file per command that is typed. It must not hold what another package needs."""
