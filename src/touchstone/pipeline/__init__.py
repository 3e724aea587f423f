"""From params.yaml to files: settings, planning, provenance, steps, jobs, orchestration, audit. It must not hold science."""
