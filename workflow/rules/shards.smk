# Example sets cut into shards, if a study sets shards, and the results of the shards gathered.

for RULE in PLAN.rules_of("cut"):

    rule:
        name:
            RULE.name
        input:
            inputs(RULE),
        output:
            with_sidecars(PLAN.files(RULE)),
        log:
            f"{LOGS}/{RULE.name}.log",
        conda:
            "../envs/touchstone.yaml"
        threads: 1
        resources:
            **PLAIN_RESOURCES,
        params:
            settings=settings(RULE),
            code=code(RULE),
        message:
            f"Cut {RULE.batch.name} into {RULE.shards} shards"
        shell:
            RUN


for RULE in PLAN.rules_of("gather"):

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
        threads: 1
        resources:
            **PLAIN_RESOURCES,
        params:
            settings=settings(RULE),
            code=code(RULE),
        message:
            f"Gather {RULE.gathers} {RULE.batch.name} of {RULE.wildcard_label}"
        shell:
            RUN
