"""The rules by which a challenge contradicts a pack: how often they accuse an honest one, and what they notice."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats

from touchstone.attacks.attack_suite import attack_suite
from touchstone.audit import attack_reruns, attacked_again, challenge, nearer_points, recorded_attacks, robust_unions
from touchstone.audit.attack_reruns import FALSE_ALARM, LOOK, TRIALS, apart, is_beyond, is_stronger
from touchstone.audit.problems import Result
from touchstone.pipeline.planning.parts import Task
from touchstone.records.nouns import ExampleSet, Outputs

IMAGES = 120


def test_images_are_apart_in_units_of_their_change():
    clean = np.full((4, 1, 2, 2), 0.5, np.float32)
    changed = clean + np.float32(0.1)

    assert apart(changed, changed, clean).tolist() == [0] * 4
    assert apart(changed, clean, clean) == pytest.approx([1] * 4)
    assert apart(changed, 2 * clean - changed, clean) == pytest.approx([2] * 4)
    assert apart(clean, clean, clean).tolist() == [0] * 4


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5])
def test_what_another_processor_changes_accuses_no_honest_set(share):
    """If it changes as many images as nudged weights do: the chance of more than FALSE_ALARM would need another rule."""
    odds = stats.binom(LOOK, share).pmf(np.arange(LOOK + 1))
    nudged = stats.binom(TRIALS * LOOK, share).pmf(np.arange(TRIALS * LOOK + 1))
    accused = sum(
        odds[k] * nudged[n]
        for k in range(LOOK + 1)
        for n in range(TRIALS * LOOK + 1)
        if odds[k] * nudged[n] > 1e-12 and is_beyond(k, LOOK, n)
    )

    assert accused <= FALSE_ALARM


@pytest.mark.parametrize(("falsified", "noticed"), [(1.0, 1.0), (0.5, 0.99), (0.25, 0.5)])
def test_a_look_at_a_set_convicts_a_forged_share_of_it(falsified, noticed):
    odds = stats.binom(LOOK, falsified)
    assert sum(odds.pmf(k) for k in range(LOOK + 1) if is_beyond(k, LOOK, 0)) >= noticed


def test_an_attack_that_is_as_good_here_as_in_the_file_is_not_stronger():
    for different in range(1, LOOK + 1):
        ours = stats.binom(different, 0.5)
        accused = sum(ours.pmf(k) for k in range(different + 1) if is_stronger(k, different - k))
        assert accused <= FALSE_ALARM
    assert is_stronger(20, 0)
    assert not is_stronger(0, 0)


@pytest.mark.parametrize("total", [8, 16, 52, 120])
def test_margins_of_a_search_that_misses_a_tenth_are_not_denied_and_wrong_ones_are(total):
    missed = stats.binom(total, 0.1)
    accused = sum(missed.pmf(k) for k in range(total + 1) if nearer_points.too_many(k, total))

    assert accused < 1e-3
    assert nearer_points.too_many(total, total)
    assert not nearer_points.too_many(1, total)


# --- a set whose attack hangs on the last bits --------------------------------------------------------------------------


def attacked(images):
    """The attack of `Elsewhere`: up or down by .1, as the id says."""
    signs = np.where(np.arange(len(images)) % 2, 1, -1).astype(np.float32)
    return images + np.float32(0.1) * signs[:, None, None, None]


class Elsewhere:
    """A reader on another processor: there, and with nudged weights, a share of the images comes out otherwise."""

    device = "cpu"

    def __init__(self, share, stated, clean, random):
        self.share, self.random, self.runs = share, random, 0
        self.sets = {"stated": stated, "clean": clean}
        self.honest = self._shaken(attacked(clean.images))

    def _shaken(self, images):
        rows = self.random.random(len(images)) < self.share
        return np.where(rows[:, None, None, None], 1 - images, images)

    def noun(self, file, kind):
        return self.sets[file]

    def job(self, task):
        return SimpleNamespace(settings=task.settings, drawn=torch.no_grad)

    def compute(self, task, *, examples, nudged=False):
        rows = examples.example_ids
        self.runs += len(rows)
        images = self._shaken(attacked(self.sets["clean"].images))[rows] if nudged else self.honest[rows]
        return SimpleNamespace(images=images)


TASK = SimpleNamespace(
    inputs={"examples": "clean"},
    output="stated",
    settings={"component": {"use": "attacks/pgd"}, "device": "cpu", "batch_size": 64},
)


def looked_at(share, change, seed, count=1, task=TASK):
    clean = ExampleSet(
        np.full((IMAGES, 1, 2, 2), 0.4, np.float32), np.zeros(IMAGES, np.int64), np.arange(IMAGES), "made"
    )
    stated = clean.with_images(change(attacked(clean.images), clean.images))
    random = np.random.default_rng(seed)
    (found,) = attack_reruns.reruns(Elsewhere(share, stated, clean, random), [task], count, random)
    return found


@pytest.fixture
def _bright_images_are_wrong(monkeypatch):
    def model(images):
        brightness = images.mean((1, 2, 3))
        return torch.stack([1 - 2 * brightness, 2 * brightness - 1], 1)

    monkeypatch.setattr(recorded_attacks, "attacked_model", lambda job: (model, model))


@pytest.mark.usefixtures("_bright_images_are_wrong")
@pytest.mark.parametrize("share", [0.0, 0.02, 0.2, 0.6])
def test_honest_images_from_another_processor_are_not_accused(share):
    assert not any(looked_at(share, lambda images, clean: images, seed).contradicts for seed in range(100))


@pytest.mark.usefixtures("_bright_images_are_wrong")
def test_clean_images_among_attacked_ones_are_found_even_if_they_are_few():
    """One of them is always among the drawn ones; then as many are looked at as convict."""

    def half(images, clean):
        return np.where((np.arange(IMAGES) % 2 == 0)[:, None, None, None], clean, images)

    found = [looked_at(0.01, half, seed) for seed in range(20)]
    assert all(one.contradicts and one.unmoved for one in found)
    assert all(one.looked == LOOK for one in found)


@pytest.mark.usefixtures("_bright_images_are_wrong")
def test_other_images_in_all_rows_are_found_with_one_drawn_image():
    found = [looked_at(0.01, lambda images, clean: 2 * clean - images, seed).contradicts for seed in range(50)]
    assert all(found)


@pytest.mark.usefixtures("_bright_images_are_wrong")
def test_one_image_that_hangs_on_the_last_bits_hides_no_forged_set():
    """A forger may add such images; the rest of the set is compared as any other."""
    found = [looked_at(0.2, lambda images, clean: 2 * clean - images, seed) for seed in range(30)]

    assert all(one.contradicts and not one.by_success for one in found)


# --- sets that one attack made ---------------------------------------------------------------------------------------------


class Together:
    """A reader of sets that one attack made. It counts how often the attack runs."""

    device = "cpu"

    def __init__(self, sets):
        self.sets, self.runs = sets, []

    def noun(self, file, kind):
        return self.sets[file]

    def job(self, task):
        return SimpleNamespace(settings=task.settings, drawn=torch.no_grad)

    def compute(self, task, *, examples, nudged=False):
        self.runs.append(len(examples))
        return SimpleNamespace(images=upwards(examples))


def upwards(examples):
    """Each image brighter by a thousandth of its id: the attack depends on the image alone."""
    return examples.images + np.float32(1e-3) * examples.example_ids[:, None, None, None].astype(np.float32)


def several(ids_of_each, forged=(), settings=TASK.settings):
    sets, tasks = {}, []
    for place, ids in enumerate(ids_of_each):
        images = np.full((len(ids), 1, 2, 2), 0.4, np.float32)
        clean = ExampleSet(images, np.zeros(len(ids), np.int64), np.asarray(ids), "made")
        sets[f"clean{place}"] = clean
        sets[f"file{place}"] = clean.with_images(upwards(clean) if place not in forged else clean.images)
        given = {"examples": f"clean{place}"}
        tasks.append(Task("attack", given, f"file{place}", settings))
    return Together(sets), tasks


@pytest.mark.usefixtures("_bright_images_are_wrong")
def test_an_attack_runs_once_for_all_sets_that_it_made_and_the_forged_one_is_named():
    reader, tasks = several([range(1, 41), range(101, 141), range(201, 241)], forged=[1])

    found = attack_reruns.reruns(reader, tasks, 2, np.random.default_rng(0))

    assert [one.contradicts for one in found] == [False, True, False]
    assert reader.runs[0] == 2 + 3 + 2  # one more of the set with images that equal their clean ones
    assert all(looked == LOOK for looked in reader.runs[1:])  # only the forged set is looked at closely
    assert [one.still for one in found] == [0, 40, 0]


@pytest.mark.usefixtures("_bright_images_are_wrong")
def test_a_suite_runs_whole_only_for_the_sets_whose_drawn_images_its_first_attacks_fool():
    """Images with small ids stay dark, so nothing fools the network on them."""
    suite = TASK.settings | {"component": {"use": "attacks/attack_suite", "restarts": 5, "queries": 100}}
    reader, tasks = several([range(1, 5), range(201, 205), range(5, 9)], settings=suite)

    found = attack_reruns.reruns(reader, tasks, 2, np.random.default_rng(0))

    assert not any(one.others for one in found)
    assert reader.runs == [6]  # what its first attacks fool is in the file, as they return it

    forged, tasks = several([range(1, 5), range(201, 205)], forged=[1], settings=suite)
    attack_reruns.reruns(forged, tasks, 2, np.random.default_rng(0))
    assert forged.runs[:2] == [5, 3]  # one more of the set with images that equal their clean ones


@pytest.mark.usefixtures("_bright_images_are_wrong")
def test_sets_with_the_same_image_are_attacked_one_after_the_other():
    """An image's random numbers follow its id, and a set has each id once."""
    reader, tasks = several([[7], [7], [8]])

    found = attack_reruns.reruns(reader, tasks, 1, np.random.default_rng(0))

    assert not any(one.others for one in found)
    assert reader.runs == [2, 1]


