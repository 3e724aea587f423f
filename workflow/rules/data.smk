# Raw files from their sources, and the example sets that are made of them.


rule fetch:
    input:
        jobs=STUDY.inputs("fetch"),
        # They lie where the user runs Snakemake, whatever prefix or storage another workflow gives to the rest.
        files=lambda wildcards: [local(path) for path in STUDY.own_files(wildcards)],
    output:
        folder=directory("data/raw/{source}"),
        sidecar="data/raw/{source}.prov.json",
    log:
        "logs/fetch/{source}.log",
    # Snakemake runs it where it runs itself: the nodes of a cluster may have no internet.
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * min(attempt, 3),
        runtime=lambda wildcards, attempt: 60 * min(attempt, 3),
    params:
        plan=STUDY.digest("fetch"),
    message:
        "Fetch {wildcards.source}"
    shell:
        JOB


rule prepare:
    """Read fetch."""
    input:
        jobs=STUDY.inputs("prepare"),
    output:
        directory(f"{RESULTS}/prepare/{NAME}"),
    log:
        f"{LOGS}/prepare.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * min(attempt, 3),
        runtime=lambda wildcards, attempt: 60 * min(attempt, 3),
    params:
        plan=STUDY.digest("prepare"),
    message:
        "Prepare the example sets"
    shell:
        JOB
