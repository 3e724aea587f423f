"""The schema of claims.yaml: the paper, its published figures, and the criteria fixed for them before any run."""

from __future__ import annotations

from touchstone.claims.condition_files import THREAT
from touchstone.claims.criteria import COMPARISONS, KINDS, MANY, MARKS, ORIGINS
from touchstone.claims.paper_files import COMMIT, SECTIONS
from touchstone.settings.schemas.values import CRITERION_ID, DRAFT, NAME, PUBLISHED_ID, Schema, ref

TEXT: Schema = {"type": "string", "minLength": 1}
HTTP: Schema = {"pattern": "^https?://"}
NUMBER: Schema = {"type": "number"}
PAIR: Schema = {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2}
PATTERN = " {role} is the entry with that role."
COMPARED = {
    "at_least": "The number must be this or more.",
    "at_most": "The number must be this or less.",
    "above": "The number must be more than this.",
    "below": "The number must be less than this.",
    "between": "The number must be from the first to the second.",
    "equals": "The number must be this, give or take `tolerance`.",
}


def paper_schema() -> Schema:
    """Return the schema of claims.yaml."""
    figures = {"type": "object", "patternProperties": {PUBLISHED_ID: ref("published")}, "additionalProperties": False}
    criteria = {"type": "object", "patternProperties": {CRITERION_ID: ref("criterion")}, "additionalProperties": False}
    properties = {
        "name": TEXT | _says("Short name, for tables."),
        "title": TEXT | _says("Heading of the paper's chapter; without it, the name."),
        "cite": TEXT | _says("Authors, title, year."),
        "url": TEXT | HTTP | _says("Where the paper can be read."),
        "other_works": {"type": "array", "items": _block({"cite": TEXT, "url": TEXT | HTTP}, required=("cite", "url"))}
        | _says("Works by other titles that figures or bounds come from, to be cited too."),
        "idea": TEXT | _says("What the paper proposes, in two sentences for readers who do not know it."),
        "opening": _ids(CRITERION_ID)
        | _says(
            "The criteria whose sentences open the report; without it, the first claim and the first counter-claim."
        ),
        "answers": _ids(CRITERION_ID)
        | _says("The criteria whose sentences (`says`) answer the paper's question, in the order of the chapter."),
        "change": TEXT | _says("Which result would change the answer."),
        "limits": {"type": "array", "items": TEXT}
        | _says("What a reviewer may still dispute, whatever the data: one sentence each, for the chapter."),
        "unfair": {"type": "array", "items": TEXT, "minItems": 1}
        | _says("What the paper's authors would still call unfair about this test: a sentence each, for the chapter."),
        "fixed": _block(
            {"commit": TEXT | {"pattern": f"^{COMMIT.pattern}$"}, "date": TEXT}, required=("commit", "date")
        )
        | _says("The commit that fixed the bounds, and its date (YYYY-MM-DD)."),
        "contrast": _contrast()
        | _says("One number as the paper tests it, against the strongest attack, and without the method."),
        "distance": {"type": "number", "exclusiveMinimum": 0}
        | _says(
            "How far beyond its bound a truth has to be for a claim to be worth settling; a number may give its own."
        ),
        "published": figures | _says("The figures that the paper states, by id: P, a label, -, a number: P1-1."),
        "criteria": criteria
        | _says("What is tested here, by id: a capital letter, a label if you like, a number: G1."),
    }
    definitions = {
        "published": _published(),
        "criterion": _criterion(),
        "rows": _block(
            _columns() | _judged(), "What all tests have in common; needs and breaks inherit no comparison."
        ),
        "condition": _block({"name": TEXT | _says("What the number is called.")} | _columns() | _judged()),
    }
    return {
        "$schema": DRAFT,
        "description": "A paper: its published figures, and the claims and numbers fixed before any run.",
        **_block(properties, required=("name", "cite", "url", "unfair", "published", "criteria")),
        "definitions": definitions,
    }


def _contrast() -> Schema:
    of = {"type": "string", "pattern": CRITERION_ID}
    properties = {
        "name": TEXT | _says("What is attacked; the paper's name by default."),
        "of": {"anyOf": [of, {"type": "array", "items": of, "minItems": 1}]}
        | _says("The criterion, or several, whose roles the numbers use."),
        "shows": TEXT | _says("What the numbers are; more is better for the defender."),
        "unaware": ref("condition"),
        "aware": ref("condition"),
        "reference": ref("condition"),
        "also": ref("condition"),
    }
    block = _block(properties, required=("of", "shows", "unaware", "aware"))
    return {"anyOf": [block, {"type": "array", "items": block, "minItems": 1}]}


def _published() -> Schema:
    marks = {"enum": [*MARKS], "enumDescriptions": [*MARKS.values()]}
    properties = {
        "setting": TEXT | _says("What was measured, and how."),
        "figure": TEXT | _says("The number as the paper states it."),
        "source": TEXT | _says("Where it is stated: abstract, table, figure, section."),
        "marks": {"type": "array", "items": marks, "minItems": 1}
        | _says("What was read: P the text, C the code, R a review thread, K notes."),
    }
    unmeasured = TEXT | _says("Why no measurement bears on it; without this, a criterion has to scale it down.")
    return _block(properties | {"unmeasured": unmeasured}, required=tuple(properties))


