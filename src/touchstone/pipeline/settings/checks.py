"""What cannot be seen of one value alone: names that lead nowhere, leaks of test data, groups, claims, what nobody asks."""

from __future__ import annotations

from typing import Any

from touchstone import registry
from touchstone.claims import criteria
from touchstone.messages import nearest
from touchstone.pipeline.settings import families
from touchstone.pipeline.settings.limits import circles, inputs, sizes
from touchstone.pipeline.settings.reading import Reader
from touchstone.pipeline.settings.sections import GROUPED, named, on_pipelines
from touchstone.pipeline.settings.values import shown


class Checks(Reader):
    """Checks of a whole study; each notes what is wrong, and some fill in what follows from the rest."""

    def _references(self, resolved: dict[str, Any]) -> None:
        """Expand `all`, and check that every named entry exists and that no name stands in two sections."""
        owner: dict[str, str] = {}
        for section in self.sections:
            for name in resolved[section]:
                if name in owner:
                    self.fail(
                        (section, name), f"the name is taken by {owner[name]}.{name}; names are unique in a study"
                    )
                owner[name] = section
        for section, kind in self.sections.items():
            for name, entry in resolved[section].items():
                for key, reference in kind.references.items():
                    known = [entry_name for target in reference.sections for entry_name in resolved[target]]
                    if entry[key] == "all":
                        meant = reference.everything or reference.sections
                        entry[key] = [entry_name for target in meant for entry_name in resolved[target]]
                    for item in entry[key] if reference.many else [entry[key]] if entry[key] else []:
                        if item not in known:
                            self.fail(
                                (section, name, key),
                                f"no entry called {item} in {' or '.join(reference.sections)}.{nearest(item, known)}",
                            )
        for name, detector in resolved["detectors"].items():
            label, known = detector.get("label"), resolved["confounding"]
            if label is not None and label not in known:
                self.fail(
                    ("detectors", name, "label"), f"no label called {label} in confounding.{nearest(label, known)}"
                )
        rates, attacked = (
            resolved["study"][f"{name}false_positive_rate{s}"] for name, s in (("", "s"), ("attacked_", ""))
        )
        if attacked not in rates:
            self.fail(
                ("study", "attacked_false_positive_rate"), f"{attacked:g} is not among false_positive_rates {rates}"
            )
        calibration = resolved["study"].get("calibration")
        if calibration not in resolved["examples"]:
            self.fail(
                ("study", "calibration"),
                f"no example set called {calibration}.{nearest(calibration, resolved['examples'])}",
            )

    def _limits(self, resolved: dict[str, Any]) -> None:
        """Refuse sets in a circle, and sets without their source or set."""
        examples = resolved["examples"]
        for path, message in (*circles("examples", "of", examples), *inputs(examples)):
            self.fail(path, message)

    def _sizes(self, resolved: dict[str, Any]) -> None:
        """Refuse evaluations that are too large to be planned."""
        for path, message in sizes(resolved):
            self.fail(path, message)

    def _victims_of_translators(self, resolved: dict[str, Any]) -> None:
        """Refuse a translator without the network whose attacked images it learns from, and one that needs none."""
        for name, entry in resolved["translators"].items():
            folder, use = entry["use"].split("/")
            asked = "classifier" in registry.component(folder, use).data
            lacks, idle = "must name an entry of classifiers", f"{folder}/{use}.py attacks no network; leave it out"
            self._as_asked(("translators", name, "classifier"), asked, entry["classifier"], lacks, idle)

    def _as_asked(self, path: tuple[str, ...], asked: bool, given: object, lacks: str, idle: str) -> None:
        """Refuse what is asked for and not given, and what is given and not asked for."""
        if asked != bool(given):
            self.fail(path, lacks if asked else idle)

    def _static_networks(self, resolved: dict[str, Any]) -> None:
        """Refuse an objective that attacks other networks without them, one with them that needs none, and a circle."""
        classifiers = resolved["classifiers"]
        for name, entry in classifiers.items():
            path, needed = ("classifiers", name, "static_networks"), _asks_static_networks(entry)
            if needed and not entry["static_networks"]:
                self.fail(path, "must name entries of classifiers, which are trained before")
            elif entry["static_networks"] and not needed:
                self.fail(path, f"{entry['use']}.py attacks no other network; leave it out")
            elif circle := _circle(name, classifiers):
                self.fail(path, f"{' needs '.join(circle)}, and a static network has to be trained before")
        for name, entry in resolved["translators"].items():
            if _asks_static_networks(entry):
                self.fail(("translators", name, "use"), f"{entry['use']}.py trains classifiers, not translators")

    def _fitted(self, resolved: dict[str, Any]) -> None:
        """Refuse a detector that lacks what it is fitted on, and one that is given what it never reads."""
        for name, entry in resolved["detectors"].items():
            fit, file = registry.used(entry["use"]).fit, f"{entry['use']}.py"
            learns = fit is not None and any(data.startswith("anomalous_") for data in fit.data)
            lacks = f"{file} is fitted: must name an entry of examples"
            idle = f"{file} is not fitted on anything; leave it out"
            self._as_asked(("detectors", name, "fit"), fit is not None, entry["fit"], lacks, idle)
            lacks = f"{file} learns from anomalies: must name entries of examples or attacks"
            idle = f"{file} learns from no anomalies; leave it out"
            self._as_asked(("detectors", name, "anomalous"), learns, entry["anomalous"], lacks, idle)

    def _defences(self, resolved: dict[str, Any]) -> None:
        """Give every defence its classifier's seeds, or those of them that it names; refuse what it cannot be asked."""
        defences, rates = resolved["defences"], resolved["study"]["false_positive_rates"]
        for name, entry in defences.items():
            known = resolved["classifiers"][entry["classifier"]]["seeds"]
            entry["seeds"] = entry["seeds"] or known
            if not set(entry["seeds"]) <= set(known):
                self.fail(("defences", name, "seeds"), f"{entry['classifier']} has the seeds {known} alone")
            rate = entry["false_positive_rate"]
            if rate not in rates:
                close = min(rates, key=lambda known: abs(known - rate))
                self.fail(
                    ("defences", name, "false_positive_rate"),
                    f"{rate:g} is not among study.false_positive_rates {rates}. Did you mean {close:g}?",
                )
            if not entry["translator"]:
                self.fail(("defences", name, "translator"), "must name an entry of translators")
            if entry["encoder"] and not entry["router"]:
                self.fail(("defences", name, "encoder"), "is what a router reads, and there is none")
        for name, question in resolved["evaluations"].items():
            asked = [entry for entry in question["classifiers"] if entry in defences]
            for key in ("detectors", "margins") if asked else ():
                if question[key]:
                    self.fail(
                        ("evaluations", name, key),
                        f"{asked[0]} is a defence, and {key} are made for networks alone; ask about them in an evaluation"
                        " of its own, of classifiers",
                    )
            whole = [attack for attack in question["attacks"] if on_pipelines(resolved["attacks"][attack])]
            if whole and not asked:
                self.fail(
                    ("evaluations", name, "attacks"),
                    f"{whole[0]} attacks defences, and none is among the classifiers;"
                    f" defences are {', '.join(defences) or 'none here'}",
                )

    def _leaks(self, resolved: dict[str, Any]) -> None:
        """Refuse what would make a figure flatter itself: test data that is trained on, fitted on or gives thresholds."""
        tested = {
            name: question
            for question, entry in resolved["evaluations"].items()
            if entry["classifiers"]
            for name in [*entry["examples"], *entry["attacked"]]
        }
        used = [
            ((section, name, key), example)
            for section, keys in (
                ("classifiers", ("train", "validation", "outliers")),
                ("translators", ("train", "validation", "outliers")),
                ("detectors", ("fit", "anomalous")),
                ("evaluations", ("fit",)),
            )
            for name, entry in resolved[section].items()
            for key in keys
            for example in (entry[key] if isinstance(entry[key], list) else [entry[key]])
        ]
        calibrations = {
            resolved["study"]["calibration"]: ("study", "calibration"),
            **{
                entry["calibration"]: ("classifiers", name, "calibration")
                for name, entry in resolved["classifiers"].items()
                if entry["calibration"]
            },
        }
        for path, example in [*used, *((path, example) for example, path in calibrations.items())]:
            if example in tested:
                self.fail(path, f"{example} is tested on by evaluations.{tested[example]}; use another set")
            elif example in calibrations and path[-1] != "calibration":
                giver = ".".join(calibrations[example])
                self.fail(path, f"{example} gives the thresholds ({giver}); use another set")
        for section in ("classifiers", "translators"):
            for name, entry in resolved[section].items():
                if entry["train"] and entry["train"] == entry["validation"]:
                    reason = f"{entry['train']} is also what the network is trained on; use another set"
                    self.fail((section, name, "validation"), reason)
        self._families(resolved, tested)

    def _families(self, resolved: dict[str, Any], tested: dict[str, str]) -> None:
        """Refuse outliers of a kind that is tested on: what a network has seen the like of is no unknown."""
        examples = resolved["examples"]
        known = families.sources_of(
            {entry["train"] for entry in resolved["classifiers"].values() if entry["train"]}, examples
        )
        kinds = {name: families.family(name, examples, known) for name in tested}
        places = [(section, name) for section in ("classifiers", "translators") for name in resolved[section]]
        for section, name in places:
            for outliers in resolved[section][name]["outliers"]:
                own = families.family(outliers, examples, known)
                for test, kind in kinds.items():
                    if outliers != test and (shared := [own[mark] for mark in own if mark in kind]):
                        self.fail(
                            (section, name, "outliers"),
                            f"{outliers} is of the family of {test}, which evaluations.{tested[test]} tests on: both are"
                            f" {shared[0]}; use outliers of another family",
                        )
                        break

    def _groups(self, resolved: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
        """Return, for what is grouped, the named groups; an entry in none is a group of its own."""
        groups: dict[str, dict[str, list[str]]] = {section: {} for section in GROUPED}
        placed: dict[str, str] = {}
        raw = self.raw.get("groups") or {}
        for name, members in raw.items():
            path = ("groups", str(name))
            if not self._is_name(path):
                continue
            if not isinstance(members, list) or not members or not all(isinstance(entry, str) for entry in members):
                self.fail(path, f"expected a list of entries, got {shown(members)}")
            else:
                self._group(path, members, resolved, groups, placed)
        for section, grouped in groups.items():
            for entry in resolved[section]:
                if entry in raw and placed.get(entry) != entry:
                    self.fail(("groups", entry), f"the name is taken by {section}.{entry}")
                if entry not in placed:
                    grouped[entry] = [entry]
        return groups

    def _group(
        self,
        path: tuple[str, ...],
        members: list[str],
        resolved: dict[str, Any],
        groups: dict[str, dict[str, list[str]]],
        placed: dict[str, str],
    ) -> None:
        sections = {section for section in groups for entry in members if entry in resolved[section]}
        known = [entry for section in groups for entry in resolved[section]]
        for entry in members:
            if entry not in known:
                self.fail(
                    path, f"no example set, attack, detector or translator called {entry}.{nearest(entry, known)}"
                )
            elif entry in placed:
                self.fail(path, f"{entry} is already in the group {placed[entry]}")
            placed[str(entry)] = path[1]
        attacks = [resolved["attacks"][entry] for entry in members if entry in resolved["attacks"]]
        if len({(attack["use"].split("/")[0], on_pipelines(attack)) for attack in attacks}) > 1:
            self.fail(path, "mixes attacks with adaptive ones, which are made on other victims")
        if len(sections) > 1:
            self.fail(path, f"mixes {' and '.join(sorted(sections))}; a group holds one kind")
        seeds = {str(resolved["translators"][entry]["seeds"]) for entry in members if entry in resolved["translators"]}
        if len(seeds) > 1:
            self.fail(path, f"mixes translators with the seeds {' and '.join(sorted(seeds))}")
        shards = {entry: resolved["examples"][entry]["shards"] for entry in members if entry in resolved["examples"]}
        most, least = max(shards, key=shards.__getitem__, default=""), min(shards, key=shards.__getitem__, default="")
        if most and shards[most] > shards[least]:
            self.fail(
                ("examples", most, "shards"),
                f"{shards[most]}, but {least} in the same group, {path[1]}, has {shards[least]}; a job is on one shard of"
                " all sets of its group",
            )
        calibration = resolved["study"]["calibration"]
        tested = {
            name
            for question in resolved["evaluations"].values()
            if question["detectors"] or question["attacks"]
            for name in [*question["examples"], *question["attacked"]]
        }
        if calibration in members and tested & set(members):
            self.fail(path, f"groups {calibration}, which gives the thresholds, with {sorted(tested & set(members))[0]},"
                            " which is tested on")  # fmt: skip
        if len(sections) == 1:
            groups[sections.pop()][path[1]] = members

    def _claims(self, resolved: dict[str, Any]) -> dict[str, Any]:
        """Return, for each claim that the study speaks of, the entries that play its roles, or why it is not run."""
        book = criteria.load()
        roles = {name for criterion in book.criteria.values() for name in criterion.roles}
        raw = dict(self.raw.get("claims") or {})
        shared = raw.pop("shared", None) or {}
        if not isinstance(shared, dict):
            self.fail(("claims", "shared"), f"expected roles, got {shown(shared)}")
            return {}
        for role in shared:
            if role not in roles:
                self.fail(("claims", "shared", str(role)), f"no claim has such a role.{nearest(role, roles)}")
        found = {}
        for name, block in raw.items():
            path = ("claims", str(name))
            if name in book.published:
                scaled = [key for key, criterion in book.criteria.items() if name in criterion.scales]
                self.fail(
                    path, f"a published figure; a study asks what scales it down: {', '.join(scaled) or 'nothing'}"
                )
            elif name not in book.criteria:
                self.fail(path, f"no such claim.{nearest(str(name), book.criteria)}")
            elif isinstance(block, str) or not isinstance(block, dict):
                found[name] = block
                if not isinstance(block, str) or not block:
                    self.fail(path, f"expected its roles, or in words why it is not run, got {shown(block)}")
            else:
                found[name] = self._cast(path, book.criteria[name], block, shared, resolved)
        if "claims" in resolved["evaluations"]:
            self.fail(("evaluations", "claims"), "the name is taken by the section claims")
        return found

    def _cast(
        self,
        path: tuple[str, ...],
        criterion: criteria.Criterion,
        block: dict[str, Any],
        shared: dict[str, Any],
        resolved: dict[str, Any],
    ) -> str | dict[str, str | list[str]]:
        """Return who plays the roles of a claim. One that the overlay removed plays none, so the claim is not run."""
        for role in block:
            if role not in criterion.roles:
                listed = f"Its roles are {', '.join(criterion.roles)}." if criterion.roles else "It has none."
                self.fail((*path, str(role)), f"not a role. {listed}{nearest(str(role), criterion.roles)}")
        cast: dict[str, str | list[str]] = {}
        for role, (section, many) in criterion.roles.items():
            if role not in block and role not in shared:
                continue
            where = (*path, role) if role in block else ("claims", "shared", role)
            given: Any = block.get(role, shared.get(role))
            entries: list[Any] = given if isinstance(given, list) and many else [given]
            for entry in entries:
                if not isinstance(entry, str):
                    self.fail(
                        where,
                        f"expected an entry of {section}{' or a list of them' if many else ''}, got {shown(entry)}",
                    )
                elif entry not in resolved[section]:
                    if (section, entry) in self.removed:
                        return f"{entry} ({section}) is not in this study"
                    self.fail(where, f"no entry called {entry} in {section}.{nearest(entry, resolved[section])}")
            cast[role] = entries if many else given
        for role in criterion.together:
            if len(cast.get(role, [])) != len(cast.get(criterion.together[0], [])):
                self.fail(
                    (*path, role), f"goes side by side with {criterion.together[0]}: as many entries, in that order"
                )
        return cast

    def _used(self, resolved: dict[str, Any]) -> None:
        """Refuse entries that no evaluation reaches: they would look measured and are not.

        Where sources are absent, what only their evaluations asked stays in the settings and nothing makes it.
        """
        if resolved["study"]["absent"]:
            return
        reached = {("evaluations", name) for name in resolved["evaluations"]}
        reached |= {("figures", name) for name in resolved["figures"]}
        reached.add(("examples", resolved["study"]["calibration"]))
        waiting = list(reached)
        while waiting:
            section, name = waiting.pop()
            for target in named(self.sections[section], resolved[section][name], resolved):
                if target not in reached:
                    reached.add(target)
                    waiting.append(target)
        for section in self.sections:
            for name in resolved[section]:
                if (section, name) not in reached:
                    self.fail(
                        (section, name), "no evaluation names it; name it in one, or remove it (null in an overlay)"
                    )


def _asks_static_networks(entry: dict[str, Any]) -> bool:
    return "static_networks" in registry.used(entry["use"]).data


def _circle(start: str, classifiers: dict[str, Any]) -> list[str]:
    """Return a way from a classifier over static networks back to it, empty where there is none."""
    waiting, seen = [[start]], set[str]()
    while waiting:
        way = waiting.pop()
        for other in classifiers[way[-1]]["static_networks"]:
            if other == start:
                return [*way, other]
            if other not in seen:
                seen.add(other)
                waiting.append([*way, other])
    return []
