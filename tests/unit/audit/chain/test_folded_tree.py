"""The folded chain behind a number: a line for each network and rule."""

from touchstone.audit.chain.folded_tree import folded_tree

RAW, SET = "data/raw/x", "results/s/prepare/s/examples/y.safetensors"


def chain(*seeds, entry="cnn"):
    """Return the files behind the outputs of a network on attacked images, for each seed."""
    files = {SET: [RAW], RAW: []}
    for net in (f"{entry}.{seed}" for seed in seeds):
        network = f"results/s/train/{net}/networks/{net}.safetensors"
        attacked = f"results/s/attack/{net}/attacked/y/{net}/pgd.safetensors"
        output = f"results/s/measure/{net}/outputs/{net}/y/{net}/pgd.safetensors"
        files |= {output: [network, attacked], attacked: [network, SET], network: [SET]}
    return files


def test_seeds_are_one_line_and_each_rule_stands_below_one_that_reads_it():
    assert list(folded_tree(chain(0, 1, 2))) == [
        "  measure cnn, seeds 0 to 2: 3 outputs",
        "    attack cnn, seeds 0 to 2: 3 attacked sets",
        "      train cnn, seeds 0 to 2: 3 networks",
        "        prepare s: 1 example set",
        "          fetch x: 1 raw folder",
    ]


def test_each_network_is_a_branch_of_its_own_and_shared_files_are_printed_once():
    lines = list(folded_tree(chain(0, 5) | chain(3, entry="mlp")))

    assert [line.strip().split(":")[0] for line in lines] == [
        "measure cnn, seeds 0 and 5", "attack cnn, seeds 0 and 5", "train cnn, seeds 0 and 5", "prepare s", "fetch x",
        "measure mlp, seed 3", "attack mlp, seed 3", "train mlp, seed 3",
    ]  # fmt: skip


def test_a_file_of_the_same_job_is_no_line_of_its_own():
    scores = "results/s/measure/cnn.0/scores/cnn.0/msp/y.safetensors"
    files = chain(0)
    output = next(name for name in files if "/outputs/" in name)

    assert next(folded_tree({scores: [output]} | files)) == "  measure cnn, seed 0: 1 score file and 1 output"


def test_no_line_is_wider_than_80_letters():
    many = {f"results/s/measure/a_long_name_of_a_network.{seed}/{kind}/z.safetensors": [] for seed in (1, 5, 7, 9, 14, 22)
            for kind in ("outputs", "scores", "margins", "detectors")}  # fmt: skip

    lines = list(folded_tree(many))

    assert len(lines) > 1 and max(map(len, lines)) <= 80
