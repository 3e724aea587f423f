"""What a study has besides today's plan stays until somebody asks for --prune."""


def stored(project):
    return {
        path.relative_to(project.root).as_posix() for path in (project.root / "data/few").rglob("*") if path.is_file()
    }


def test_results_of_other_settings_stay_and_are_found_again_until_they_are_pruned(few, tmp_path):
    project = few.copy(tmp_path / "clone")
    first = stored(project)
    path = "workflow/studies/few.yaml"
    project.edit(path, "limit: 60", "limit: 50")
    project.snakemake("--cores", "1", study="few")
    both = stored(project)
    assert first < both
    project.edit(path, "limit: 50", "limit: 60")
    project.snakemake("--cores", "1", study="few")
    assert "0 computed, 1 in the store" in (project.root / "logs/few/prepare.log").read_text()
    unfinished = project.root / "results/few/attack/gone.0"
    unfinished.mkdir(parents=True)
    of_another_run = project.root / "data/few/prepare/.being_written"
    of_another_run.touch()

    done = project.forked_touchstone("run", "few", "--cores", "1", "--prune")

    assert "Deleted 2 results that today's settings and code do not make." in done.stdout
    of_another_run.unlink()
    assert stored(project) == first
    assert not unfinished.exists()
    assert not project.planned(study="few")
