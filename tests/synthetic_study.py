"""Cells and metrics rows of a small made-up study, for tests: no network was trained for it."""

from __future__ import annotations

import inspect
import zlib
from dataclasses import replace
from itertools import product

import numpy as np

from touchstone.evaluations.checks import checks
from touchstone.records.metric_rows import Threat, parse_threat
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell, Checkpoint, Detector, ExampleSet, Margins, Outputs, Scores

ROWS, CLASSES, SIDE = 60, 10, 8
CLASSIFIERS = {"cnn": 40.0, "cnn_pgd": 12.0}  # how much logit margin a unit of eps costs
SEEDS = (0, 1, 2)
ATTACKS = {
    "fgsm": {"use": "fgsm", "eps": 0.1},
    "pgd": {"use": "pgd", "eps": 0.1, "steps": 40},
    "pgd_05": {"use": "pgd", "eps": 0.05, "steps": 40},
    "pgd_20": {"use": "pgd", "eps": 0.2, "steps": 40},
}
STRENGTH = {"fgsm": 0.7, "pgd": 1.0}
DETECTORS = {"energy": 1.0, "mahalanobis": 1.8, "msp": 0.7}
SUPERVISED = {"mahalanobis": ["fgsm"]}  # as if it had been trained on attacked images
OOD = {"photographs": 1.2, "uniform": 3.0}


def metric_row(metric="accuracy", value=0.5, low=None, high=None, *, threat="none", **columns):
    """A row of metrics; `threat` is a Threat or its text, the other columns have plain values."""
    columns = {
        "evaluation": "e", "entry": "cnn", "examples": "digits_test", "unit": "fraction", "n": 10, "base_rate": None,
        "seed": None, "files": ("file",), **columns,
    }  # fmt: skip
    threat = threat if isinstance(threat, Threat) else parse_threat(threat)
    return MetricRow(metric=metric, value=value, low=low, high=high, threat=threat, **columns)


def generator(*names):
    """One stream per name, so that adding a cell changes no other."""
    return np.random.default_rng(zlib.crc32("/".join(map(str, names)).encode()))


def labels(rows=ROWS):
    return np.arange(rows, dtype=np.int64) % CLASSES


def ids(rows=ROWS):
    return np.arange(rows, dtype=np.int64) * 3 + 5


def grid(images):
    return (np.rint(np.clip(images, 0, 1) * 255) / 255).astype(np.float32)


