"""One file per command that is typed, beside helpers of these. It must not hold what another package needs."""
