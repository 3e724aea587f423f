"""A study's settings, whole: its file, params.yaml and its papers, read, checked and resolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from touchstone import plugins
from touchstone.claims.criteria import SHARED
from touchstone.messages import nearest
from touchstone.numerics import devices, precision
from touchstone.provenance import code
from touchstone.settings import seeds
from touchstone.settings.claim_roles import resolve_claims
from touchstone.settings.class_checks import noise_as_known, other_classes, unlabelled, wrong_classes
from touchstone.settings.defences import wrong_defences
from touchstone.settings.draft import NEEDED, Draft, written_out
from touchstone.settings.entries import EntryReader
from touchstone.settings.evaluation_checks import (
    certificates,
    checked_attacks,
    comparisons,
    direct_attacks,
    drawn_sizes,
    idle,
    known_examples,
    read_data,
    without_data,
)
from touchstone.settings.files import DEFAULT_STUDY, NAME, ParamsError, study_file, typed_path
from touchstone.settings.layers import Files, read_files
from touchstone.settings.leaks import known_as_unknown, leaks
from touchstone.settings.limits import (
    LETTERS,
    budgets,
    chains,
    crops,
    depths,
    emptied,
    false_alarms,
    idle_weights,
    levels,
    momenta,
    neighbours,
    resamples,
    sizes,
)
from touchstone.settings.paper_questions import check_papers
from touchstone.settings.plugin_paths import refuse_paths
from touchstone.settings.problems import Problem, Problems
from touchstone.settings.random_networks import omit_defaults, random_networks
from touchstone.settings.references import (
    expand_all,
    named_twice,
    read_twice,
    unmeasured_words,
    unused,
    wrong_names,
    wrong_words,
)
from touchstone.settings.removals import without_unreached
from touchstone.settings.requirements import (
    addresses,
    architectures,
    attacked_classifiers,
    fitting_data,
    inputs,
    outliers,
    scored_data,
    static_networks,
)
from touchstone.settings.sections import CONFOUNDING_SETTINGS, LABEL, STUDY_SETTINGS, Entry, sections
from touchstone.settings.set_checks import wrong_sets
from touchstone.settings.study_models import CHOSEN
from touchstone.settings.text_checks import texts
from touchstone.settings.unmeasured import open_roles, untested
from touchstone.settings.values import shown
from touchstone.settings.variants import resolve_variants, variants_without_numbers
from touchstone.signatures import ComponentError


@dataclass(frozen=True)
class Study:
    """One study's settings, whole: every default filled in, every `use` written folder/name.

    Attributes:
        name: of the study.
        settings: section -> entry -> its settings.
        folders: of the user's own papers and plug-ins, as the study's files write them.
        remarks: on what a run will leave out of the user's own papers.
        first_seed: what was added to every seed that the files write.
        files: the paths of its settings files.
        words: entry -> what people call it, for the sentences and titles of the report.
        roles: data role that the study gives -> the sets that play it.
    """

    name: str
    settings: dict[str, Any]
    folders: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    first_seed: int = 0
    files: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, list[str]] = field(default_factory=dict)

    def __getitem__(self, section: str) -> Any:
        return self.settings[section]


def load(study: str = DEFAULT_STUDY, root: Path = Path()) -> Study:
    """Return the resolved settings of a study, checked before any job.

    Each part of the checks relies on the parts before it, so reading stops after the first part with mistakes.

    Args:
        study: the name of a study, or the path of its file.
        root: the folder that holds params.yaml and the Snakefile.

    Raises:
        ParamsError: lists every mistake of a part with file, line, key and what is allowed.
    """
    file = study_file(study, root)
    try:
        return _loaded(file, root)
    except ComponentError as error:
        folders = ", ".join(map(str, plugins.places()[1:])) or plugins.PACKAGE
        raise ParamsError(f"{file}: plugins: {error} (in {folders})") from None


def _loaded(file: Path, root: Path) -> Study:
    """Return the settings in the file of a study; otherwise as `load`."""
    name = file.stem
    if not NAME.fullmatch(name) or len(name) > LETTERS:
        raise ParamsError(
            f"{file}: a study is named [a-z][a-z0-9_]*, with at most {LETTERS} letters, got {shown(name)}"
        )
    if name == "raw":
        raise ParamsError(f"{file}: a study cannot be called raw, because data/raw has the sources of all studies")
    kinds, problems = sections(), Problems(root / "params.yaml", file)

    files = read_files(problems, kinds, root)
    _plug_in(files, root, problems)
    problems.stop()
    draft = written_out(files, kinds, problems)
    problems.stop()

    reader = EntryReader(kinds, root, problems)
    resolved = _resolve(draft, reader)
    problems.extend(_wrong_systems(resolved, files))
    problems.stop()
    check_papers(files, problems)
    problems.stop()
    unreached = without_unreached(resolved, kinds, draft.own - draft.changed)
    removed = draft.removed | unreached
    problems.extend(_nothing_left(resolved, files))
    problems.stop()
    expand_all(resolved, kinds)
    problems.extend(wrong_names(resolved, kinds, unreached), wrong_words(resolved, kinds))
    problems.stop()
    problems.extend(chains(resolved["examples"]), inputs(resolved["examples"]))
    problems.stop()
    components = {
        claim: {condition.rows.evaluation for condition in criterion.conditions.values()}
        for claim, criterion in files.book.criteria.items()
    }
    problems.extend(seeds.give_to_claims(files.seeds, draft.blocks.get("claims") or {}, components, resolved))
    problems.stop()
    first_seed = seeds.shift(resolved)
    seeds.inherit(resolved)
    (written,) = (layer.blocks for layer in files.layers if layer.own)
    problems.extend(
        attacked_classifiers(resolved["translators"]),
        static_networks(resolved["classifiers"], resolved["translators"]),
        outliers(resolved["classifiers"], resolved["translators"]),
        fitting_data(resolved["detectors"]),
        scored_data(resolved["detectors"]),
        read_data(resolved, written),
        idle(resolved, written),
        texts(resolved),
        without_data(resolved["evaluations"]),
        unmeasured_words(resolved, kinds["figures"].names.keys() - LABEL.keys()),
        comparisons(resolved["evaluations"]),
        drawn_sizes(resolved),
        direct_attacks(resolved["evaluations"]),
        checked_attacks(resolved["evaluations"]),
        certificates(resolved["evaluations"], resolved["detectors"]),
        wrong_defences(resolved, first_seed, written),
        seeds.absent(resolved, first_seed),
        random_networks(resolved),
        addresses(resolved["sources"]),
        levels(resolved),
        known_examples(resolved["evaluations"]),
        crops(resolved),
        depths(resolved["classifiers"]),
        idle_weights(resolved["classifiers"]),
        neighbours(resolved),
        momenta(resolved),
        emptied(resolved),
        false_alarms(resolved, written),
        resamples(resolved),
        budgets(resolved, written),
        sizes(resolved, problems.is_own),
        wrong_sets(resolved, problems.is_own),
        unlabelled(resolved),
        other_classes(resolved),
        noise_as_known(resolved),
        leaks(resolved),
        known_as_unknown(resolved, draft.roles),
        wrong_classes(resolved, draft.roles),
        architectures(resolved["classifiers"], resolved["translators"]),
        named_twice(written),
        read_twice(resolved, kinds),
    )
    problems.extend(unused(resolved, kinds))
    claims = draft.blocks.get("claims") or {}
    resolved["claims"] = resolve_claims(claims, files.sentences, files.book, files.grades, resolved, removed, problems)
    resolved["papers"] = {paper.name: paper.facts for paper in files.papers}
    if tried := resolve_variants(files, draft.roles, resolved, removed, problems):
        resolved["variants"] = tried
    problems.stop()
    omit_defaults(resolved["classifiers"])
    folders = [paper for paper in files.listed if "/" in paper]
    own = [paper for paper in files.papers if not paper.is_shipped]
    has_base = files.file != problems.own  # its changes are about the questions of its base
    idle_changes = sorted(f"change.{section}.{name}" for section, name in removed & draft.changed if not has_base)
    idle_sets = [name for name in files.sets if Entry("examples", name) in unreached and not has_base]
    idle_sources = [name for name in files.sources if Entry("sources", name) in unreached and not has_base]
    chosen = [paper for paper in files.papers if files.grades[str(paper.facts.get("name"))] == CHOSEN]
    unasked = [
        paper.name
        for paper in chosen
        if not any(Entry("evaluations", question) in draft.own for question in paper.sections.get("evaluations") or {})
    ]
    remarks = (
        *(f"{change} changes nothing: no question of this study is about it" for change in idle_changes),
        *(f"data.sets.{name}: no question of this study reads it; name it in a data role" for name in idle_sets),
        *(f"papers.{name}: chosen asks what change.evaluations names, and that names none of its" for name in unasked),
        *(f"data.sources.{name}: no set and no network of this study reads it" for name in idle_sources),
        *open_roles(own, files.sentences, draft.roles),
        *untested(own, files.book, resolved),
        *variants_without_numbers(files.book, resolved),
    )
    read = (*dict.fromkeys((files.file, *(layer.file for layer in files.layers))), *(one.claims_file for one in own))
    _check_code(resolved, file)
    code.save()
    roles = {role: [one for one in draft.roles[role] if one in resolved["examples"]] for role in files.data}
    return Study(
        name, resolved, (*folders, *files.plugins), remarks, first_seed, tuple(map(str, read)), files.words, roles
    )


def _check_code(resolved: dict[str, Any], file: Path) -> None:
    """Refuse a component of a plug-in folder that hides what it runs, or reads, from the digest of its code."""
    if len(plugins.places()) == 1:
        return
    try:
        refuse_paths(code.code_from(tuple(code.components(resolved))).definitions)
    except ValueError as error:
        raise ParamsError(f"{file}: plugins: {error}") from None


def _plug_in(files: Files, root: Path, problems: Problems) -> None:
    """Look for components in the folders of `plugins:` and of the papers, too."""
    folders = [root / typed_path(folder) for folder in files.plugins]
    folders += [paper.components for paper in files.papers if paper.components]
    try:
        plugins.use(folders)
    except (OSError, ValueError) as error:
        problems.add(("plugins",), str(error).removeprefix("plugins: "), problems.own)


def _wrong_systems(resolved: dict[str, Any], files: Files) -> Iterator[Problem]:
    """Yield the evaluations that belong to no paper of the study."""
    systems = [*(paper.name for paper in files.papers), SHARED]
    for name, question in resolved["evaluations"].items():
        if (system := question["system"]) not in systems:
            reason = f"expected a paper of the study or {SHARED}, got {shown(system)}.{nearest(str(system), systems)}"
            yield Problem(("evaluations", name, "system"), reason)


def _nothing_left(resolved: dict[str, Any], files: Files) -> Iterator[Problem]:
    """Yield that no question about a network is left, because the study's data lack the roles that all of them need."""
    lacking = [role for role in NEEDED if role not in files.data]
    if files.papers and lacking and not any(entry["classifiers"] for entry in resolved["evaluations"].values()):
        reason = f"gives no {' and no '.join(lacking)}, and so no question of the papers about a network is left"
        yield Problem(("data",), reason)


