"""What editors show for sections, and for settings that no component's docstring describes."""

from touchstone import registry
from touchstone.settings.schemas.values import descriptions
from touchstone.signatures import read_signature

SECTIONS = {
    "sources": "Where raw data comes from, and the digest that it must have.",
    "examples": "Sets of images, made from a source or from another set.",
    "classifiers": "Networks: trained here, or read from a file of a source.",
    "translators": "Networks that turn images into images, to undo an attack.",
    "attacks": "What perturbs images. `NAME_*` with a list of eps is one attack for each.",
    "margins": "Ways to measure an image's distance to the decision boundary.",
    "confounding": "Labels that no input has; gradient detectors read the gradients of their loss.",
    "detectors": "Scores that should be higher for anomalous images.",
    "defences": "Classifiers behind a translator, with or without a router in front of it.",
    "evaluations": "What is measured: each combines the entries that it names. All jobs follow from these.",
    "figures": "Pictures of evaluations.",
    "claims": "Which entries play the roles of each criterion of the papers, or a text that says why it is not run.",
    "groups": "Lists of entries that others name as `$NAME`. A data role of the study wins over a group of its name.",
}

# Keys of a study and of an experiment that are no sections.
KEYS = {
    "base": "A study whose data, scale, machine and changes this one has; beside it stand only a title and papers.",
    "title": "Heading of the report.",
    "pdf": "Also write each figure as PDF, which takes half of the report's time.",
    "data": "The sets that play each data role; a set may be defined or changed where it is named. `sources` has more raw "
    "data, `sets` more sets.",
    "scale": "How long networks train, how many there are, and at which false positive rates detectors are measured.",
    "compute": "The machine. Results do not depend on it, but their last digits may.",
    "papers": "Papers with their grades: a shipped one by its name, a folder of your own as ./NAME.",
    "change": "What differs from the papers' experiments, by section and entry; also entries of your own.",
    "plugins": "Folders with components of your own, relative to the folder of the Snakefile.",
    "data_roles": "What plays each data role, in a sentence. Only common.yaml has them.",
    "words": "What people call each entry, in the sentences and titles of a report: cnn_pgd: the CNN trained on PGD.",
    "grades": "What a study asks that wants less than everything, and what it changes.",
}
SCALE = {
    "seeds": "networks of each kind: 3 is the seeds 0, 1 and 2; or a list of seeds",
    "classifiers": "settings of every network that writes none",
    "translators": "settings of every translator that writes none",
    "claims": "seeds of every network that a claim is about, such as G1: 10",
}

# Of the grade multiverse, and of a variant.
TRIED = {
    "claim": "The claim that is tried in variants.",
    "gate": "What shows that a variant learned at all; `within: 0.05` compares with the claim itself.",
    "variants": "The same claim with other entries in its roles, one change at a time.",
}
VARIANT = {
    "changed": "Its one change, in a few words.",
    "reason": "Why it is tried.",
    "roles": "Who plays the roles that differ.",
    "kind": "Who plays these roles where the gate compares with the claim itself, if that is another entry.",
    "eps": "Of the attacks, if it differs from the claim's.",
}

ENTRIES = {
    "defaults": "Settings of every entry of this section that knows them; an entry's own settings win.",
    "patterns": "One entry for each word: it takes the place of * in the name and in all settings.",
    "families": "One entry for each eps of the list: NAME_05 for 0.05, NAME_8 for 8/255.",
}

_step = read_signature(registry.PACKAGE / "pipeline" / "steps" / "train.py", "train", strict=False)
_training = descriptions([_step] if _step else []) | {
    "seeds": "one network is trained for each",
    "model": "the architecture",
    "train": "the images that the network is fitted to",
    "validation": "held-out images, which choose the best epoch",
    "outliers": "further images, for objectives that train on outliers",
    "calibration": "held-out images for thresholds, instead of those of the study",
    "static_networks": "trained networks, on which images are attacked instead",
    "draws": "calls per pass of an attack, for a network that draws random numbers: attacks follow the expectation",
    "backward": "the network that attacks differentiate instead, for one without a useful gradient",
    "classifier": "the network whose attacked images are translated",
    "epochs": "passes over the training images",
    "batch_size": "images in a step",
    "outlier_batch_size": "outliers in a step",
    "optimizer": "of the weights",
    "choose": "the weights to keep: the last, or those of the lowest validation loss",
    "normalise": "standardise each channel by the statistics of the training images",
    "crop": "training images and outliers are padded with so many black pixels, and cropped at a random place",
    "flip": "mirror a random half of the training images and outliers, left to right",
}