@pytest.mark.usefixtures("_bright_images_are_wrong")
def test_a_set_that_cannot_be_read_leaves_the_others_to_be_challenged():
    reader, tasks = several([range(1, 41), range(101, 141)], forged=[1])
    del reader.sets["clean0"]
    reader.selection = SimpleNamespace(
        tasks={task.output: task for task in tasks}, files=[task.output for task in tasks]
    )
    reader.has = lambda task: True
    result, counts = Result(), challenge.Counts()

    challenge._attacks(reader, result, 1, np.random.default_rng(0), SimpleNamespace(on=lambda file: ""), counts)

    assert [problem.file for problem in result.problems] == ["file0", "file1"]
    assert "its attack cannot be run again" in result.problems[0].message
    assert "equals its clean image" in result.problems[1].message


# --- a set of which only the successes can be compared ------------------------------------------------------------------

DRAWN = SimpleNamespace(inputs=TASK.inputs, output="stated", settings=TASK.settings | {"draws": 2})


@pytest.fixture
def _half_are_fooled(monkeypatch):
    """Of the images of `attacked`, those that are brighter than clean ones."""

    def model(images):
        brightness = images.mean((1, 2, 3))
        return torch.stack([0.45 - brightness, brightness - 0.45], 1)

    monkeypatch.setattr(recorded_attacks, "attacked_model", lambda job: (model, model))


