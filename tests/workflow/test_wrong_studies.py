"""What users write by mistake into a study is told before any job: file, line, key, what is allowed, the nearest word."""

import re
import shutil
from pathlib import Path

import pytest

from projects import within
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load

ROOT = Path(__file__).parents[2]
SECONDS = 20
STUDY = """\
title: Mine
pdf: false
data:
  train: {digits_train: {use: digits, source: sklearn_digits, part: train, limit: 200}}
  validation: {digits_validation: {use: digits, source: sklearn_digits, part: validation, limit: 40}}
  calibration: {digits_calibration: {use: digits, source: sklearn_digits, part: calibration, limit: 60}}
  detector_train: digits_train
  test: {digits_test: {use: digits, source: sklearn_digits, part: test, limit: 60}}
  ood_noise: {uniform: {count: 40}}
  score_ood: uniform
  outliers: {blobs: {count: 60}}
scale:
  seeds: 1
  epochs: 1
  learning_rate: 0.01
  translators: {epochs: 1, learning_rate: 0.01, batch_size: 20, model: {filters: 4}}
papers:
  gradient_detection: smoke
  aloe: smoke
  margin_consistency: smoke
  fgsm: smoke
  translation: smoke
compute: {threads: 1}
plugins: []
change:
  classifiers: {cnn: {epochs: 3}}
"""
CNN = "  classifiers: {cnn: {epochs: 3}}\n"
EMPTY = "nothing is written here; give it a value, or leave it out"
SEEDS = "expected a number of seeds from 1 to 100, or a list of them, such as [0, 5], each once, got "


def block(key):
    """The lines of a key of the first column."""
    return re.search(rf"(?ms)^{key}:.*?(?=^\S|\Z)", STUDY)[0]


def change(line):
    return CNN, f"  {line}\n"


