# Raw files from their sources, and the example sets that are created from them.


rule fetch:
    output:
        folder=directory("data/raw/{source}"),
        sidecar="data/raw/{source}.prov.json",
    log:
        "logs/fetch/{source}.log",
    priority: 1  # before networks, so that a leaking set is detected before anything is trained
    conda:
        "../envs/touchstone.yaml"
    threads: 1
    resources:
        **PLAIN_RESOURCES,
    params:
        settings=settings(PLAN.rules["fetch"]),
        code=code(PLAN.rules["fetch"]),
    message:
        "Fetch {wildcards.source}"
    shell:
        RUN


rule prepare:
    input:
        inputs(PLAN.rules["prepare"]),
    output:
        with_sidecars(PLAN.files(PLAN.rules["prepare"])),
    log:
        f"{LOGS}/prepare/{{examples}}.log",
    priority: 1
    conda:
        "../envs/touchstone.yaml"
    threads: 1
    resources:
        **PLAIN_RESOURCES,
    params:
        settings=settings(PLAN.rules["prepare"]),
        code=code(PLAN.rules["prepare"]),
    message:
        "Prepare {wildcards.examples}"
    shell:
        RUN