@pytest.mark.usefixtures("_half_are_fooled")
@pytest.mark.parametrize(("falsified", "noticed"), [(0.8, 0.9), (0.4, 0.5)])
def test_a_set_that_shows_fewer_successes_than_the_attack_has_is_found(falsified, noticed):
    """Of half of the falsified images, so an attack that fools 40 % or 20 % more of all."""

    def weaker(images, clean):
        wrong = np.arange(IMAGES) % 100 < 100 * falsified
        return np.where(wrong[:, None, None, None], clean - np.float32(0.1), images)

    found = [looked_at(0.0, weaker, seed, task=DRAWN) for seed in range(50)]

    assert all(one.by_success for one in found)
    assert np.mean([one.contradicts for one in found]) >= noticed


@pytest.mark.usefixtures("_half_are_fooled")
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_an_honest_set_of_a_random_network_is_not_accused_and_said_to_be_unchecked(share):
    """Here and where it was made, a share of the images comes out otherwise."""
    random = np.random.default_rng(0)

    def otherwise(images, clean):
        return np.where((random.random(IMAGES) < share)[:, None, None, None], 1 - images, images)

    found = [looked_at(share, otherwise, seed, task=DRAWN) for seed in range(50)]

    assert not any(one.contradicts for one in found)
    assert all(one.by_success for one in found)