# {what: (lines of STUDY, what is written instead, the key that the message names, words of the message)}
WRONG = {
    # keys of the first column
    "a title that is a number": ("title: Mine", "title: 3", "title", "expected a line of text of at most 200 letters, such as title: My study, got 3"),
    "a title that is a list": ("title: Mine", "title: [Mine]", "title", "expected a line of text"),
    "a blank title": ("title: Mine", "title: ' '", "title", 'expected a line of text of at most 200 letters, such as title: My study, got " "'),
    "no title": ("title: Mine\n", "", "title", "must be given: a line of text"),
    "a word for a truth": ("pdf: false", "pdf: maybe", "pdf", 'expected true or false, got "maybe"'),
    "data as a list": (block("data"), "data: [digits_train]\n", "data", "expected roles with their sets, such as train: "),
    "no data": (block("data"), "", "data.calibration", "must be given: a set of clean images for thresholds"),
    "scale as a number": (block("scale"), "scale: 3\n", "scale", "expected settings such as epochs: 20, got 3"),
    "papers as a list": (block("papers"), "papers: [aloe, fgsm]\n", "papers", "expected papers with their grades, such as aloe: quick, got ['aloe', 'fgsm']"),
    "compute as a word": ("compute: {threads: 1}", "compute: cuda", "compute", 'expected settings such as device: cpu, got "cuda"'),
    "plugins as a word": ("plugins: []", "plugins: mine", "plugins", 'expected a list of folders, got "mine"'),
    "a plugin that is a number": ("plugins: []", "plugins: [3]", "plugins.0", "expected a list of folders, got 3"),
    "a plugin that is not there": ("plugins: []", "plugins: [nowhere/]", "plugins", "nowhere: folder not found"),
    "change as a list": ("change:\n" + CNN, "change: [cnn]\n", "change", "expected sections with entries, such as attacks: {pgd: {eps: 0.1}}, got ['cnn']"),
    "an unknown key": ("pdf: false", "pfd: false", "pfd", "no such setting. Settings are scale, compute, title, base, pdf, data, papers, change, plugins. Did you mean pdf?"),
    "a section in the first column": ("pdf: false", "attacks: {pgd: {eps: 0.2}}", "attacks", "no such setting", "Write attacks in change."),
    "epochs in the first column": ("pdf: false", "epochs: 3", "epochs", "no such setting", "Write epochs in scale."),
    # papers
    "an unknown grade": ("aloe: smoke", "aloe: quik", "papers.aloe", 'smoke, quick, full, multiverse, got "quik". Did you mean quick?'),
    "a grade that is a list": ("aloe: smoke", "aloe: [smoke]", "papers.aloe", "smoke, quick, full, multiverse, got ['smoke']"),
    "an unknown paper": ("aloe: smoke", "aleo: smoke", "papers.aleo", 'no paper called "aleo". There are aloe, fgsm,', "Did you mean aloe?"),
    "a paper twice": ("  aloe: smoke", "  aloe: smoke\n  aloe: full", "papers", "aloe is defined twice", 1),
    "a paper's folder that is not there": ("aloe: smoke", "./mine: smoke", "papers../mine", "claims.yaml is missing in"),
    # data
    "a misspelt role": ("  validation: {", "  validaton: {", "data.validaton", "no paper reads this role. Roles are train, validation,", "Did you mean validation?"),
    "a misspelt role that may be left out": ("ood_noise:", "ood_nosie:", "data.ood_nosie", "no paper reads this role", "Did you mean ood_noise?"),
    "a role that is read by nothing": ("ood_noise:", "pets: uniform\n  ood_noise:", "data.pets", "no paper reads this role"),
    "a role with capitals": ("ood_noise:", "Pets: uniform\n  ood_noise:", "data.Pets", "a role consists of a-z, 0-9 and _"),
    "no role that all questions need": (re.search("  validation.*\n", STUDY)[0], "", "data", "gives no validation, and so no question of the papers about a network is left", -2),
    "no calibration": (re.search("  calibration.*\n", STUDY)[0], "", "data.calibration", "must be given: a set of clean images for thresholds", -3),
    "a set that does not exist": ("detector_train: digits_train", "detector_train: digits_trian", "data.detector_train", "no set called digits_trian. Did you mean digits_train?"),
    "a set that does not exist in a list": ("score_ood: uniform", "score_ood: [uniform, unifrom]", "data.score_ood", "no set called unifrom. Did you mean uniform?"),
    "an attack for a set": ("score_ood: uniform", "score_ood: pgd", "data.score_ood", "no set called pgd"),
    "a number for a set": ("score_ood: uniform", "score_ood: 3", "data.score_ood", "expected a set, a list of sets, or sets with settings, such as {digits_test:", "got 3"),
    "a list in a list": ("score_ood: uniform", "score_ood: [[uniform]]", "data.score_ood", "expected a set, a list of sets", "got [['uniform']]"),
    "a role without sets": ("score_ood: uniform", "score_ood: []", "data.score_ood", "expected a set, a list of sets", "got []"),
    "a set defined twice": ("ood_noise:", "sets: {digits_test: {use: digits, source: sklearn_digits, part: test}}\n  ood_noise:", "data.sets.digits_test", "is defined twice"),
    "two sets where one plays": ("  train: {", "  train: {more: {use: digits, source: sklearn_digits, part: train}, ", "data.train", "expected an entry, got ['more', 'digits_train']", "common.yaml reads it"),
    "two sets of calibration": ("  calibration: {", "  calibration: {more: {use: digits, source: sklearn_digits, part: train}, ", "data.calibration", "expected one set, got ['more', 'digits_calibration']"),
    "a new set without use": ("{uniform: {count: 40}}", "{unifrom: {count: 40}}", "data.ood_noise.unifrom", "needs use: one of", "uniform_noise"),
    "a set that is a number": ("{uniform: {count: 40}}", "{uniform: 40}", "data.ood_noise.uniform", "expected settings, got 40"),
    "a misspelt component of a set": ("train: {digits_train: {use: digits,", "train: {digits_train: {use: digit,", "data.train.digits_train.use", "no data/digit.py", "Did you mean digits?"),
    "a misspelt setting of a set": ("part: train, limit: 200", "part: train, limmit: 200", "data.train.digits_train.limmit", "not a setting of data/digits.py", "Did you mean limit?"),
    "a misspelt word of a set": ("part: train, limit: 200", "part: trian, limit: 200", "data.train.digits_train.part", "expected one of train, validation,", 'got "trian". Did you mean train?'),
    "more images than the set has": ("ood_noise:", "attacked_test: {few: {use: subset, of: digits_test, count: 5000}}\n  ood_noise:", "data.attacked_test.few.count", "digits_test has at most 60 images, and this takes 5,000"),
    "a skip beyond the set": ("ood_noise:", "attacked_test: {few: {use: subset, of: digits_test, count: 10, skip: 55}}\n  ood_noise:", "data.attacked_test.few.skip", "digits_test has at most 60 images, and this takes 10 after the first 55"),
    "more images than the part of a source has": ("part: train, limit: 200", "part: train, limit: 2000", "data.train.digits_train.limit", "the part train of sklearn_digits has at most 809 images, and this takes 2,000"),
    "more images than a whole part has": ("ood_noise:", "attacked_test: {few: {use: subset, of: all_digits, count: 12000}}\n  sets: {all_digits: {use: digits, source: sklearn_digits, part: test}}\n  ood_noise:", "data.attacked_test.few.count", "all_digits has at most 359 images, and this takes 12,000"),
    "a skip beyond a whole part": ("ood_noise:", "attacked_test: {few: {use: subset, of: all_digits, skip: 2000, count: 150}}\n  sets: {all_digits: {use: digits, source: sklearn_digits, part: test}}\n  ood_noise:", "data.attacked_test.few.skip", "all_digits has at most 359 images, and this takes 150 after the first 2,000"),
    "more images than are scrambled": ("{blobs: {count: 60}}", "{scrambled: {use: phase_scrambled, of: digits_train, count: 300}}", "data.outliers.scrambled.count", "digits_train has at most 200 images, and this takes 300"),
    "more tiles than photographs have": ("{uniform: {count: 40}}", "{tiles: {use: photograph_patches, source: sklearn_photographs, count: 155}}", "data.ood_noise.tiles.count", "sklearn_photographs has at most 154 images, and this takes 155"),
    "two classes that are one": ("{uniform: {count: 40}}", "{twins: {use: two_classes, of: digits_test, negative: 3, positive: 3}}", "data.ood_noise.twins.positive", "must be another class than negative, got 3 for both"),
    "a class that no image has": ("{uniform: {count: 40}}", "{some: {use: held_out_classes, of: digits_test, classes: [3, 77], keep: true}}", "data.ood_noise.some.classes", "expected a class from 0 to 9 of digits_test, got 77"),
    "a set without any class": ("{uniform: {count: 40}}", "{none: {use: held_out_classes, of: digits_test, classes: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], keep: false}}", "data.ood_noise.none.classes", "these are all classes of digits_test: nothing is left"),
    "more known classes than there are": ("{uniform: {count: 40}}", "{new: {use: class_split, of: digits_test, split: 0, part: unknown, known: 10}}", "data.ood_noise.new.known", "expected seen < known < 10, the classes of digits_test, got 4 and 10"),
    "a source that a set cannot read": ("use: digits, source: sklearn_digits, part: train", "use: digits, source: sklearn_photographs, part: train", "data.train.digits_train.source", "digits.py does not read what sklearn_photographs has; name sklearn_digits"),
    "noise of another size": ("{uniform: {count: 40}}", "{uniform: {count: 40, size: 32}}", "data.ood_noise.uniform.size", "images of 1 x 32 x 32 (channels, height, width), and those of digits_train, on which networks train, are 1 x 28 x 28", "set size: 28"),
    "noise in colour": ("{uniform: {count: 40}}", "{uniform: {count: 40, size: 32, channels: 3}}", "data.ood_noise.uniform.channels", "set channels: 1, size: 28"),
    "patches that do not fit": ("{blobs: {count: 60}}", "{shuffled: {use: patch_shuffled, of: digits_train, patch: 5}}", "data.outliers.shuffled.patch", "must divide the side of images of 1 x 28 x 28"),
    "test images that networks train on, by another name": ("part: train, limit: 200", "part: test, limit: 100", "data.train", "digits_train has images of digits_test, which is tested on by evaluations."),
    "thresholds from training images by another name": ("part: train, limit: 200", "part: calibration, limit: 100", "data.train", "digits_train has images of digits_calibration, which gives the thresholds (data.calibration)"),
    "validation images that networks train on, by another name": ("part: validation, limit: 40", "part: train, limit: 40", "data.validation", "digits_validation has images of digits_train, which is also the training set"),
    "a rate twice": ("seeds: 1", "false_positive_rates: [.05, 1/20]", "scale.false_positive_rates", "names a rate twice: [0.05, '1/20']"),
    "a severity beyond 5": ("ood_noise:", "ood_near: {hazy: {use: corruption, of: digits_test, kind: contrast, severity: 9}}\n  ood_noise:", "data.ood_near.hazy.severity", "expected int from 1 to 5, got 9"),
    "severities beyond 5": ("ood_noise:", "ood_near: {hazy: {use: corruption, of: digits_test, kind: contrast, severities: [1, 9]}}\n  ood_noise:", "data.ood_near.hazy.severities.1", "expected int from 1 to 5, got 9"),
    "thresholds from training images": (re.search("calibration: .*", STUDY)[0], "calibration: digits_train", "data.train", "digits_train gives the thresholds (data.calibration); use another set", -2),
    "thresholds from test images": (re.search(r"  calibration: (.|\n)*part: test.*\n", STUDY)[0], "  detector_train: digits_train\n  test: {digits_test: {use: digits, source: sklearn_digits, part: test}}\n  calibration: digits_test\n", "data.calibration", "digits_test is tested on by evaluations.", 2),
    "detectors fitted on test images": ("detector_train: digits_train", "detector_train: digits_test", "data.detector_train", "digits_test is tested on by evaluations.", "common.yaml reads it"),
    "a shared source of another kind": ("ood_noise:", "sources: {sklearn_digits: {use: sklearn_photographs, sha256: null}}\n  ood_noise:", "data.sources.sklearn_digits.use", "sklearn_digits uses sklearn_digits in the papers"),
    "digits from a folder of one's own": ("train: {digits_train: {use: digits, source: sklearn_digits,", "sources: {mine: {use: own_files, location: /nowhere, sha256: null}}\n  train: {digits_train: {use: digits, source: mine,", "data.train.digits_train.use", "digits.py reads only what the source sklearn_digits has; own_images.py reads", 1),
    "a folder outside the source": ("{uniform: {count: 40}}", "{far: {use: own_images, source: sklearn_digits, labelled: false, inside: ../.., height: 28, width: 28, colour: gray}}", "data.ood_noise.far.inside", 'expected a folder or file within the source, such as flowers/train, got "../.."'),
    "a training set of one image": ("part: train, limit: 200", "part: train, limit: 1", "data.train.digits_train.limit", "networks train on digits_train, and 10 classes need at least as many images"),
    "test images that networks train on, at the set that has them": ("part: test, limit: 60", "part: train, limit: 60", "data.test.digits_test.part", "has images of digits_train, from which something learns: both are part train of sklearn_digits"),
    # scale and compute
    "no seeds": ("seeds: 1", "seeds: 0", "scale.seeds", SEEDS + "0"),
    "a word for seeds": ("seeds: 1", "seeds: three", "scale.seeds", SEEDS + '"three"'),
    "half a seed": ("seeds: 1", "seeds: 1.5", "scale.seeds", SEEDS + "1.5"),
    "a seed twice": ("seeds: 1", "seeds: [0, 0]", "scale.seeds", SEEDS + "[0, 0]"),
    "a truth for seeds": ("seeds: 1", "seeds: true", "scale.seeds", SEEDS + "True"),
    "a seed below zero": ("seeds: 1", "seeds: [-1]", "scale.seeds", SEEDS + "[-1]"),
    "seeds of networks as a truth": ("seeds: 1", "classifiers: {seeds: true}", "scale.classifiers.seeds", SEEDS + "True"),
    "epochs below one": ("  epochs: 1\n", "  epochs: -1\n", "scale.epochs", "expected int at least 1, at most 1,000,000, got -1"),
    "epochs twice": ("seeds: 1", "classifiers: {epochs: 3}", "scale.classifiers.epochs", "scale.epochs says it, too; keep one of them"),
    "a rate beyond floats": ("  learning_rate: 0.01\n", "  learning_rate: 1e400\n", "scale.learning_rate", "expected float above 0, at most 10, got inf"),
    "a rate that is no number": ("  learning_rate: 0.01\n", "  learning_rate: .nan\n", "scale.learning_rate", "expected float above 0, at most 10, got nan"),
    "a misspelt key of scale": ("  epochs: 1\n", "  epoch: 1\n", "scale.epoch", "no such setting. Settings are seeds, first_seed, epochs,", "Did you mean epochs?"),
    "a key of compute in scale": ("seeds: 1", "device: cpu", "scale.device", "no such setting", "Write device in compute."),
    "a key of scale in compute": ("{threads: 1}", "{epochs: 3}", "compute.epochs", "no such setting. Settings are device, threads, batch_size,", "Write epochs in scale."),
    "a misspelt key of compute": ("{threads: 1}", "{thread: 1}", "compute.thread", "no such setting", "Did you mean threads?"),
    "an unknown device": ("{threads: 1}", "{device: gpu}", "compute.device", 'expected one of cpu, cuda, auto, got "gpu". Did you mean cuda?'),
    "Apple's GPU": ("{threads: 1}", "{device: mps}", "compute.device", "Apple's GPUs have no float64"),
    "a misspelt claim": ("seeds: 1", "claims: {F33: 5}", "scale.claims.F33", "no claim that this study tests is called so. It tests", "Did you mean F3?"),
    "a claim like no other": ("seeds: 1", "claims: {Z9: 5}", "scale.claims.Z9", "It tests G1, ", " F3, "),
    "a rate at which no network learns": ("  learning_rate: 0.01\n", "  learning_rate: 40\n", "scale.learning_rate", "expected float above 0, at most 10, got 40"),
    "seeds of a claim as a word": ("seeds: 1", "claims: {F3: five}", "scale.claims.F3", SEEDS + '"five"'),
    "a setting that no training has": ("seeds: 1", "classifiers: {epoch: 3}", "scale.classifiers.epoch", "no entry of classifiers has this setting"),
    "an absent source that does not exist": ("seeds: 1", "absent: [sklearn_digit]", "scale.absent", "no source called sklearn_digit. Did you mean sklearn_digits?"),
    # change
    "an unknown section": (*change("attack: {pgd: {eps: 0.2}}"), "change.attack", "no such section. Sections are sources, examples,", "Did you mean attacks?"),
    "an unknown entry": (*change("attacks: {pdg: {eps: 0.2}}"), "change.attacks.pdg", "no such entry; a new one needs its own use:", "Did you mean pgd?"),
    "an unknown setting": (*change("attacks: {pgd: {esp: 0.2}}"), "change.attacks.pgd.esp", "not a setting of attacks/pgd.py", "Did you mean eps?"),
    "an attack of no size": (*change("attacks: {pgd: {eps: 0}}"), "change.attacks.pgd.eps", "must be above 0: this attack would change no image"),
    "steps beyond eps": (*change("attacks: {pgd: {step_size: 1.0}}"), "change.attacks.pgd.step_size", "step_size 1 leads across all that eps 0.1 allows; expected at most 2 eps, 0.2"),
    "an attack for a detector": (*change("detectors: {mine: {use: pgd}}"), "change.detectors.mine.use", "no detectors/pgd.py. pgd is one of attacks/."),
    "a detector among attacks": (*change("evaluations: {robustness: {attacks: [$inherited, msp]}}"), "change.evaluations.robustness.attacks", "no entry called msp in attacks. It is one of detectors."),
    "an entry in another section": (*change("classifiers: {pgd: {steps: 20}}"), "change.classifiers.pgd", "no such entry; pgd is one of attacks, so write it there"),
    "a new entry without use": (*change("attacks: {strong: {eps: 0.2}}"), "change.attacks.strong", "no such entry; a new one needs its own use:"),
    "an entry that is a number": (*change("classifiers: {cnn: 3}"), "change.classifiers.cnn", "expected settings, got 3"),
    "a section that is a list": (*change("classifiers: [cnn]"), "change.classifiers", "expected entries by name, such as pgd: {eps: 0.1}, got ['cnn']"),
    "an attack turned into another kind": (*change("attacks: {pgd: {use: uniform_noise}}"), "change.attacks.pgd.use", "pgd uses pgd in the papers, and their claims mean that; give yours another name"),
    "a training turned into another": (*change("classifiers: {cnn_pgd: {use: clean}}"), "change.classifiers.cnn_pgd.use", "cnn_pgd uses adversarial in the papers, and their claims mean that; give yours another name"),
    "a translator turned into another": (*change("translators: {unet: {use: denoising}}"), "change.translators.unet.use", "in the papers, and their claims mean that"),
    "a training with another attack": (*change("classifiers: {cnn_pgd: {attack: {use: uniform_noise}}}"), "change.classifiers.cnn_pgd.attack.use", "attack of cnn_pgd uses pgd in the papers, and their claims mean that"),
    "a training on attacks of no size": (*change("translators: {unet: {attack: {eps: 0}}}"), "change.translators.unet.attack.eps", "must be above 0: this training would change no image"),
    "a training on noise of no size": (*change("classifiers: {cnn_aloe: {eps: 0}}"), "change.classifiers.cnn_aloe.eps", "must be above 0: this training would change no image"),
    "a detector turned into another": (*change("detectors: {msp: {use: energy}}"), "change.detectors.msp.use", "msp uses msp in the papers"),
    "a label that nothing reads": (*change("confounding: {softmx_all: {variant: softmax}}"), "change.confounding.softmx_all", "no detector reads this label. Did you mean softmax_all?"),
    "a group that names itself": (*change("groups: {rubbish: [uniform, $rubbish]}"), "change.groups.rubbish", "names itself, or a group that names it"),
    "groups that name each other": (*change("groups: {rubbish: $five, five: $rubbish}"), "change.groups.rubbish", "names itself, or a group that names it"),
    "a group without entries": (*change("groups: {rubbish: []}"), "change.groups.rubbish", "a group has at least one entry, got []"),
    "a group that nothing names": (*change("groups: {rubbishes: [uniform]}"), "change.groups.rubbishes", "nothing names a group rubbishes. Did you mean rubbish?"),
    "a group of a role that is none": (*change("groups: {rubbish: [$nois]}"), "change.groups.rubbish", "no data role or group nois. Did you mean noise?"),
    "a role that is none": (*change("evaluations: {data_sheet: {examples: $nowhere}}"), "change.evaluations.data_sheet.examples", "no data role or group nowhere; there are"),
    "a claim of no paper": (*change("claims: {F33: {plain: cnn}}"), "change.claims.F33", "no such claim. Did you mean F3?"),
    "data in change": (*change("data: {train: digits_train}"), "change.data", "no such section"),
    # numbers
    "an octal number": ("count: 40", "count: 010", "data.ood_noise.uniform.count", "a number does not begin with 0; leave the 0 out, or put it in quotes if it is a text: 010"),
    "octal epochs": ("  epochs: 1\n", "  epochs: 010\n", "scale.epochs", "a number does not begin with 0"),
    "an octal number of another style": ("count: 40", "count: 0o10", "data.ood_noise.uniform.count", 'expected int at least 1, at most 1,000,000, got "0o10"'),
    "a hexadecimal number": ("  epochs: 1\n", "  epochs: 0x10\n", "scale.epochs", "a number has digits only, such as 1000; write it so, or in quotes if it is a text: 0x10"),
    "a number with underscores": ("  epochs: 1\n", "  epochs: 1_000\n", "scale.epochs", "a number has digits only"),
    "a number to the base 60": ("count: 40", "count: 1:30", "data.ood_noise.uniform.count", 'expected int at least 1, at most 1,000,000, got "1:30"'),
    "no number": (*change("attacks: {pgd: {eps: .nan}}"), "change.attacks.pgd.eps", "expected float from 0 to 1, got nan"),
    "a number beyond floats": (*change("attacks: {pgd: {eps: 1e400}}"), "change.attacks.pgd.eps", "expected float from 0 to 1, got inf"),
    # nothing
    **{
        f"nothing at {place}": (old, new, place, EMPTY)
        for place, old, new in (
            ("title", "title: Mine", "title:"),
            ("pdf", "pdf: false", "pdf: null"),
            ("data", block("data"), "data:\n"),
            ("data.score_ood", "score_ood: uniform", "score_ood:"),
            ("data.score_ood.1", "score_ood: uniform", "score_ood: [uniform, null]"),
            ("data.ood_noise.uniform", "{uniform: {count: 40}}", "{uniform}"),
            ("scale", block("scale"), "scale: ~\n"),
            ("scale.seeds", "seeds: 1", "seeds:"),
            ("scale.epochs", "  epochs: 1\n", "  epochs: null\n"),
            ("scale.translators.epochs", "translators: {epochs: 1,", "translators: {epochs: ,"),
            ("papers", block("papers"), "papers:\n"),
            ("papers.aloe", "aloe: smoke", "aloe:"),
            ("compute", "compute: {threads: 1}", "compute:"),
            ("compute.threads", "{threads: 1}", "{threads: }"),
            ("plugins", "plugins: []", "plugins:"),
            ("change", "change:\n" + CNN, "change:\n"),
            ("change.classifiers", *change("classifiers:")),
            ("change.classifiers.cnn", *change("classifiers: {cnn: }")),
            ("change.groups.rubbish", *change("groups: {rubbish: }")),
        )
    },
    "nothing in an entry": (*change("classifiers: {cnn: {epochs: null}}"), "change.classifiers.cnn.epochs", "expected int at least 1"),
}  # fmt: skip


