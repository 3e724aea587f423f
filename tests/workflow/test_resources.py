"""What rules ask a cluster for: a GPU and threads where torch works and the study says so; nothing of it elsewhere."""

import json
import re
import shutil
from pathlib import Path

import pytest

from projects import write_study
from touchstone.pipeline.planning.parts import RULES
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.study import load

TAGS = """
import json
include: "Snakefile"
def value(resources, name):
    asked = resources[name] if name in resources else 0
    return getattr(asked, "value", asked)  # Snakemake 9.3 has the number itself
print("TAGS", json.dumps({each.name: [value(each.resources, "gpu"), value(each.resources, "_cores")] for each in workflow.rules}))
"""


RULE_FILES = sorted((Path(__file__).parents[2] / "workflow/rules").glob("*.smk"))


def test_a_job_asks_for_more_at_its_second_and_third_attempt_and_not_after_that():
    """With --retries 20, a training that a time limit cuts into pieces must not ask for 80 GB in the end."""
    texts = re.findall(r"(?:mem_mb|runtime)=(lambda .*),\n", "".join(path.read_text() for path in RULE_FILES))
    asked = [[eval(text)(None, attempt) for attempt in (1, 2, 3, 20)] for text in texts]

    assert len(asked) == 2 * len(RULES)
    assert all(first < second < third == last for first, second, third, last in asked), asked


@pytest.mark.parametrize(("device", "gpus"), [("cuda", 1), ("cpu", 0)])
def test_rules_where_torch_works_ask_for_the_gpu_and_the_threads_of_the_study_and_no_others(
    bare, tmp_path, device, gpus
):
    project = type(bare)(tmp_path / "project")
    shutil.copytree(bare.root, project.root)
    write_study(project.root, "mine", compute={"device": device, "threads": 2})
    (project.root / "tags.smk").write_text(TAGS)
    jobs = Plan(load("mine", project.root)).jobs.values()
    with_torch = {job.rule for job in jobs for task in job.tasks if task.runs_torch}

    flags = ("--snakefile", "tags.smk", "--dry-run", "--quiet", "all", "--cores", "2")
    said = project.snakemake(*flags, "data/raw/sklearn_digits", study="mine").stdout

    tags = json.loads(said.partition("TAGS ")[2].splitlines()[0])
    assert {"train", "attack", "detect"} <= with_torch < {*RULES}
    assert {name: tags[name] for name in RULES} == {name: [gpus, 2] if name in with_torch else [0, 1] for name in RULES}
