"""Recompute the papers' headline numbers from raw artefacts, by code that imports nothing of touchstone.

    python tests/oracles/headlines.py STUDY [--project .]

Reads the safetensors files in results/STUDY with numpy, scipy and scikit-learn, and prints each number beside that of
reports/STUDY/claims.csv. Exits with 1 if one of them differs by more than 1e-9, or if none could be compared.
"""

import argparse
import csv
import re
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy.stats import kendalltau
from sklearn.metrics import roc_auc_score

ATTACKS = ("pgd_10", "fgsm", "bim", "least_likely", "cw")  # each with a detector that was fitted on it
BASELINES = ("msp", "odin_on_{}", "lid_on_{}", "mahalanobis_on_{}")
BEFORE, ALOE = ("cnn_original", "cnn_oe"), "cnn_aloe"  # kinds; a number at the end is a split of the classes
POINTS = ("deployed_05", "doubled_05", "square_05", "transfer_05")
# Sets by use, as far as a study has them: known images, sets on which the score of a kind is chosen, sets that judge.
KNOWN, KNOWN_AT_CHOICE = ("eight_test", "few_digits", "digits_test"), ("eight_choice", "choice_known")
CHOICE, FAR = ("few_photographs", "few_textures", "few_gaussian"), ("digits", "faces", "few_faces", "uniform")


class Results:
    """The files of one study, found by the names of their folders."""

    def __init__(self, project, study):
        self.root = Path(project) / "results" / study
        self.claims = {}
        with (Path(project) / "reports" / study / "claims.csv").open(newline="") as file:
            self.claims = {line["claim"]: line for line in csv.DictReader(file)}

    def seeds(self, network):
        """Return the networks of an entry: cnn -> cnn.20, cnn.21, ..."""
        found = {path.name for path in self.root.glob(f"train/{network}.*")}
        return sorted(found, key=lambda name: int(name.rpartition(".")[2]))

    def read(self, pattern):
        """Return the tensors of the one file that a pattern names; None if there is none."""
        found = sorted(self.root.glob(pattern))
        assert len(found) <= 1, f"{pattern} names {len(found)} files"
        return load_file(found[0]) if found else None

    def right(self, network, images):
        """Return which images a network classifies right, (N,), by the path of the images below their set."""
        outputs = self.read(f"*/{network}/outputs/{network}/{images}.safetensors")
        return None if outputs is None else outputs["logits"].argmax(1) == outputs["labels"]

    def scores(self, network, detector, images):
        """Return the scores of a detector, (N,)."""
        scores = self.read(f"detect/{network}/scores/{network}/{detector}/{images}.safetensors")
        return None if scores is None else scores["scores"]

    def of_kind(self, kind):
        """Return the networks of a kind: cnn_aloe -> cnn_aloe.0, or cnn_aloe_0.20, cnn_aloe_1.21, ..."""
        found = (path.name for path in self.root.glob("detect/*"))
        return sorted(name for name in found if re.fullmatch(rf"{kind}(_\d+)?\.\d+", name))

    def worst(self, network, detector, images, side):
        """Return the worst score of each image, clean or at any point of any attack, by its id: max of known, min of others."""
        start = f"detect/{network}/scores/{network}/{detector}"
        found = [self.root / start / f"{images}.safetensors"]
        found += [path for name in POINTS for path in self.root.glob(f"{start}/{images}/*/{name}.safetensors")]
        scores = [load_file(path) for path in found]
        return side([one["scores"][np.argsort(one["example_ids"])] for one in scores], axis=0)

    def attacked(self, network, attack):
        """Return the name of the set that an attack on a network started from."""
        found = sorted(self.root.glob(f"*/{network}/attacked/*/{network}/{attack}.safetensors"))
        return found[0].parents[1].name if found else None


def gain_of_gradients(results):
    """Mean over networks and attacks: AUROC of gradients minus the best of four baselines, on successes against clean images."""
    gains = []
    for network in results.seeds("cnn"):
        for attack in ATTACKS:
            images = results.attacked(network, attack)
            if images is None or results.scores(network, f"gradients_on_{attack}", images) is None:
                continue  # digits has no detector for one of them; a mean over others would not be that of claims.csv
            before, after = (results.right(network, name) for name in (images, f"{images}/{network}/{attack}"))
            fooled = before & ~after

            def auroc(detector, network=network, images=images, attack=attack, fooled=fooled):
                normal = results.scores(network, detector, images)
                anomalous = results.scores(network, detector, f"{images}/{network}/{attack}")
                if normal is None or anomalous is None:
                    return None
                return roc_auc_score([0] * len(normal) + [1] * fooled.sum(), [*normal, *anomalous[fooled]])

            values = [auroc(name.format(attack)) for name in (f"gradients_on_{attack}", *BASELINES)]
            assert None not in values, f"{network}, {attack}: scores are missing"
            gains.append(values[0] - max(values[1:]))
    return np.mean(gains) if gains else None