def test_a_network_of_the_papers_may_be_built_of_another_model(project):
    changed = STUDY.replace(CNN, "  classifiers: {cnn: {epochs: 3, model: {use: mlp}}}\n")
    (project / "workflow" / "studies" / "mine.yaml").write_text(changed)

    assert load("mine", project)["classifiers"]["cnn"]["model"]["use"] == "models/mlp"


def message(project, text):
    (project / "workflow" / "studies" / "mine.yaml").write_text(text)
    with within(SECONDS), pytest.raises(ParamsError) as caught:
        _ = Plan(load("mine", project)).jobs
    return str(caught.value)


def written(old, new):
    """The study with some lines replaced, and the line of the first of them."""
    assert STUDY.count(old) >= 1, old
    place = STUDY.index(old)
    return STUDY[:place] + new + STUDY[place + len(old) :], STUDY[:place].count("\n") + 1


def test_the_study_is_right_before_it_is_changed(project):
    (project / "workflow" / "studies" / "mine.yaml").write_text(STUDY)

    assert Plan(load("mine", project)).jobs


@pytest.mark.parametrize("case", WRONG)
def test_what_a_user_writes_by_mistake_is_told_with_file_line_key_and_what_is_allowed(project, case):
    old, new, key, *words = WRONG[case]
    text, line = written(old, new)
    after = words.pop() if isinstance(words[-1], int) else 0

    error = message(project, text)

    place = f":{line + after}" if new or after else ""  # what is missing has no line
    told = [
        one for one in error.splitlines() if one.startswith(f"{project}/workflow/studies/mine.yaml{place}: {key}: ")
    ]
    assert told, error
    for word in words:
        assert word in told[0]