@pytest.mark.parametrize(
    ("by_success", "sentence"), [([], "a share p of a set is false"), (["a", "b"], "a share p of the 1 ")]
)
def test_sets_compared_by_success_are_unchecked_and_in_no_probability(monkeypatch, by_success, sentence):
    def attacks(reader, result, count, random, claims, counts):
        counts.sets, counts.images, counts.by_success = 3, 20, by_success

    monkeypatch.setattr(challenge, "RestingClaims", lambda *_: None)
    monkeypatch.setattr(challenge, "_attacks", attacks)
    for name in ("_margins", "_suites"):
        monkeypatch.setattr(challenge, name, lambda *_: None)
    result = Result()

    challenge.challenge(SimpleNamespace(selection=None, folder=None), result, 1, 0)

    assert [line for line in result.challenged if sentence in line]
    assert len(result.unchecked) == bool(by_success)
    assert all("the images of 2 attacked sets, such as a, are what" in line for line in result.unchecked)


@pytest.mark.parametrize(("by_success", "unions"), [([], 0), (["suite"], 1)])
def test_the_suite_meets_a_union_whose_own_suite_was_compared_by_success_only(monkeypatch, by_success, unions):
    """Else a forger who names a GPU would keep both away."""
    given = {"checkpoint": "net", "examples": "clean"}
    blocks = {
        name: {"use": f"attacks/{use}", "eps": 0.1} for name, use in (("suite", "attack_suite"), ("step", "fgsm"))
    }
    tasks = [Task("attack", given, name, {"component": block, "device": "cuda"}) for name, block in blocks.items()]
    tasks += [Task("infer", {"checkpoint": "net", "examples": name}, f"{name}_outputs", {}) for name in blocks]
    selection = SimpleNamespace(tasks={task.output: task for task in tasks}, files=[task.output for task in tasks])
    reader = SimpleNamespace(selection=selection, has=lambda task: True)

    assert len(list(robust_unions.unions(reader, by_success))) == unions


@pytest.mark.parametrize(("brightness", "fooled"), [(0.45, 8), (0.3, 0)])
def test_images_that_a_union_of_weak_attacks_leaves_right_are_named_with_their_claims(monkeypatch, brightness, fooled):
    """Images brighter than .5 are of the second class, and the attacks may change each pixel by .1."""

    def model(images):
        lead = images.flatten(1).mean(1) - 0.5
        return torch.stack([-lead, lead], 1)

    ids, labels = np.arange(500, 540), np.zeros(40, np.int64)
    clean = ExampleSet(np.full((40, 1, 2, 2), brightness, np.float32), labels, ids, "made")
    right = Outputs(np.tile(np.float32([1, 0]), (40, 1)), labels, ids)
    given = {"checkpoint": "net", "examples": "clean"}
    tasks = [
        Task("attack", given, use, {"component": {"use": f"attacks/{use}", "eps": 0.1}, "device": "cpu"})
        for use in ("fgsm", "pgd")
    ]
    tasks += [Task("infer", given | {"examples": task.output}, f"{task.output}_outputs", {}) for task in tasks]
    reader = SimpleNamespace(
        selection=SimpleNamespace(tasks={task.output: task for task in tasks}, files=[task.output for task in tasks]),
        noun=lambda file, kind: clean if kind == "ExampleSet" else right,
        job=lambda task: SimpleNamespace(model=lambda: model),
        has=lambda task: True,
        device=None,
    )
    claims = SimpleNamespace(on=lambda *files, worst: f"; claims that rest on it: {files}" if worst else "")
    monkeypatch.setattr(attacked_again, "attack_suite", partial(attack_suite, steps=5, restarts=1, queries=10))
    result, counts = Result(), challenge.Counts()

    challenge._suites(reader, result, 1, np.random.default_rng(0), claims, counts)

    assert (counts.unions, counts.met, counts.fallen) == (1, 8, fooled)
    problems = [str(problem) for problem in result.problems]
    assert len(problems) == bool(fooled)
    for problem in problems:
        assert problem.startswith(tuple(f"challenge: fgsm: image {each} is said to be robust" for each in ids))
        assert "the attack suite fools it: 8 of 8 such images fell, so at most 36.9 % of all are robust" in problem
        assert problem.endswith("claims that rest on it: ('fgsm', 'pgd')")


@pytest.mark.parametrize("looked", [330, 5_000])
def test_large_sets_are_looked_at_too(looked):
    assert not is_beyond(0, looked, 0)
    assert not is_beyond(looked // 100, looked, looked // 20)
    assert is_beyond(looked, looked, 0)