def _resolve(draft: Draft, reader: EntryReader) -> dict[str, Any]:
    """Return the settings of every section but claims and papers, each value checked by itself."""
    resolved = {section: reader.section(section, draft.blocks.get(section) or {}) for section in reader.kinds}
    study = draft.blocks.get("study") or {}
    if isinstance(study, dict) and study.get("device") == "mps":
        reader.problems.add(("study", "device"), devices.NO_MPS)
        study = study | {"device": "cpu"}
    resolved["study"] = reader.settings(("study",), study, STUDY_SETTINGS["study"])
    _resolve_device(resolved["study"], reader.problems)
    resolved["confounding"] = {
        name: reader.settings(("confounding", name), block or {}, CONFOUNDING_SETTINGS)
        for name, block in (draft.blocks.get("confounding") or {}).items()
        if reader.is_name(("confounding", name))
    }
    return resolved


def _resolve_device(study: dict[str, Any], problems: Problems) -> None:
    """Replace `device: auto` with the device of this machine."""
    try:
        study["device"] = devices.chosen(study["device"])
    except ValueError as error:
        problems.add(("study", "device"), f"auto: {error}")
    if study["precision"] == precision.TF32 and study["device"] == "cpu":
        problems.add(("study", "precision"), "tf32 is a number format of GPUs, and compute.device is cpu")
