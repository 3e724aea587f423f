# Classifiers and translators.


rule train:
    """Read prepare, train."""
    input:
        jobs=STUDY.inputs("train"),
    output:
        directory(f"{RESULTS}/train/{{network}}"),
    log:
        f"{LOGS}/train/{{network}}.log",
    conda:
        ENVIRONMENT
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * min(attempt, 3),
        runtime=lambda wildcards, attempt: 240 * min(attempt, 3),
    params:
        plan=STUDY.digest("train"),
    message:
        "Train {wildcards.network}"
    shell:
        JOB
