"""Random splits of classes."""

import pytest

from touchstone.records.class_splits import class_order, classes_of


def test_a_split_is_a_fixed_random_order_of_all_classes():
    orders = [class_order(split, 10) for split in range(5)]

    assert all(sorted(order) == list(range(10)) for order in orders)
    assert orders[0] == class_order(0, 10)
    assert len({frozenset(order[6:]) for order in orders}) == 5  # five different sets of unknown classes


def test_the_parts_of_a_split_are_disjoint_and_make_up_all_classes():
    known, unknown, seen, met = (classes_of(part, 3, 10, 6, 4) for part in ("known", "unknown", "seen", "met"))

    assert [len(part) for part in (known, unknown, seen, met)] == [6, 4, 4, 2]
    assert sorted(known + unknown) == list(range(10))
    assert known == seen + met


@pytest.mark.parametrize(("classes", "known", "seen"), [(6, 6, 4), (10, 4, 4), (10, 6, 0)])
def test_a_part_without_a_class_is_refused(classes, known, seen):
    with pytest.raises(ValueError, match="seen < known < classes"):
        classes_of("known", 0, classes, known, seen)
