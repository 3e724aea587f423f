"""cut, attack_part and gather: what one job makes of a whole set, made of its shards."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from touchstone.adversary.defences import Guarded
from touchstone.attacks.pgd import pgd
from touchstone.detectors.msp import msp
from touchstone.pipeline.steps.attack import attack
from touchstone.pipeline.steps.attack_part import attack_part
from touchstone.pipeline.steps.cut import cut
from touchstone.pipeline.steps.gather import gather
from touchstone.records.encoding import decode, encode
from touchstone.records.nouns import ContractError, ExampleSet
from touchstone.records.rows import Rows

BATCH = 3


@pytest.fixture
def examples():
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (19, 1, 3, 3)).astype(np.float32) / 255
    return ExampleSet(pixels, np.append(draw.integers(0, 2, 18), -1), draw.permutation(19), "here", {"licence": "ours"})


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(9, 4), nn.ReLU(), nn.Linear(4, 2))


def on_disk(folder, noun, name):
    (folder / name).write_bytes(encode(noun))
    return Rows.at(folder / name)


def cut_up(folder, examples, shards):
    whole = on_disk(folder, examples, "whole")
    pieces = (cut(whole, shard=shard, shards=shards, batch_size=BATCH) for shard in range(shards))
    return [decode(b"".join(piece), ExampleSet) for piece in pieces]


def gathered(folder, nouns):
    return b"".join(gather([on_disk(folder, noun, f"{number}") for number, noun in enumerate(nouns)]))


def stopping(model, images, labels, generator):
    """As many passes as it takes, so that their mean is no round number."""
    return pgd(model, images, labels, generator, eps=0.2, steps=7, stop_on_success=True)


def guarded(model):
    """Saturated on some images: there the score has no gradient."""
    return Guarded(model, msp, ("logits",), {}, -0.6, 0.1, {})


@pytest.mark.parametrize("shards", [1, 3, 7])
def test_shards_are_whole_batches_in_order_as_equal_as_can_be(tmp_path, examples, shards):
    parts = cut_up(tmp_path, examples, shards)

    assert np.concatenate([part.example_ids for part in parts]).tolist() == examples.example_ids.tolist()
    assert {len(part) % BATCH for part in parts[:-1]} <= {0}
    batches = [-(-len(part) // BATCH) for part in parts]
    assert max(batches) - min(batches) <= 1
    assert all(part.notes == examples.notes and part.source == "here" for part in parts)


def test_more_shards_than_batches_are_refused_in_words(tmp_path, examples):
    with pytest.raises(
        ContractError, match=r"19 images are 7 batches .* too few for 8 shards; shards may be from 1 to 7"
    ):
        cut_up(tmp_path, examples, 8)


@pytest.mark.parametrize("shards", [2, 3, 7])
@pytest.mark.parametrize("behind", [False, True], ids=["a network", "a network behind a detector"])
def test_an_attack_on_shards_gathered_is_the_attack_on_the_whole_byte_by_byte(
    tmp_path, examples, model, shards, behind
):
    defence = guarded(model) if behind else model
    settings = {"defence": defence, "seed": 0, "batch_size": BATCH, "device": "cpu"}
    perturb = (lambda defended, *data: stopping(model, *data)) if behind else stopping
    whole = attack(examples, model, perturb=perturb, **settings)

    parts = [attack_part(part, model, perturb=perturb, **settings) for part in cut_up(tmp_path, examples, shards)]

    assert gathered(tmp_path, parts) == encode(whole)
    assert whole.notes["forward_passes"] % 1  # or there is nothing to get wrong
    assert ("no_score_gradient" in whole.notes) == behind


@pytest.mark.parametrize("share", [0, 1, 37_123, 99_999, 100_000])
def test_shares_of_images_are_told_of_the_whole_set_as_the_attack_tells_them(tmp_path, share):
    counts = (60_000, 40_000)
    hits = (min(share, counts[0]), max(0, share - counts[0]))
    parts = [
        ExampleSet(
            np.zeros((count, 1, 1, 1), np.float32), np.zeros(count, np.int64), np.arange(count) + 60_000 * number, "here",
            {"passes": {"forward": count, "gradient": 0}, "no_score_gradient": mean_of(hit, count)},
        )
        for number, (count, hit) in enumerate(zip(counts, hits, strict=True))
    ]  # fmt: skip

    whole = decode(gathered(tmp_path, parts))

    assert whole.notes == {"forward_passes": 1.0, "gradient_passes": 0.0, "no_score_gradient": mean_of(share, 100_000)}


def mean_of(hits, count):
    """As steps/attack.py takes it."""
    return round(float((torch.arange(count) < hits).float().mean()), 6)


def test_an_example_in_two_shards_is_refused(tmp_path, examples):
    first, _, last = cut_up(tmp_path, examples, 3)

    with pytest.raises(ContractError, match="stands in another shard too"):
        gathered(tmp_path, [first, last, first])


def test_shards_of_different_sets_are_refused(tmp_path, examples):
    first, second, _ = cut_up(tmp_path, examples, 3)

    with pytest.raises(ContractError, match="does not say of its images what"):
        gathered(tmp_path, [first, replace(second, source="elsewhere")])
    with pytest.raises(ContractError, match="does not say of its images what"):
        gathered(tmp_path, [first, replace(second, notes={"licence": "theirs"})])
