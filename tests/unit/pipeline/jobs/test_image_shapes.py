"""A set with images of another shape is told when the sets are prepared, not by a network in a later job."""

from touchstone.pipeline.jobs.image_shapes import wrong_shape


def test_sets_of_one_shape_pass():
    assert wrong_shape({"train": (1, 28, 28), "test": (1, 28, 28)}) == ""
    assert wrong_shape({"train": (3, 32, 32)}) == ""


def test_a_set_of_another_shape_is_named_with_what_makes_it_fit():
    reason = wrong_shape({"mine": (3, 12, 12), "train": (1, 28, 28), "test": (1, 28, 28)})

    assert reason.startswith("mine has images of 3 x 12 x 12 (channels, height, width), and train of 1 x 28 x 28")
    assert reason.endswith("height: 28, width: 28, colour: gray")


def test_the_shape_of_most_sets_counts_wherever_they_stand():
    shapes = {"train": (3, 32, 32), "test": (3, 32, 32), "mine": (1, 32, 32)}
    assert wrong_shape(shapes).startswith("mine has images of 1 x 32 x 32")
    assert "colour: rgb" in wrong_shape(dict(reversed(shapes.items())))
