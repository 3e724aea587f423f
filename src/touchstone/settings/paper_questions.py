"""Check, before any job, that some evaluation measures each number that a paper's claims or figures need."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import Any

from touchstone import registry
from touchstone.claims.criteria import COMPLEMENT, Criterion, RowQuery
from touchstone.messages import nearest
from touchstone.settings.files import Place, read_yaml
from touchstone.settings.layers import Files
from touchstone.settings.papers import SHIPPED, Paper, criteria_of, shipped
from touchstone.settings.problems import Problems


def check_papers(files: Files, problems: Problems) -> None:
    """Record criteria of a study's papers that no study could judge, and evaluations of figures that do not exist.

    An evaluation that the study leaves out is no mistake: the report then says that the claim is not run. The same holds for
    a shipped paper without the other shipped papers, because they share evaluations.
    """
    evaluations = [layer.blocks.get("evaluations") for layer in files.layers]
    used = {use for section in evaluations for use in used_evaluations(section)}
    names = {name for section in evaluations for name in section or {}}
    for paper in files.papers:
        for criterion in criteria_of(paper, files.book):
            _check_cast(criterion, paper, problems)
            _check_dates(criterion, paper, problems)
            reasons: dict[str, Place] = {}
            for place, query in queries_of(criterion):
                if reason := _unmeasured(query, used, is_shipped=paper.is_shipped):
                    reasons.setdefault(reason, place)
            for reason, place in reasons.items():
                problems.add(place, reason, paper.claims_file)
        _check_figures(paper, names, problems)


def queries_of(criterion: Criterion) -> Iterator[tuple[Place, RowQuery]]:
    """Yield every number that a criterion needs, after the keys that lead to it."""
    for place, condition in criterion.conditions.items():
        yield ("criteria", criterion.id, *place), condition.rows


def used_evaluations(evaluations: object) -> set[str]:
    """Return the components that a section of evaluations uses."""
    blocks = evaluations.values() if isinstance(evaluations, dict) else ()
    return {str(block["use"]) for block in blocks if isinstance(block, dict) and "use" in block}


def has_metric(component: registry.Component, metric: str) -> bool:
    """Return whether the rows of an evaluation can have a metric; a role in it, such as {msp}, may be any entry."""
    metric = metric.removeprefix(COMPLEMENT)
    return not component.metrics or any(fnmatchcase(metric, pattern) for pattern in component.metrics)


def _check_cast(criterion: Criterion, paper: Paper, problems: Problems) -> None:
    """Record a criterion without an entry in the paper's claims, or the roles that its entry leaves empty."""
    cast = (paper.sections.get("claims") or {}).get(criterion.id)
    listed = ", ".join(f"{role}: ..." for role in criterion.roles)
    if cast is None:
        reason = f"nothing plays its roles; add under claims: in experiment.yaml: {criterion.id}: {{{listed}}}"
        problems.add(("criteria", criterion.id), reason, paper.claims_file)
    elif isinstance(cast, dict):
        for role in cast.keys() - criterion.roles.keys():
            reason = f"not a role. Its roles are {', '.join(criterion.roles)}.{nearest(role, criterion.roles)}"
            problems.add(("claims", criterion.id, role), reason, paper.file)
        for role in criterion.roles.keys() - cast.keys():
            reason = f"names nothing for the role {role}; add {role}: an entry of {criterion.roles[role].section}"
            problems.add(("claims", criterion.id), reason, paper.file)


def _check_dates(criterion: Criterion, paper: Paper, problems: Problems) -> None:
    """Record the changes of a criterion on days that have not begun in any time zone."""
    last = (date.today() + timedelta(days=1)).isoformat()
    for change in criterion.revised:
        if change.date > last:
            reason = f"expected the day on which the criterion was changed, got {change.date}, which is to come"
            problems.add(("criteria", criterion.id, "revised"), reason, paper.claims_file)


def _check_figures(paper: Paper, names: Collection[str], problems: Problems) -> None:
    """Record the evaluations in a figure's `also` that exist in no paper; those of other shipped papers may be absent."""
    for figure, block in (paper.sections.get("figures") or {}).items():
        for other in set(block.get("also") or ()) - set(names):
            asked = {name for evaluations in _shipped_evaluations().values() for name in evaluations}
            if other not in asked:
                reason = f"no evaluation called {other}.{nearest(other, {*names, *asked})}"
                problems.add(("figures", figure, "also"), reason, paper.file)


def _unmeasured(query: RowQuery, used: Collection[str], *, is_shipped: bool) -> str:
    """Return why no evaluation makes a number, "" if one does."""
    evaluations = registry.names("evaluations")
    if query.evaluation not in evaluations:
        return f"no evaluation is called {query.evaluation}.{nearest(query.evaluation, evaluations)}"
    component = registry.component("evaluations", query.evaluation)
    if not has_metric(component, query.metric):
        metric = query.metric.removeprefix(COMPLEMENT)
        listed = ", ".join(component.metrics)
        return f"{query.evaluation} makes no metric {metric}; it makes {listed}.{nearest(metric, component.metrics)}"
    if query.evaluation not in used and not (is_shipped and shipped_papers_that_use(query.evaluation)):
        return (
            f"no evaluation measures {query.metric}; add an evaluation with use: {query.evaluation} to experiment.yaml"
        )
    return ""


def shipped_papers_that_use(evaluation: str) -> list[str]:
    """Return the shipped papers with an evaluation that uses a component."""
    return [paper for paper, block in _shipped_evaluations().items() if evaluation in used_evaluations(block)]


def _shipped_evaluations() -> dict[str, Any]:
    """Return the evaluations of each shipped paper."""
    return {paper: read_yaml(SHIPPED / paper / "experiment.yaml").get("evaluations") or {} for paper in shipped()}