def _criterion() -> Schema:
    roles = {"enum": [*SECTIONS, *(f"{many} {section}" for many in MANY for section in SECTIONS)]}
    role_names = {"propertyNames": {"pattern": f"^{NAME}$"}, "additionalProperties": roles}
    conditions = {"type": "array", "items": ref("condition")}
    properties = {
        "setting": TEXT | _says("What is measured."),
        "criterion": TEXT | _says("The criterion in words."),
        "scales": _ids(PUBLISHED_ID)
        | _says("The published figures that it is about; the report shows them beside it."),
        "roles": {"type": "object"}
        | role_names
        | _says(
            "The section whose entries may play each role; `each` judges several one by one, `mean` averages them."
        ),
        "rows": {"allOf": [ref("rows")]},
        "tests": conditions | _says("The numbers that are judged."),
        "needs": conditions | _says("Unless these hold, the criterion is not judged."),
        "breaks": {"allOf": [ref("condition")]}
        | _says("If it holds, it breaks the criteria that name it in broken_by."),
        "broken_by": _ids(CRITERION_ID) | _says("The criteria whose `breaks` breaks this one."),
        "seeds": {"enum": ["each"]} | _says("Judge every seed; without it, the mean over seeds."),
        "together": {"type": "array", "items": TEXT, "minItems": 2}
        | _says("`each` roles whose entries go in pairs: the first with the first."),
        "bound": _origin() | _says("Where the bound of its tests comes from; a number has none."),
        "survives_if": conditions
        | _says("Unless all are met, the best word for the attacker who knows is `upper bound only`."),
        "says": TEXT
        | _says("The result as a sentence; {0} is the number of the first test, {breaks} that of `breaks`."),
        "kind": {"enum": list(KINDS), "default": KINDS[0]}
        | _says("A claim of the paper, the opposite of it, which we claim, or numbers without bound and verdict."),
        "revised": {"type": "array", "items": _revision()}
        | _says("What the criterion said before, each time it changed."),
    }
    return _block(properties, required=("setting", "criterion", "tests"))


def _origin() -> Schema:
    properties = {
        "from": {"enum": [*ORIGINS], "enumDescriptions": [*ORIGINS.values()]} | _says("What it was taken from."),
        "source": TEXT | _says("The paper's figure with its place; of `ours`, the reason."),
        "known": {"type": "boolean", "default": False}
        | _says("Whether the outcome was known when it was fixed, from an earlier edition or a pilot."),
    }
    return _block(properties, required=("from", "source"))


def _revision() -> Schema:
    properties = {
        "date": TEXT | _says("When it was changed, as YYYY-MM-DD."),
        "was": TEXT | _says("The criterion before."),
        "why": TEXT | _says("The reason."),
        "known": {"type": "boolean"} | _says("Whether the outcome of a run was known by then."),
    }
    return _block(properties, required=tuple(properties))


def _columns() -> dict[str, Schema]:
    return {
        "evaluation": TEXT | _says("The component that computes the number, such as detection."),
        "metric": TEXT | _says("Its metric; `1 - robust_accuracy` is the error." + PATTERN),
        "entry": TEXT | _says("The network, and its detector if it has one: {net}+{detector}." + PATTERN),
        "examples": {"type": "string"} | _says("The images: {ood}, or {ood}/{attack} if they are attacked." + PATTERN),
        "threat": _block(dict.fromkeys(THREAT, NUMBER)) | _says("The budget of the attack, such as {eps: 0.1}."),
    }


def _judged() -> dict[str, Schema]:
    stuck = _columns() | _comparisons()
    return _comparisons() | {
        "tolerance": {"type": "number", "minimum": 0} | _says("Of `equals`."),
        "distance": {"type": "number", "exclusiveMinimum": 0}
        | _says("How far beyond its bound the truth has to be for the claim to be worth settling."),
        "optional": {"type": "boolean"} | _says("Skip the condition if its rows are missing."),
        "consequence": TEXT | _says("What follows if this condition breaks its claim, in words."),
        "stuck": _block(
            stuck, "The share of inputs without a gradient; outside its bound, the number is only an upper bound."
        ),
    }


def _comparisons() -> dict[str, Schema]:
    return {name: (PAIR if name == "between" else NUMBER) | _says(COMPARED[name]) for name in COMPARISONS}


def _ids(pattern: str) -> Schema:
    return {"type": "array", "items": {"type": "string", "pattern": pattern}, "uniqueItems": True}


def _block(properties: dict[str, Schema], description: str = "", required: tuple[str, ...] = ()) -> Schema:
    block: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return block | (_says(description) if description else {}) | ({"required": [*required]} if required else {})


def _says(description: str) -> Schema:
    return {"description": description}