# {section or component folder: {setting: what it means}}. A component's own docstring goes before.
SETTINGS = {
    "study": {
        "device": "where networks run",
        "threads": "CPU threads of a job that computes with networks; another number can change the bytes of its result",
        "precision": "number format of matrix products",
        "memory_format": "order of image tensors in memory",
        "batch_size": "images at a time in attacks and inference; results do not depend on it",
    },
    "scale": {
        "epochs": "of every network that writes none",
        "learning_rate": "of every network that writes none",
        "absent": "sources that are not available; what needs them leaves the study",
        "first_seed": "added to every seed of the study, so that none of its networks is one of an earlier run",
        "attacked_false_positive_rate": "gives the threshold that adaptive attacks must stay below",
        "false_positive_rates": "for which thresholds are computed",
    },
    "sources": {
        "sha256": "the digest of the raw files; null accepts what the publisher's own digest accepts",
        "url": "address of the file",
        "licence": "under which the data may be used",
        "citation": "of whoever made the data",
        "local_folder": "contains the archive, not unpacked; null downloads it",
        "mirror": "http address of a folder that serves the archive by name; null takes the published address",
    },
    "data": {
        "count": "number of images",
        "size": "height and width of an image, in pixels",
        "channels": "of an image",
        "split_seed": "draws which images are taken",
    },
    "models": {
        "hidden": "units of a hidden layer",
        "activation": "of the hidden layers; softplus is smooth",
        "dropout": "share of units that are left out in training",
        "input_dropout": "share of inputs that are left out in training",
        "filters": "of the first convolution",
        "depth": "number of layers",
        "growth": "channels that each layer adds",
        "member": "the architecture of each member",
        "members": "number of networks",
    },
    "examples": {
        "seed": "of whatever the component draws",
        "source": "the raw data",
        "of": "the set that this one is made of",
    },
    "training": _training,
    "pretrained": {
        "model": "the architecture",
        "input_shape": "channels, height and width of an image",
        "classes": "number of classes",
        "mean": "subtracted from each channel",
        "std": "each channel is divided by it",
        "source": "the raw data that holds the file",
    },
    "detectors": {
        "fit": "in-distribution images that the detector is fitted to",
        "calibration": "clean images that give its thresholds, if not those of the study",
        "classifier": "the network that it is fitted with, if not the one that it scores",
        "anomalous": "anomalous images that it is fitted to",
        "temperature": "divides the logits",
        "hidden": "units of the hidden layer",
        "epochs": "passes over the data that it is fitted to, at most",
        "learning_rate": "of the fit",
        "weight_decay": "of the fit, an L2 penalty",
        "batch_size": "rows in a step of the fit",
        "validation_share": "share of each class that is held out of the fit",
        "patience": "epochs without a lower held-out loss, after which the fit stops",
    },
    "defences": {
        "false_positive_rate": "share of clean images that the router sends to the translator",
        "seeds": "of the classifier; null takes all of its seeds",
        "classifier": "the defended network",
        "translator": "what images are sent through; the logits after several are averaged",
        "router": "the detector that decides which images are translated; without it, all are",
        "encoder": "the network whose features the router reads; without it, the classifier",
    },
    "evaluations": {
        "question": "what is asked, for the report",
        "system": "the paper to whose chapter it belongs, or shared",
        "seeds": "the seeds of the networks; null takes all",
        "classifiers": "the networks that are measured",
        "examples": "the image sets",
        "attacked": "the sets that are attacked; without it, all examples",
        "attacks": "the attacks",
        "translators": "what translates images before they are classified",
        "detectors": "what scores the images",
        "margins": "the ways to measure distances to the boundary",
        "victims": "the networks that the attacks see; without it, the measured one",
        "direct_attacks": "those of `attacks` that see the measured network, whatever `victims` says",
        "fit": "held-out clean images, for a fit or a threshold",
        "certificates": "detectors that bound a score under any attack; they score clean images only",
        "rivals": "the networks that a detector's claim is compared with",
        "resamples": "bootstrap samples of an interval",
        "bootstrap_seed": "of the bootstrap samples",
    },
    "figures": {
        "caption": "the text below the figure",
        "evaluation": "the evaluation that is drawn",
        "also": "further evaluations that are drawn",
    },
    "confounding": {
        "variant": "the loss: softmax or sigmoid",
        "ones": "number of ones in the label; null means all, 1 the class that the network predicts",
        "draws": "labels to draw, if not all entries are ones",
    },
}