def clean_images(rows=ROWS):
    """Ten blocky shapes, one per class, with a little noise."""
    shapes = generator("shapes").random((CLASSES, 1, SIDE // 2, SIDE // 2)) > 0.6
    images = shapes.repeat(2, axis=2).repeat(2, axis=3)[labels(rows)] * 0.9
    noise = generator("noise").random((rows, 1, SIDE, SIDE)) * 0.1
    return grid(images + noise * images)


def image_set(images, labels, source, **more):
    return ExampleSet(images=grid(images), labels=labels, example_ids=ids(len(images)), source=source, **more)


def attacked_images(attack, victim, rows=ROWS):
    signs = np.sign(generator(attack, victim).normal(size=(rows, 1, SIDE, SIDE)))
    return clean_images(rows) + ATTACKS[attack]["eps"] * signs


def margin_of(entry, seed, rows=ROWS):
    """The logit margin of the true class on clean images."""
    return generator(entry, seed, "margin").normal(3.2, 1.6, rows)


def outputs(entry, seed, loss=0.0, rows=ROWS, **more):
    """Logits whose true class leads by the clean margin minus `loss`, or trails by it."""
    lead = margin_of(entry, seed, rows) - loss
    logits = generator(entry, seed, "others").normal(-3, 0.4, (rows, CLASSES))
    own, other = labels(rows), (labels(rows) + 1) % CLASSES
    logits[np.arange(rows), own], logits[np.arange(rows), other] = lead / 2, -lead / 2
    features = {"penultimate": (logits @ np.linalg.pinv(last_layer(entry, seed)).T).astype(np.float32)}
    more = {"gradient_norms": {"softmax_all": norms(entry, seed, loss, rows)}, "features": features, **more}
    return Outputs(logits=logits.astype(np.float32), labels=labels(rows), example_ids=ids(rows), **more)


def last_layer(entry, seed):
    """The weight that gives the logits from the penultimate features."""
    return generator(entry, seed, "last layer").normal(size=(CLASSES, 12))


def norms(entry, seed, loss=0.0, rows=ROWS):
    """Six parameter tensors; the more the logits lost, the more of the gradient lies below the last two."""
    grown = np.linspace(1 + loss, 1, 6)
    return (generator(entry, seed, "norms").lognormal(0, 1, (rows, 6)) * grown).astype(np.float32)


def loss_of(entry, attack):
    settings = ATTACKS[attack]
    return CLASSIFIERS[entry] * settings["eps"] * STRENGTH[settings["use"]]


def at(kind, *names):
    return f"data/made_up/{kind}/" + "/".join(map(str, names)) + ".safetensors"


def under(attack, victim):
    return {"examples": "digits_test", "attack": attack, "victim": victim, "settings": ATTACKS[attack]}


def output_cells(translators=(), attacks=tuple(ATTACKS), seeds=SEEDS, classifiers=tuple(CLASSIFIERS), rows=ROWS):
    cells = []
    for entry in classifiers:
        for seed in seeds:
            net = f"{entry}.{seed}"
            own = {"entry": entry, "seed": seed}
            for translator in ("", *(f"{name}.{seed}" for name in translators)):
                place = {"translator": translator, **own}
                cost = 0.6 if translator else 0.0
                file = at("outputs", net, "digits_test", translator)
                cells.append(Cell(outputs(entry, seed, cost, rows), file, examples="digits_test", **place))
                for attack in attacks:
                    loss = loss_of(entry, attack) * (0.3 if translator else 1) + cost
                    exact = outputs(entry, seed, loss + 0.05, rows).logits
                    noun = outputs(entry, seed, loss, rows, unquantised_logits=None if translator else exact)
                    cells.append(Cell(noun, at("outputs", net, attack, translator), **under(attack, net), **place))
    return cells


def score_cells(seeds=SEEDS, classifiers=tuple(CLASSIFIERS), attacks=("fgsm", "pgd"), rows=ROWS):
    cells = []
    for entry in classifiers:
        for seed in seeds:
            for detector, power in DETECTORS.items():
                own = {"entry": entry, "seed": seed, "detector": detector}
                net = f"{entry}.{seed}"
                shifts = {"digits_test": 0.0, **OOD, **dict.fromkeys(attacks, 0.8)}
                for name, shift in shifts.items():
                    values = generator(net, detector, name).normal(shift * power, 1.0, rows)
                    noun = Scores(values, ids(rows), labels(rows) if shift == 0 else np.full(rows, -1))
                    place = under(name, net) if name in attacks else {"examples": name}
                    if name == "digits_test":
                        place["settings"] = {"thresholds": {"0.05": 1.64}}
                    cells.append(Cell(noun, at("scores", net, detector, name), **place, **own))
    return cells


def attacked_score_cells(seeds=SEEDS, classifiers=tuple(CLASSIFIERS), detectors=("msp",), rows=ROWS):
    """ID and OOD scores, clean and moved to the other side by eps, on the score itself and by transfer."""
    attacks = {f"score_{eps}": {"use": "score_pgd", "eps": eps / 100, "steps": 20} for eps in (5, 10, 20)}
    attacks["transfer_5"] = {"use": "softmax_transfer", "eps": 0.05, "steps": 10}
    cells = []
    for entry in classifiers:
        for seed in seeds:
            net = f"{entry}.{seed}"
            for detector in detectors:
                own = {"entry": entry, "seed": seed, "detector": detector}
                for name, shift in {"digits_test": 0.0, **OOD}.items():
                    clean = generator(net, detector, name).normal(shift, 1.0, rows)
                    label = labels(rows) if shift == 0 else np.full(rows, -1)
                    cells.append(Cell(Scores(clean, ids(rows), label), at("scores", net, name), examples=name, **own))
                    for attack, settings in attacks.items():
                        reach = settings["eps"] * CLASSIFIERS[entry] * (0.5 if attack == "transfer_5" else 1)
                        moved = clean + (reach if shift == 0 else -reach)
                        victim = net if attack == "transfer_5" else f"{net}+{detector}@0.05"
                        place = {"examples": name, "attack": attack, "victim": victim, "settings": settings}
                        noun = Scores(moved, ids(rows), label)
                        cells.append(Cell(noun, at("scores", net, name, victim, attack), **place, **own))
    return cells


def crossed_score_cells():
    """The scores of two detectors, each also at the points that were made against the other, and of sets to choose on."""
    cells = []
    for entry, seed, detector in product(CLASSIFIERS, SEEDS, ("msp", "energy")):
        net = f"{entry}.{seed}"
        own = {"entry": entry, "seed": seed, "detector": detector}
        for name, shift in {"digits_test": 0.0, "chosen_on": 0.0, "gaussian": 2.0, **OOD}.items():
            clean = generator(net, detector, name).normal(shift, 1.0, ROWS)
            label = labels(ROWS) if shift == 0 else np.full(ROWS, -1)
            cells.append(Cell(Scores(clean, ids(), label), at("crossed", net, detector, name), examples=name, **own))
            for attack, aim in product(("score_5", "doubled_5"), ("msp", "energy")):
                reach = (
                    0.05 * CLASSIFIERS[entry] * (1 if aim == detector else 0.5) * (1.1 if attack == "doubled_5" else 1)
                )
                noun = Scores(clean + (reach if shift == 0 else -reach), ids(), label)
                place = {"examples": name, "attack": attack, "victim": f"{net}+{aim}@0.05"}
                used = {"use": "score_pgd", "eps": 0.05, "steps": 10}
                cells.append(Cell(noun, at("crossed", net, detector, name, aim, attack), settings=used, **place, **own))
    return cells


def checked_score_cells():
    """The attacked scores, and those under twice the steps, under queries and under another attack that knows the score."""
    cells = attacked_score_cells()
    others = {"score_doubled": {"steps": 40}, "queries": {"use": "joint_spsa"}, "other": {"use": "mimicry"}}
    for name, change in others.items():
        for cell in [cell for cell in cells if cell.attack == "score_5"]:
            cells.append(replace(cell, attack=name, file=f"{cell.file}/{name}", settings=cell.settings | change))
    return cells


def certified_score_cells():
    """The attacked scores, and beside the clean ones two ends that no attack of eps .05 passes."""
    cells = attacked_score_cells()
    for cell in [cell for cell in cells if not cell.attack]:
        for end, sign in (("high", 1), ("low", -1)):
            noun = replace(cell.noun, scores=cell.noun.scores + sign * 0.2 * CLASSIFIERS[cell.entry])
            file = at("scores", f"{cell.entry}.{cell.seed}", end, cell.examples)
            cells.append(replace(cell, noun=noun, file=file, detector=f"msp_{end}"))
    return cells


def detector_cells(seeds=SEEDS, classifiers=tuple(CLASSIFIERS)):
    cells = []
    for entry in classifiers:
        for seed in seeds:
            for name in DETECTORS:
                trained = SUPERVISED.get(name, [])
                noun = Detector({}, {"use": name}, {"0.01": 2.33, "0.05": 1.64}, spread=1.0, supervised=bool(trained))
                file = at("detectors", f"{entry}.{seed}", name)
                cells.append(Cell(noun, file, entry, seed, detector=name, settings={"anomalous": trained}))
    return cells


def calibration_cells(detectors, rows=ROWS):
    """What each detector scores the images that gave its thresholds."""
    cells = []
    for cell in detectors:
        noun = Scores(generator(cell.file, "calibration").normal(size=rows), ids(rows), labels(rows))
        own = {"entry": cell.entry, "seed": cell.seed, "detector": cell.detector}
        cells.append(Cell(noun, cell.file + "/calibration", **own, examples="digits_calibration"))
    return cells


def margin_cells(seeds=SEEDS, classifiers=tuple(CLASSIFIERS), rows=ROWS):
    cells = []
    for entry in classifiers:
        for seed in seeds:
            noun = outputs(entry, seed, rows=rows)
            lead = np.abs(margin_of(entry, seed, rows))
            values = lead / CLASSIFIERS[entry] * np.exp(generator(entry, seed, "tau").normal(0, 0.2, rows))
            exact = values < 0.45
            margins = Margins(
                margins=np.where(exact, values, np.inf), found=exact, labels=noun.labels,
                predictions=noun.predictions, example_ids=noun.example_ids, norm="linf", method="nearest_classes",
            )  # fmt: skip
            file = at("margins", f"{entry}.{seed}", "nearest_classes", "digits_test")
            cells.append(Cell(margins, file, entry, seed, "digits_test", margin="nearest_classes"))
    return cells


def bound_cells(seeds=SEEDS, classifiers=tuple(CLASSIFIERS), rows=ROWS):
    """Certified lower bounds: half of each margin."""
    cells = []
    for cell in margin_cells(seeds, classifiers, rows):
        half = np.where(cell.noun.found, cell.noun.margins, 0.4) / 2
        noun = replace(cell.noun, margins=half, found=np.ones(rows, dtype=bool), method="certified_linear")
        file = at("margins", f"{cell.entry}.{cell.seed}", "certified", "digits_test")
        cells.append(replace(cell, noun=noun, file=file, margin="certified"))
    return cells


def second_method_cells(seeds=SEEDS, classifiers=tuple(CLASSIFIERS), rows=ROWS):
    """What another method found: often a little more, sometimes a little less."""
    cells = []
    for cell in margin_cells(seeds, classifiers, rows):
        excess = generator(cell.entry, cell.seed, "fab").normal(1.03, 0.03, rows)
        noun = replace(cell.noun, margins=cell.noun.margins * excess, method="fab")
        cells.append(replace(cell, noun=noun, file=cell.file.replace("nearest_classes", "fab"), margin="fab"))
    return cells


def held_out(cells):
    """The same artefacts of a set that something may be fitted on."""
    return [replace(cell, file=cell.file + "/held_out", examples="digits_detector_train") for cell in clean(cells)]


def example_cells(seeds=SEEDS, attacks=("fgsm", "pgd"), translators=("unet",), classifiers=("cnn",), rows=ROWS):
    clean = image_set(clean_images(rows), labels(rows), "made-up digits")
    cells = [Cell(clean, at("examples", "digits_test"), examples="digits_test")]
    for name, level in OOD.items():
        images = generator(name).random((rows, 1, SIDE, SIDE)) * level / 3
        noun = image_set(images, np.full(rows, -1), f"made-up {name}")
        cells.append(Cell(noun, at("examples", name), examples=name))
    for entry in classifiers:
        for seed in seeds:
            net = f"{entry}.{seed}"
            own = {"entry": entry, "seed": seed}
            sets = {"": clean_images(rows), **{attack: attacked_images(attack, net, rows) for attack in attacks}}
            for attack, images in sets.items():
                place = under(attack, net) if attack else {"examples": "digits_test"}
                passes = {"forward_passes": 41.0, "gradient_passes": 40.0}
                noun = image_set(images, labels(rows), "made-up digits", notes=passes if attack else {})
                if attack:
                    cells.append(Cell(noun, at("attacked", net, attack), **place, **own))
                for translator in translators:
                    back = 0.75 * clean_images(rows) + 0.25 * images
                    noun = image_set(back, labels(rows), "made-up digits")
                    file = at("translated", net, attack, f"{translator}.{seed}")
                    cells.append(Cell(noun, file, translator=f"{translator}.{seed}", **place, **own))
    return cells


def defence_cells(seeds=SEEDS, attacks=("fgsm", "pgd"), rows=ROWS):
    """Outputs of a defence of cnn whose router sees half of what is attacked, and the router itself."""
    cells, routers = [], []
    for seed in seeds:
        protects = {"protects": f"cnn.{seed}"}
        own = {"entry": "routed", "seed": seed, "examples": "digits_test"}
        router = Detector({}, {"use": "energy"}, {"0.05": 1.64}, spread=1.0, supervised=False)
        settings = protects | {"false_positive_rate": 0.05}
        routers.append(
            Cell(router, at("detectors", f"cnn.{seed}", "energy"), **own, detector="energy", settings=settings)
        )
        for attack in ("", *attacks):
            for victim in (f"cnn.{seed}", f"routed.{seed}") if attack else ("",):
                loss = loss_of("cnn", attack) if attack else 0.0
                before, after = outputs("cnn", seed, loss, rows), outputs("cnn", seed, 0.5 * loss + 0.3, rows)
                scores = generator("routed", seed, attack, victim).normal(1.6 if attack else 0, 1, rows)
                routed = scores > 1.64
                features = {
                    "untranslated": before.logits, "translated": after.logits,
                    "routed": routed.astype(np.float32), "routing_score": scores.astype(np.float32),
                }  # fmt: skip
                logits = np.where(routed[:, None], after.logits, before.logits)
                noun = Outputs(logits=logits, labels=labels(rows), example_ids=ids(rows), features=features)
                place = {"attack": attack, "victim": victim, "settings": protects | ATTACKS.get(attack, {})}
                cells.append(Cell(noun, at("outputs", f"routed.{seed}", victim, attack), **own, **place))
    return cells, routers


def transfer_cells(seeds=SEEDS, classifiers=tuple(CLASSIFIERS), attack="fgsm", rows=ROWS):
    """Each classifier on what was made to fool each."""
    return [
        Cell(
            outputs(entry, seed, loss_of(victim, attack) * (1.0 if victim == entry else 0.6), rows),
            at("outputs", f"{entry}.{seed}", victim, attack), entry, seed, **under(attack, f"{victim}.{seed}"),
        )
        for entry in classifiers for victim in classifiers for seed in seeds
    ]  # fmt: skip


def three_classifiers_on_one():
    """Transfer cells of both classifiers, and of a third that only sees what was made to fool cnn."""
    third = [cell for cell in transfer_cells() if cell.entry == "cnn_pgd" and cell.victim.startswith("cnn.")]
    return [*transfer_cells(), *(replace(cell, entry="mlp", file=f"mlp/{cell.file}") for cell in third)]


def rubbish_cells(seeds=SEEDS, classifiers=tuple(CLASSIFIERS), rows=ROWS):
    cells = []
    for entry in classifiers:
        for seed in seeds:
            logits = generator(entry, seed, "rubbish").normal(0, 2, (rows, CLASSES)).astype(np.float32)
            noun = Outputs(logits, np.full(rows, -1), ids(rows), unquantised_logits=2 * logits)
            cells.append(Cell(noun, at("outputs", f"{entry}.{seed}", "rubbish"), entry, seed, "rubbish"))
    return cells


def checked_cells(seeds=SEEDS, classifiers=tuple(CLASSIFIERS), rows=ROWS):
    """Each classifier under the attacks that the sanity checks compare."""
    cells = output_cells(seeds=seeds, classifiers=classifiers, rows=rows)
    more = {
        "pgd_80_steps": ({"use": "pgd", "eps": 0.1, "steps": 80}, 1.0),
        "sign": ({"use": "random_sign", "eps": 0.1}, 0.1),
    }
    for entry in classifiers:
        for seed in seeds:
            for attack, (settings, strength) in more.items():
                noun = outputs(entry, seed, CLASSIFIERS[entry] * 0.1 * strength, rows)
                place = {"examples": "digits_test", "attack": attack, "victim": f"{entry}.{seed}", "settings": settings}
                cells.append(Cell(noun, at("outputs", f"{entry}.{seed}", attack), entry, seed, **place))
    return cells


def straight_cells(seeds=SEEDS, classifiers=tuple(CLASSIFIERS), rows=ROWS):
    """Each classifier on unclipped FGSM images of several eps: nearly straight logits."""
    cells = clean(output_cells(seeds=seeds, classifiers=classifiers, rows=rows))
    for entry in classifiers:
        for seed in seeds:
            for eps in (0.02, 0.05, 0.08, 0.1, 0.25):
                exact = outputs(entry, seed, CLASSIFIERS[entry] * (eps + eps**2), rows)
                noun = Outputs(exact.logits, exact.labels, exact.example_ids, unquantised_logits=exact.logits)
                settings = {"use": "fgsm", "eps": eps, "clip": False, "target": "none"}
                net = f"{entry}.{seed}"
                place = {"examples": "digits_test", "attack": f"straight_{eps}", "victim": net, "settings": settings}
                cells.append(Cell(noun, at("outputs", net, f"straight_{eps}"), entry, seed, **place))
    return cells


def logistic_cells(seeds=SEEDS, rows=ROWS):
    """Checkpoints, clean images and outputs on FGSM images of logistic regressions that tell bright from dark."""
    images, own = grid(generator("pair").random((rows, 1, SIDE, SIDE))), np.arange(rows, dtype=np.int64) % 2
    settings = {"use": "fgsm", "eps": 0.1, "clip": True, "target": "none"}
    checkpoints, made = [], []
    for seed in seeds:
        weights = generator("logistic", seed).normal(0, 0.3, (1, SIDE * SIDE)).astype(np.float32)
        arrays = {"linear.weight": weights, "linear.bias": np.zeros(1, np.float32)}
        noun = Checkpoint(arrays, {"use": "models/logistic_regression"}, (1, SIDE, SIDE), 2, (0.0,), (1.0,))
        checkpoints.append(Cell(noun, at("checkpoints", f"logistic.{seed}"), "logistic", seed))
        signs = np.where(own == 1, 1, -1)[:, None] * np.sign(weights)
        moved = (images - 0.1 * signs.reshape(images.shape)).clip(0, 1).reshape(rows, -1)
        logits = np.pad(moved @ weights[0, :, None], ((0, 0), (1, 0)))
        noun = Outputs(logits, own, ids(rows), unquantised_logits=logits)
        place = {"examples": "pair", "attack": "fgsm", "victim": f"logistic.{seed}", "settings": settings}
        made.append(Cell(noun, at("outputs", f"logistic.{seed}", "pair"), "logistic", seed, **place))
    return checkpoints, [Cell(image_set(images, own, "made-up pair"), at("examples", "pair"), examples="pair")], made


def history(entry, seed, epochs=12):
    """Learning curves: losses that fall, and accuracies, of the robust classifier also under attack."""
    epoch = np.arange(1, epochs + 1)
    fall = np.exp(-epoch / 4) + 0.05 * generator(entry, seed, "history").random(epochs)
    curves = {"train_loss": fall, "validation_loss": fall + 0.1, "validation_accuracy": 1 - fall / 2}
    if entry == "cnn_pgd":
        curves |= {
            "watched_accuracy": 1 - fall / 2,
            "training_attack_accuracy": 0.9 - fall / 2,
            "pgd_accuracy": 0.8 - fall / 2,
        }
    return curves


def checkpoint_cells(seeds=SEEDS, classifiers=tuple(CLASSIFIERS)):
    cells = []
    for entry in classifiers:
        for seed in seeds:
            pattern = generator(entry, seed, "weights").normal(0, 1, (24, SIDE * SIDE)).astype(np.float32)
            arrays = {"1.weight": pattern, "1.bias": np.zeros(24, np.float32)}
            arrays |= {"2.weight": last_layer(entry, seed), "2.bias": np.zeros(CLASSES, np.float32)}
            noun = Checkpoint(
                arrays,
                {"use": "models/mlp"},
                (1, SIDE, SIDE),
                CLASSES,
                (0.2,),
                (0.3,),
                history(entry, seed),
                {"watched_images": 200},
            )
            cells.append(Cell(noun, at("checkpoints", f"{entry}.{seed}"), entry, seed))
    return cells


def planted_cells(seeds=SEEDS, rows=ROWS):
    """Images with planted problems: the solutions, and what an attack and random search solve."""
    clean = image_set(clean_images(rows), labels(rows), "made-up digits")
    cells = [Cell(clean, at("examples", "digits_test"), examples="digits_test")]
    plant = {"use": "attacks/binarisation", "eps": 0.1, "attack": None, "corners": 0}
    tests = {"planted": {}, "planted_random": {"corners": 200}, "planted_pgd": {"attack": ATTACKS["pgd"]}}
    for seed in seeds:
        for (name, changes), share in zip(tests.items(), (0.9, 0.3, 0.95), strict=True):
            images = clean_images(rows)
            images[generator(seed, name).random(rows) < share] = 0.5
            place = {"examples": "digits_test", "attack": name, "victim": f"cnn.{seed}", "settings": plant | changes}
            noun = image_set(images, labels(rows), "made-up digits")
            cells.append(Cell(noun, at("attacked", f"cnn.{seed}", name), "cnn", seed, **place))
    return cells


def guarded_cells(seeds=SEEDS, rows=ROWS):
    """Outputs and scores of images that were attacked with and without knowledge of the detector."""
    suite = "adaptive/evasion_suite"
    attacks = {
        "aware_05": (suite, 0.05, True), "aware_10": (suite, 0.1, True), "aware_30": (suite, 0.3, True), "pgd": ("attacks/pgd", 0.1, False),
        "joint": ("adaptive/joint_pgd", 0.1, True), "queries": ("adaptive/joint_spsa", 0.1, True),
    }  # fmt: skip
    given = [], []
    for seed, (name, (use, eps, knows)) in product(seeds, attacks.items()):
        net = f"cnn.{seed}"
        place = {"entry": "cnn", "seed": seed, "examples": "digits_test", "attack": name}
        place |= {"victim": f"{net}+energy@0.05" if knows else net, "settings": {"use": use, "eps": eps}}
        scores = Scores(generator(seed, name, "guard").normal(size=rows), ids(rows), labels(rows))
        loss = 0 if name == "queries" else 40 * eps
        given[0].append(Cell(outputs("cnn", seed, loss, rows), at("outputs", net, name), **place))
        given[1].append(Cell(scores, at("scores", net, name), detector="energy", **place))
    return given


def free_cells():
    """Outputs on images of an attack that declares no budget."""
    settings = {"use": "attacks/carlini_wagner", "steps": 9}
    return [
        replace(cell, file=cell.file.replace("pgd", "cw"), attack="cw", settings=settings)
        for cell in output_cells(attacks=("pgd",))
        if cell.attack
    ]


def clean(cells):
    return [cell for cell in cells if not cell.attack and not cell.translator]


# What every component of evaluations/ and figures/ gets: cells by the noun that it names, settings by their names.
NOUNS = {
    "outputs": output_cells(("unet",)),
    "scores": score_cells(),
    "detectors": detector_cells(),
    "calibration_scores": calibration_cells(detector_cells()),
    "margins": [*margin_cells(), *second_method_cells(), *bound_cells()],
    "fit_margins": held_out(margin_cells()),
    "fit_outputs": held_out(output_cells()),
    "examples": example_cells(),
    "checkpoints": checkpoint_cells(),
    "rival_outputs": output_cells(),
    "rival_scores": attacked_score_cells(),
}
# Other cells for some components.
ATTACKED = {"scores": attacked_score_cells()}  # for components about attacks on detectors' scores
DEFENCES = dict(zip(("outputs", "detectors"), defence_cells(), strict=True))
DEFENCES["calibration_scores"] = calibration_cells(DEFENCES["detectors"])
OWN_NOUNS = {
    "binarisation": {"examples": planted_cells()},
    "robustness": {"outputs": [*NOUNS["outputs"], *free_cells()]},
    "agreement": {"outputs": three_classifiers_on_one()},
    "chance_agreement": {"outputs": three_classifiers_on_one()},
    "paired_errors": {
        "outputs": [*output_cells(), *(c for c in transfer_cells() if c.victim != f"{c.entry}.{c.seed}")]
    },
    "rubbish": {"outputs": rubbish_cells()},
    "checks": {"scores": checked_score_cells()},
    "checks_of_networks": {"outputs": checked_cells()},
    "checks_of_detectors": dict(zip(("outputs", "scores"), guarded_cells(), strict=True)),
    "linearity": {"outputs": straight_cells()},
    "closed_form": dict(zip(("checkpoints", "examples", "outputs"), logistic_cells(), strict=True)),
    "attacked_detection": ATTACKED,
    "certified_detection": {"scores": certified_score_cells()},
    "union_detection": {"crossed_scores": crossed_score_cells()},
    "routing": DEFENCES,
    "translation": {"outputs": output_cells(("unet", "denoiser"))},
}
SETTINGS = {
    "id_examples": "digits_test", "eps": [0.05, 0.1, 0.2],
    "resamples": 20, "leaders": ["cnn_pgd"], "against": ["cnn", "fgsm"], "turned": ["energy"], "baseline": "cnn", "size": 20, "subsets": 5,
    "epochs": 5, "statistics": ["auroc", "aupr_ood", "aupr_id", "fpr95_id", "fpr95_ood", "detection_error"],
}  # fmt: skip
OWN_SETTINGS = {
    "gain_over_best": {"learned": ["mahalanobis"], "against": ["msp"]},
    "detector_reduction": {"eps": 0.1},
    "checks": {"checked": ["score_5", "score_10", "score_20"]},
    "paired_detection": {"against": ["msp"]},
    "translation": {"against": ["denoiser"]},
    "linear_probe": {"against": ["cnn"]},
    "agreement": {"against": ["mlp"]},
    "chance_agreement": {"against": ["mlp"]},
    "unclipped_confidence": {"against": ["cnn"]},
    "certified_detection": {"high": ["msp_high"], "low": ["msp_low"], "eps": [0.05]},
    "attacked_scores": {"detectors": ["energy"]},
    "union_detection": {
        "id_examples": ["digits_test"],
        "choice_id": ["chosen_on"],
        "choice_sets": ["gaussian"],
        "before": ["cnn"],
        "checked": ["doubled_5"],
        "alone": ["score_5"],
    },
}
# Settings of this name where a component requires one; where it has a default, it means something else.
REQUIRED = {
    "attacks": ["fgsm", "pgd"],
    "examples": "digits_test",
    "entries": ["cnn", "cnn_pgd"],
    "classifier": "cnn",
    "entry": "routed",
    "high": ["msp_high"],
    "low": ["msp_low"],
    "networks": ["cnn"],
    "learned": ["energy"],
    "splits": [0],
}


def checks_of_networks(outputs):
    """The component `checks` without detectors."""
    return checks(outputs, [], [])


def checks_of_detectors(outputs, scores, detectors):
    """The component `checks` of attacks on networks with their detectors."""
    return checks(outputs, scores, detectors, checked=["aware_05", "aware_10", "aware_30"], large_eps=0.3)


def given(function):
    """Return the cells and the settings for a component, by its signature."""
    parameters = inspect.signature(function).parameters.values()
    names = [p.name for p in parameters]
    own = OWN_NOUNS.get(function.__name__, {})
    nouns = {p.name: own.get(p.name, NOUNS.get(p.name)) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    if "id_examples" not in names and "scores" in nouns:  # about classes, which OOD sets have none of
        nouns["scores"] = [cell for cell in nouns["scores"] if cell.examples == "digits_test"]
    own_settings = OWN_SETTINGS.get(function.__name__, {})
    settings = SETTINGS | REQUIRED | own_settings
    return list(nouns.values()), {
        p.name: settings[p.name]
        for p in parameters
        if p.kind is p.KEYWORD_ONLY
        and (p.name in {**SETTINGS, **own_settings} or (p.name in REQUIRED and p.default is p.empty))
        and (p.name != "eps" or "list" in str(p.annotation))
    }


def value_of(numbers, metric, entry, examples):
    """The value of the one row that is about these."""
    (row,) = [row for row in numbers.rows if (row.metric, row.entry, row.examples) == (metric, entry, examples)]
    return row.value
