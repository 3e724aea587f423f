"""Race: detectors fitted and scored from stored outputs, ours through the step `score` and pytorch-ood's on features.

    python benchmarks/stored_detectors.py [--rows 10000] [--width 512] [--batch 256] [--rounds 5] [--threads 1]

Features of a made-up penultimate layer (ten classes, a low-rank part, and noise that vim's principal space leaves out)
and the logits of a linear layer on them; as many rows to fit as to score, half of those anomalous. Ours recover the
last layer from outputs, while theirs receive it, and ours return checked Scores, batch by batch as in a study. Two more
contestants show what that costs: ours with all rows in one batch, and bare: only the detector's functions, without
a step, batches or a record. Before any time is measured, the scores of all are equal: their greatest difference
from pytorch-ood's, in standard deviations of the score, stays below 1e-3 (theirs invert a float32 covariance). Writes
stored_detectors.json and .md into benchmarks/results/.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import torch
from pytorch_ood import detector as peers
from torch import Tensor, nn

import racing
from racing import Goal, Results
from touchstone.detectors import energy, knn, mahalanobis, max_logit, msp, react, relative_mahalanobis, vim
from touchstone.pipeline.steps.score import APART, columns_of, score
from touchstone.records.nouns import Detector, Outputs

TOLERANCE = 1e-3  # in standard deviations of a score
CLASSES = 10
BATCH = 256
CONTESTANTS = ("touchstone", "one batch", "bare", "pytorch-ood")


class Stored(NamedTuple):
    """Outputs to fit on, outputs to score, and the last layer, which ours do not get."""

    fitted: Outputs
    scored: Outputs
    last: nn.Linear


class Pair(NamedTuple):
    """A detector of ours, pytorch-ood's, and the factor between their scores."""

    name: str
    component: ModuleType
    settings: Callable[[int], dict[str, Any]]  # of the width
    peer: Callable[[Stored], Tensor]
    factor: Callable[[Stored], float] = lambda stored: 1.0


def stored(rows: int, width: int) -> Stored:
    """Return made-up outputs; every second row to score is anomalous: noisier, and of no class."""
    generator = torch.Generator().manual_seed(0)
    last = nn.Linear(width, CLASSES)
    centres = 2 * torch.randn(CLASSES, width, generator=generator)
    mixing = torch.randn(principal(width) - CLASSES, width, generator=generator) / 4
    with torch.no_grad():
        last.weight.copy_(2 * centres / width)
        last.bias.zero_()

    def outputs(noise: Tensor) -> Outputs:
        labels = torch.arange(rows) % CLASSES
        hidden = torch.randn(rows, len(mixing), generator=generator) @ mixing
        features = 1 + centres[labels] + hidden + noise * torch.randn(rows, width, generator=generator)
        with torch.no_grad():
            logits = last(features)
        return Outputs(logits.numpy(), labels.numpy(), torch.arange(rows).numpy(), {"penultimate": features.numpy()})

    noisier = torch.where(torch.arange(rows) % 2 == 1, 2.0, 0.5)[:, None]
    return Stored(outputs(torch.tensor(0.5)), outputs(noisier), last)