# What is no YAML, the line of it, and what to do.
UNREADABLE = {
    "a tab": ("  seeds: 1", "\tseeds: 1", "indent with spaces and not with tabs"),
    "a tab in a list of papers": ("  aloe: smoke", "\taloe: smoke", "indent with spaces"),
    "a key too far right": ("  epochs: 1\n", "   epochs: 1\n", "begin the keys of one block in the same column"),
    "a key too far left": ("  epochs: 1\n", " epochs: 1\n", "begin the keys of one block in the same column"),
    "no space after a colon": ("  epochs: 1\n", "  epochs:1\n", "write key: value, with a space after the colon"),
    "an equals sign": ("  epochs: 1\n", "  epochs = 1\n", "write key: value, with a space after the colon"),
    "a brace too few": ("{cnn: {epochs: 3}}", "{cnn: {epochs: 3}", "close each bracket"),
    "a brace too many": ("{cnn: {epochs: 3}}", "{cnn: {epochs: 3}}}", "close each bracket once"),
    "an open quote": ("title: Mine", 'title: "Mine', "close the quote"),
    "a colon in a title": ("title: Mine", "title: Mine: yours", "put a text that holds a colon in quotes"),
    "an at sign": ("title: Mine", "title: @mine", "put a text that begins with @, % or ` in quotes"),
    "a star": ("title: Mine", "title: *mine", "put a text that begins with * in quotes"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_is_no_yaml_is_told_with_its_line_and_what_to_do(project, case):
    old, new, words = UNREADABLE[case]
    text, line = written(old, new)

    error = message(project, text)

    assert error.startswith(f"{project}/workflow/studies/mine.yaml:{line}: not readable as YAML: ")
    assert words in error


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("# nothing\n", "the file is empty"),
        ("null\n", "the file is empty"),
        ("- title: Mine\n", "it contains a list"),
        ("Mine\n", "it contains a text"),
        ("3\n", "it contains a number"),
    ],
)
def test_a_file_without_keys_is_told(project, text, words):
    assert message(project, text).endswith(f"mine.yaml: expected keys with values, such as title: Mine, but {words}")