def rank_correlation(results):
    """Mean over networks: Kendall's tau between the logit margin and the margin found of the predicted class, all images."""
    taus = []
    for network in results.seeds("cnn_pgd"):
        images = results.attacked(network, "margin_pgd")  # the set of all claims on this network
        found = results.read(f"measure/{network}/margins/{network}/nearest_classes/{images}.safetensors")
        outputs = results.read(f"*/{network}/outputs/{network}/{images}.safetensors")
        if found is None or outputs is None:
            return None
        assert (found["example_ids"] == outputs["example_ids"]).all()
        logits = np.sort(outputs["logits"].astype(np.float64), axis=1)
        taus.append(kendalltau(logits[:, -1] - logits[:, -2], found["margins"]).statistic)
    return np.mean(taus) if taus else None


def one_step_minus_suite(results):
    """Mean over networks trained on one step: accuracy under one step minus accuracy under the suite."""
    gaps = []
    for network in results.seeds("cnn_fgsm"):
        step = next((name for name in ("fgsm_10", "fgsm") if results.attacked(network, name)), None)
        if step is None:
            return None
        images = results.attacked(network, step)  # the suite attacks a smaller set, too
        step, suite = (results.right(network, f"{images}/{network}/{name}") for name in (step, "reliable"))
        gaps.append(step.mean() - suite.mean())
    return np.mean(gaps) if gaps else None


def best_of_aloe_minus_best_before(results):
    """Least over far sets of the mean over networks: AUROC of ALOE's best score minus that of the best kind before it."""
    before = [kind for kind in BEFORE if results.of_kind(kind)] or ["cnn"]
    tables = {kind: _attacked_aurocs(results, kind) for kind in (*before, ALOE)}
    if not all(tables.values()):
        return None

    def choice(kind, detector):
        return np.mean([table[detector][name] for table in tables[kind] for name in CHOICE if name in table[detector]])

    def best(kinds):
        pairs = [(kind, detector) for kind in kinds for detector in tables[kind][0]]
        return max(pairs, key=lambda pair: choice(*pair))

    (_, own), (kind, other) = best([ALOE]), best(before)
    judged = [name for name in FAR if name in tables[ALOE][0][own]]
    pairs = list(zip(tables[ALOE], tables[kind], strict=False))  # tiny has one network before, and two of ALOE
    return min(np.mean([first[own][name] - second[other][name] for first, second in pairs]) for name in judged)


def _attacked_aurocs(results, kind):
    """Return {detector: {set: AUROC if every image faces all points}} of each network of a kind, by seed."""
    tables = []
    for network in results.of_kind(kind):
        table = {}
        for folder in sorted(results.root.glob(f"detect/{network}/scores/{network}/*")):
            there = {
                path.name for path in folder.iterdir() if path.is_dir() and any(path.glob("*/deployed_05.safetensors"))
            }
            known, at_choice = ({name for name in there if name.startswith(use)} for use in (KNOWN, KNOWN_AT_CHOICE))
            if len(known) != 1 or len(at_choice) != 1:
                continue  # a detector that is not compared
            table[folder.name.rstrip("_0123456789")] = {
                name: _auroc(results, network, folder.name, at_choice if name in CHOICE else known, name)
                for name in (*CHOICE, *FAR)
                if name in there
            }
        tables.append(table)
    return [table for table in tables if table]


def _auroc(results, network, detector, known, anomalies):
    below = results.worst(network, detector, *known, np.max)
    above = results.worst(network, detector, anomalies, np.min)
    return roc_auc_score([0] * len(below) + [1] * len(above), [*below, *above])


def translation_minus_adversarial_training(results):
    """Mean over networks: error behind the translator under PGD on the network, minus error of adversarial training under PGD."""
    differences = []
    for network in results.seeds("cnn"):
        seed = network.rpartition(".")[2]
        defence, robust = f"translated.{seed}", f"cnn_pgd.{seed}"
        found = results.root.glob(f"defend/{defence}/outputs/{defence}/*/{network}/pgd_10.safetensors")
        sets = [path.parents[1].name for path in found]
        both = {name: results.right(robust, f"{name}/{robust}/pgd_10") for name in sets}
        both = {name: right for name, right in both.items() if right is not None}
        if both:
            images = max(both, key=lambda name: len(both[name]))  # the set of the comparison is the largest
            translated = results.right(defence, f"{images}/{network}/pgd_10")
            differences.append((~translated).mean() - (~both[images]).mean())
    return np.mean(differences) if differences else None


HEADLINES = {
    "G1": gain_of_gradients, "A1": best_of_aloe_minus_best_before, "M1": rank_correlation, "F3": one_step_minus_suite,
    "T3": translation_minus_adversarial_training,
}  # fmt: skip


def compared(project, study):
    """Return {claim: (recomputed, reported)} of the headline claims that a study measured."""
    results = Results(project, study)
    found = {}
    for claim, compute in HEADLINES.items():
        line = results.claims.get(claim, {})
        value = compute(results) if line.get("measured") else None
        if value is not None:
            found[claim] = (float(value), float(line["measured"]))
    return found


def main():
    """Print both numbers of each headline."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("--project", default=".")
    found = compared(**vars(parser.parse_args()))
    for claim, (own, reported) in found.items():
        print(f"{claim}: {own:.12f} here, {reported:.12f} in claims.csv")
    return int(not found or any(abs(own - reported) > 1e-9 for own, reported in found.values()))


if __name__ == "__main__":
    sys.exit(main())
