# The numbers of each paper, and the page.


rule evaluate:
    """Read prepare, train, attack, translate, measure, detect, defend."""
    input:
        jobs=STUDY.inputs("evaluate"),
    output:
        directory(f"{RESULTS}/evaluate/{{paper}}"),
    log:
        f"{LOGS}/evaluate/{{paper}}.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * min(attempt, 3),
        runtime=lambda wildcards, attempt: 60 * min(attempt, 3),
    params:
        plan=STUDY.digest("evaluate"),
    message:
        "Evaluate {wildcards.paper}"
    shell:
        JOB


rule report:
    """Read fetch, prepare, train, attack, translate, measure, detect, defend, evaluate."""
    input:
        jobs=STUDY.inputs("report"),
    output:
        page=report(
            f"reports/{NAME}/report.html",
            category="Report",
            caption="../report/page.rst",
        ),
        sidecar=f"reports/{NAME}/report.html.prov.json",
        tables=report(
            STUDY.pages[:-1],
            category="Tables",
            caption="../report/tables.rst",
        ),
        figures=report(
            directory(STUDY.pages[-1]),
            patterns=["{figure}.svg"],
            labels={"figure": "{figure}"},
            category="Figures",
            caption="../report/figures.rst",
        ),
    log:
        f"{LOGS}/report.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * min(attempt, 3),
        runtime=lambda wildcards, attempt: 60 * min(attempt, 3),
    params:
        plan=STUDY.digest("report"),
    message:
        "Write the report"
    shell:
        JOB