def test_one_mistake_that_many_networks_inherit_is_told_once(project):
    text, _ = written("  epochs: 1\n", "  epochs: 0\n")

    assert len(message(project, text).splitlines()) == 1


def test_a_set_that_many_settings_read_is_told_once_and_names_one_of_them(project):
    text, line = written("detector_train: digits_train", "detector_train: digits_test")

    (error,) = message(project, text).splitlines()

    assert re.search(
        rf"mine\.yaml:{line}: data\.detector_train: .* \(detectors\.\w+\.fit in papers/common\.yaml reads it\)$", error
    )


# Of a claims.yaml: what is written in braces.
FIELDS = ["{0.__init__.__globals__}", "{0:{0.__init__.__globals__}}", "{0!r}", "{0:.3f}", "{0[1]}", "{}"]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("key", ["says", "entry"])
def test_braces_in_the_claims_of_a_paper_hold_plain_names_only(project, field, key):
    shutil.copytree(ROOT / "examples/papers/energy", project / "energy")
    claims = project / "energy" / "claims.yaml"
    text = claims.read_text()
    old = re.search(rf"\b{key}: (\".*?\"|[^\"]*$)", text[text.index("criteria:") :], re.MULTILINE)[0]
    claims.write_text(text.replace(old, f"{key}: 'it is {field}'"))
    study, _ = written(block("papers"), "papers: {./energy: full}\n")

    error = message(project, study.replace(CNN, "").replace("change:\n", ""))

    assert re.search(
        rf"^\S*energy/claims\.yaml:\d+: criteria\.\S+{key}: braces hold one name, such as {{net}} or {{0}}", error
    )
