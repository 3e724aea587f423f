import torch

from touchstone.attacks.margin_pgd import margin_pgd, wrong_lead
from touchstone.attacks.pgd import pgd
from touchstone.numerics.tensors import RandomStreams

torch.set_num_threads(1)


def test_the_lead_of_a_wrong_class_is_over_all_others_and_negative_while_the_label_leads():
    logits = torch.tensor([[3.0, 1.0, 0.0], [1.0, 5.0, 2.0], [1.0, 5.0, 4.0]])

    assert wrong_lead(logits, torch.tensor([0, 0, 0])).tolist() == [-2, 3, 1]


def test_it_finds_the_greatest_margin_of_a_linear_model_in_closed_form():
    weights = torch.tensor([[0.0, 0.0, 0.0], [1.0, -2.0, 0.5]])
    images, labels = torch.full((4, 1, 1, 3), 0.5), torch.zeros(4, dtype=torch.int64)

    found = margin_pgd(
        lambda x: x.flatten(1) @ weights.T, images, labels, RandomStreams(0, "attack", torch.arange(4)), eps=0.1
    )

    torch.testing.assert_close(found, images + 0.1 * weights[1].sign().view(1, 1, 3))


def test_the_class_that_comes_third_is_taken_where_its_margin_can_grow_most():
    # At the image class 1 comes next; class 2 can lead by more within eps.
    weights, bias = torch.tensor([[0.0, 0.0], [0.5, 0.0], [0.0, 9.0]]), torch.tensor([0.4, 0.3, -4.5])
    images, labels = torch.full((1, 1, 1, 2), 0.5), torch.tensor([0])

    def model(points):
        return points.flatten(1) @ weights.T + bias

    near = margin_pgd(model, images, labels, RandomStreams(0, "attack", torch.arange(1)), eps=0.2, classes=1)
    far = margin_pgd(model, images, labels, RandomStreams(0, "attack", torch.arange(1)), eps=0.2, classes=2)

    assert model(far).argmax() == 2 and wrong_lead(model(far), labels) > wrong_lead(model(near), labels)


def test_its_wrong_classes_lead_by_more_than_those_of_cross_entropy(victim):
    draws = RandomStreams(0, "attack", torch.arange(len(victim.labels)))

    plain, leading = (
        wrong_lead(victim.model(attack(victim.model, victim.images, victim.labels, draws, eps=0.1)), victim.labels)
        for attack in (pgd, margin_pgd)
    )

    assert leading.mean() > plain.mean()
