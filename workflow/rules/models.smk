# Networks: classifiers and translators, one job per entry and seed.


rule train:
    input:
        inputs(PLAN.rules["train"]),
    output:
        with_sidecars(PLAN.files(PLAN.rules["train"])),
    log:
        f"{LOGS}/train/{{trained}}.log",
    conda:
        "../envs/touchstone.yaml"
    threads: TORCH_THREADS
    resources:
        **TORCH_RESOURCES,
    params:
        settings=settings(PLAN.rules["train"]),
        code=code(PLAN.rules["train"]),
    message:
        "Train {wildcards.trained}"
    shell:
        RUN
