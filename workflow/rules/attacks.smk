# Example sets that need networks: attacked and translated ones.


rule attack:
    """Read prepare, train."""
    input:
        jobs=STUDY.inputs("attack"),
    output:
        directory(f"{RESULTS}/attack/{{network}}"),
    log:
        f"{LOGS}/attack/{{network}}.log",
    conda:
        ENVIRONMENT
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * min(attempt, 3),
        runtime=lambda wildcards, attempt: 240 * min(attempt, 3),
    params:
        plan=STUDY.digest("attack"),
    message:
        "Attack {wildcards.network}"
    shell:
        JOB


rule translate:
    """Read prepare, train, attack."""
    input:
        jobs=STUDY.inputs("translate"),
    output:
        directory(f"{RESULTS}/translate/{{seed}}"),
    log:
        f"{LOGS}/translate/{{seed}}.log",
    conda:
        ENVIRONMENT
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * min(attempt, 3),
        runtime=lambda wildcards, attempt: 240 * min(attempt, 3),
    params:
        plan=STUDY.digest("translate"),
    message:
        "Translate with the translators of seed {wildcards.seed}"
    shell:
        JOB
