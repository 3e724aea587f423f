"""Recompute the papers' headline numbers from raw artefacts, by code that imports nothing of touchstone.

    python tests/oracles/headlines.py STUDY [--project .]

Reads the safetensors files in results/STUDY with numpy, scipy and scikit-learn, and prints each number beside that of
reports/STUDY/claims.csv. Exits with 1 if one of them differs by more than 1e-9, or if none could be compared.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy.stats import kendalltau
from sklearn.metrics import roc_auc_score

ATTACKS = ("pgd_10", "fgsm", "bim", "least_likely", "cw")  # each with a detector that was fitted on it
BASELINES = ("msp", "odin_on_{}", "lid_on_{}", "mahalanobis_on_{}")


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
            if images is None:
                return None
            before, after = (results.right(network, name) for name in (images, f"{images}/{network}/{attack}"))
            fooled = before & ~after

            def auroc(detector, network=network, images=images, attack=attack, fooled=fooled):
                normal = results.scores(network, detector, images)
                anomalous = results.scores(network, detector, f"{images}/{network}/{attack}")
                if normal is None or anomalous is None:
                    return None
                return roc_auc_score([0] * len(normal) + [1] * fooled.sum(), [*normal, *anomalous[fooled]])

            values = [auroc(name.format(attack)) for name in (f"gradients_on_{attack}", *BASELINES)]
            if None in values:
                return None
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
        images = results.attacked(network, "reliable")
        if images is None:
            return None
        step, suite = (results.right(network, f"{images}/{network}/{name}") for name in ("fgsm_10", "reliable"))
        if step is None:
            step = results.right(network, f"{images}/{network}/fgsm")
        gaps.append(step.mean() - suite.mean())
    return np.mean(gaps) if gaps else None


HEADLINES = {"G1": gain_of_gradients, "M1": rank_correlation, "F3": one_step_minus_suite}


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
