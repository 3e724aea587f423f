# Outputs of networks and detectors on the example sets, their metrics, and the report.

for RULE in PLAN.rules_of("infer"):

    rule:
        name:
            RULE.name
        input:
            inputs(RULE),
        output:
            update(with_sidecars(PLAN.files(RULE))),
        log:
            f"{LOGS}/{RULE.name}/{RULE.slots}.log",
        conda:
            "../envs/touchstone.yaml"
        threads: TORCH_THREADS
        resources:
            **TORCH_RESOURCES,
        params:
            settings=settings(RULE),
            code=code(RULE),
        message:
            f"Run {{wildcards.net}}: {RULE.batch.name}"
        shell:
            RUN


for RULE in PLAN.rules_of("measure"):

    rule:
        name:
            RULE.name
        input:
            inputs(RULE),
        output:
            update(with_sidecars(PLAN.files(RULE))),
        log:
            f"{LOGS}/{RULE.name}/{RULE.slots}.log",
        conda:
            "../envs/touchstone.yaml"
        threads: TORCH_THREADS
        resources:
            **TORCH_RESOURCES,
        params:
            settings=settings(RULE),
            code=code(RULE),
        message:
            f"Measure margins of {{wildcards.net}} by {{wildcards.margin}}: {RULE.batch.name}"
        shell:
            RUN


for RULE in PLAN.rules_of("fit"):

    rule:
        name:
            RULE.name
        input:
            inputs(RULE),
        output:
            update(with_sidecars(PLAN.files(RULE))),
        log:
            f"{LOGS}/{RULE.name}/{RULE.slots}.log",
        conda:
            "../envs/touchstone.yaml"
        threads: TORCH_THREADS
        resources:
            **TORCH_RESOURCES,
        params:
            settings=settings(RULE),
            code=code(RULE),
        message:
            f"Fit on {{wildcards.net}}: {RULE.detectors}"
        shell:
            RUN


for RULE in PLAN.rules_of("score"):

    rule:
        name:
            RULE.name
        input:
            inputs(RULE),
        output:
            update(with_sidecars(PLAN.files(RULE))),
        log:
            f"{LOGS}/{RULE.name}/{RULE.slots}.log",
        conda:
            "../envs/touchstone.yaml"
        threads: TORCH_THREADS
        resources:
            **TORCH_RESOURCES,
        params:
            settings=settings(RULE),
            code=code(RULE),
        message:
            f"Score {RULE.batch.name} on {{wildcards.net}}: {RULE.detectors}"
        shell:
            RUN


rule evaluate:
    input:
        inputs(PLAN.rules["evaluate"]),
    output:
        update(with_sidecars(PLAN.files(PLAN.rules["evaluate"]))),
    log:
        f"{LOGS}/evaluate/{{evaluation}}.log",
    conda:
        "../envs/touchstone.yaml"
    threads: 1
    resources:
        **PLAIN_RESOURCES,
    params:
        settings=settings(PLAN.rules["evaluate"]),
        code=code(PLAN.rules["evaluate"]),
    message:
        "Evaluate {wildcards.evaluation}"
    shell:
        RUN


rule report:
    input:
        inputs(PLAN.rules["report"]),
    output:
        page=report(REPORT, category="Report", caption="../report/page.rst"),
        sidecar=f"{REPORT}.prov.json",
        tables=report(
            PLAN.layout.more_pages[:-1],
            category="Tables",
            caption="../report/tables.rst",
        ),
        figures=report(
            directory(PLAN.layout.more_pages[-1]),
            patterns=["{figure}.svg"],
            labels={"figure": "{figure}"},
            category="Figures",
            caption="../report/figures.rst",
        ),
    log:
        f"{LOGS}/report.log",
    conda:
        "../envs/touchstone.yaml"
    threads: 1
    resources:
        **PLAIN_RESOURCES,
    params:
        settings=settings(PLAN.rules["report"]),
        code=code(PLAN.rules["report"]),
    message:
        "Write the report"
    shell:
        RUN
