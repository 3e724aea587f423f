"""The graph of a study: tasks, the jobs that hold them, where artefacts lie. It must not run anything."""
