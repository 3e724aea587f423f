import pytest

from touchstone.evaluations.statistics.places import Place


@pytest.mark.parametrize(
    ("text", "how", "last", "before"),
    [
        ("digits_test", "", "digits_test", "digits_test"),
        ("digits_test/pgd", "pgd", "pgd", "digits_test"),
        ("digits_test/pgd/unet", "pgd/unet", "unet", "digits_test/pgd"),
    ],
)
def test_a_place_is_the_text_taken_apart(text, how, last, before):
    place = Place.parse(text)

    assert (str(place), place.dataset, place.how, place.last, str(place.before)) == (
        text,
        "digits_test",
        how,
        last,
        before,
    )