def principal(width: int) -> int:
    """Return the size of the space that classes and the low-rank part span."""
    return CLASSES + max(2, width // 8)


def ours(component: ModuleType, settings: dict[str, Any], data: Stored, batch: int = BATCH) -> Tensor:
    """Return our scores, fitted where there is something to fit: what the steps fit and score do between two files."""
    name, scorer = _scorer(component)
    state = {part: tensor.numpy() for part, tensor in _fitted(component, settings, data).items()}
    detector = Detector(state, {"use": name} | settings, {}, 1.0, supervised=False)
    given = {"label": None, "model": None, "batch_size": batch, "device": "cpu"}
    results = score(data.scored, None, detector, scorer=scorer, data=_data(scorer), **given)  # type: ignore[arg-type]
    return torch.from_numpy(results.scores)


def bare(component: ModuleType, settings: dict[str, Any], data: Stored) -> Tensor:
    """Return our scores from nothing but the detector's functions."""
    _, scorer = _scorer(component)
    state = _fitted(component, settings, data)
    names = tuple(name for name in _data(scorer) if name != "state")
    scores: Tensor = scorer(*columns_of(data.scored, None, names, None), *([state] if state else []))
    return scores.double()


def _scorer(component: ModuleType) -> tuple[str, Callable[..., Tensor]]:
    name = component.__name__.rpartition(".")[2]
    return name, getattr(component, name)  # the settings that ours differ in belong to `fit`


def _fitted(component: ModuleType, settings: dict[str, Any], data: Stored) -> dict[str, Tensor]:
    if not hasattr(component, "fit"):
        return {}
    names = tuple(part.removeprefix("fit_") for part in _data(component.fit))
    state: dict[str, Tensor] = component.fit(*columns_of(data.fitted, None, names, None), **settings)
    return state


def _data(function: Callable[..., object]) -> tuple[str, ...]:
    parameters = inspect.signature(function).parameters.values()
    names = tuple(part.name for part in parameters if part.kind is part.POSITIONAL_OR_KEYWORD)
    assert set(names) & set(APART) <= {"state"}
    return names


def of_logits(make: Callable[..., Any], data: Stored) -> Tensor:
    """Return pytorch-ood's scores of a detector that reads logits and learns nothing."""
    results: Tensor = make(None).predict_logits(torch.from_numpy(data.scored.logits))
    return results


def of_features(make: Callable[[Stored], Any], data: Stored) -> Tensor:
    """Return pytorch-ood's scores of a detector that is fitted on features."""
    features, labels = torch.from_numpy(data.fitted.features["penultimate"]), torch.from_numpy(data.fitted.labels)
    results: Tensor = (
        make(data)
        .fit_features(features, labels)
        .predict_features(torch.from_numpy(data.scored.features["penultimate"]))
    )
    return results


def of_maps(data: Stored) -> Tensor:
    """Return pytorch-ood's ReAct on features."""
    features, labels = torch.from_numpy(data.fitted.features["penultimate"]), torch.from_numpy(data.fitted.labels)
    made = peers.ReAct(None, data.last, percentile=0.9).fit_feature_maps(features, labels)
    results: Tensor = made.predict_feature_maps(torch.from_numpy(data.scored.features["penultimate"]))
    return results


def rows_fitted(data: Stored) -> float:
    """Return how many rows were fitted: their covariance is not divided by it."""
    return float(len(data.fitted.labels))


def their_vim(data: Stored) -> Any:
    """Return pytorch-ood's ViM, which is given the last layer."""
    return peers.ViM(None, principal(data.last.in_features), data.last.weight, data.last.bias)


def default(width: int) -> dict[str, Any]:
    """Return no settings: the defaults of both are the same."""
    return {}


def ridge(width: int) -> dict[str, Any]:
    """Return theirs: 1e-6 on the diagonal of the scatter matrix, next to nothing in shares of the mean variance."""
    return {"shrinkage": 1e-10}


PAIRS = (
    Pair("msp", msp, default, partial(of_logits, peers.MaxSoftmax)),
    Pair("max_logit", max_logit, default, partial(of_logits, peers.MaxLogit)),
    Pair("energy", energy, default, partial(of_logits, peers.EnergyBased)),
    Pair("knn", knn, default, partial(of_features, lambda data: peers.KNN(None, k=50))),
    Pair("mahalanobis", mahalanobis, ridge, partial(of_features, lambda data: peers.Mahalanobis(None)), rows_fitted),
    Pair(
        "relative_mahalanobis", relative_mahalanobis, ridge,
        partial(of_features, lambda data: peers.RMD(None)), rows_fitted,
    ),
    Pair(
        "vim", vim, lambda width: {"dimensions": principal(width)},
        partial(of_features, their_vim),
    ),
    Pair("react", react, default, of_maps),
)  # fmt: skip


def difference(ours: Tensor, theirs: Tensor) -> float:
    """Return the greatest difference of two score columns, in standard deviations of the second."""
    theirs = theirs.detach().double()
    return float((ours - theirs).abs().max() / theirs.std())


def measured(rows: int, width: int, rounds: int, batch: int = BATCH) -> Results:
    """Return times and differences of all detectors; NotEqual where scores differ."""
    data = stored(rows, width)
    lines, goals = [], []
    for pair in PAIRS:
        subject = (pair.component, pair.settings(width), data)
        contestants = {
            "touchstone": partial(ours, *subject, batch),
            "one batch": partial(ours, *subject, rows),
            "bare": partial(bare, *subject),
            "pytorch-ood": partial(pair.peer, data),
        }
        *scores, theirs = (run() for run in contestants.values())
        different = max(difference(mine, theirs * pair.factor(data)) for mine in scores)
        racing.require(different <= TOLERANCE, f"{pair.name}: scores differ by {different:.1e} standard deviations")
        taken = racing.interleaved(contestants, rounds)
        lines.append({"detector": pair.name, "difference": different, **taken})
        ratio = taken["touchstone"]["seconds"] / taken["pytorch-ood"]["seconds"]
        goals.append(Goal(f"{pair.name}: time, in units of pytorch-ood's", ratio, 1).as_json())
    mine, other = (sum(line[name]["seconds"] for line in lines) for name in ("touchstone", "pytorch-ood"))
    goals.append(Goal("all together: time, in units of pytorch-ood's", mine / other, 1).as_json())
    return {
        "command": racing.command(),
        "machine": racing.machine("pytorch-ood", "scikit-learn"),
        "rows": rows,
        "width": width,
        "batch": batch,
        "lines": lines,
        "goals": goals,
    }


def page(results: Results) -> str:
    """Return the race as Markdown."""
    rows = [
        (
            line["detector"],
            *(racing.shown(line[name]) for name in CONTESTANTS),
            f"{line['difference']:.0e}",
        )
        for line in results["lines"]
    ]
    what = (
        f"Seconds to fit on {results['rows']} rows of {results['width']} features and score as many: median (least to"
        f' greatest). "touchstone" scores in batches of {results["batch"]}, as a study does, and checks the record of the'
        ' scores. "one batch" scores all rows at once. "bare" calls only the detector\'s functions. The difference is'
        " the greatest of these three from pytorch-ood, in standard deviations of the score."
    )
    columns = ("detector", *CONTESTANTS, "difference")
    return racing.page(
        "Detectors on stored outputs: ours and pytorch-ood's", what, results, racing.table(columns, rows)
    )


def main() -> None:
    """Run the race and write its tables."""
    parser = racing.parser(__doc__, rounds=5)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--batch", type=int, default=BATCH, help="rows that ours score at a time")
    options = parser.parse_args()
    racing.begin(options.threads)
    results = measured(options.rows, options.width, options.rounds, options.batch)
    racing.write(options.out, "stored_detectors", results, page(results))


if __name__ == "__main__":
    main()
