# Example sets that need networks: attacked and translated ones. One rule per batch (a group of sets, with or without a
# group of attacks), one job per network.

for RULE in PLAN.rules_of("attack"):

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
            f"Attack {{wildcards.{RULE.wildcards[0]}}}: {RULE.batch.name}"
        shell:
            RUN


for RULE in PLAN.rules_of("translate"):

    rule:
        name:
            RULE.name
        input:
            inputs(RULE),
        output:
            with_sidecars(PLAN.files(RULE)),
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
            f"Translate with seed {{wildcards.seed}}: {RULE.batch.name}"
        shell:
            RUN
