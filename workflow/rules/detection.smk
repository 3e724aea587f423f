# What networks, detectors and defences say of the example sets.


rule measure:
    """Read prepare, train, attack."""
    input:
        jobs=STUDY.inputs("measure"),
    output:
        directory(f"{RESULTS}/measure/{{network}}"),
    log:
        f"{LOGS}/measure/{{network}}.log",
    conda:
        ENVIRONMENT
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * min(attempt, 3),
        runtime=lambda wildcards, attempt: 240 * min(attempt, 3),
    params:
        plan=STUDY.digest("measure"),
    message:
        "Measure outputs and margins of {wildcards.network}"
    shell:
        JOB


rule detect:
    """Read prepare, train, attack, translate."""
    input:
        jobs=STUDY.inputs("detect"),
    output:
        directory(f"{RESULTS}/detect/{{network}}"),
    log:
        f"{LOGS}/detect/{{network}}.log",
    conda:
        ENVIRONMENT
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * min(attempt, 3),
        runtime=lambda wildcards, attempt: 240 * min(attempt, 3),
    params:
        plan=STUDY.digest("detect"),
    message:
        "Fit, attack and score the detectors of {wildcards.network}"
    shell:
        JOB


rule defend:
    """Read prepare, train, attack, detect."""
    input:
        jobs=STUDY.inputs("defend"),
    output:
        directory(f"{RESULTS}/defend/{{defence}}"),
    log:
        f"{LOGS}/defend/{{defence}}.log",
    conda:
        ENVIRONMENT
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * min(attempt, 3),
        runtime=lambda wildcards, attempt: 240 * min(attempt, 3),
    params:
        plan=STUDY.digest("defend"),
    message:
        "Attack and run {wildcards.defence}"
    shell:
        JOB
