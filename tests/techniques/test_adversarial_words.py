import pytest
import torch
import torch.nn.functional as F
from text_reference import bag, kim, parts

from tauten.draws import Draws
from tauten.engines.single import Single
from tauten.engines.stacked import Stacked
from tauten.errors import RecipeError
from tauten.member import Member
from tauten.recipe import Recipe
from tauten.techniques.adversarial_words import AdversarialWords
from tauten.techniques.dropout import Dropout
from tauten.techniques.sam import SAM
from tauten.testing import engine_for, problem, same_bits, small_setting, trained

EPSILONS, STEPS = [0.1, 0.6], 10


def moved_mean(vectors, ids, g, epsilon):
    """Every word of a text by the same vector, so long that the mean moves by ε of its length."""
    there = (ids > 0).unsqueeze(-1)
    mean = (vectors * there).sum(1) / there.sum(1)
    away = g.sum(1) / g.sum(1).norm(dim=-1, keepdim=True)
    return vectors + (epsilon * mean.norm(dim=-1, keepdim=True) * away).unsqueeze(1)


def moved_words(vectors, ids, g, epsilon):
    """All words of a text as one long vector, by ε of its length along the gradient."""
    own = (vectors * (ids > 0).unsqueeze(-1)).flatten(1)
    away = g.flatten(1) / g.flatten(1).norm(dim=-1, keepdim=True)
    return vectors + (epsilon * own.norm(dim=-1, keepdim=True) * away).view_as(vectors)


@pytest.mark.parametrize(
    ("net", "lift", "forward", "moved"),
    [("bag", Stacked, bag, moved_mean), ("kim", Single, kim, moved_words)],
)
def test_the_gradient_is_the_mean_of_that_at_a_text_and_at_its_worst_neighbour(net, lift, forward, moved):
    source = problem(40, 9, 3, "classification", data="text")
    setting = small_setting(12, 1, "sgd", batch_size=64, activation="tanh", learning_rate=0.1, net=net)
    members = [Member(i, Recipe((AdversarialWords(epsilon=e),), setting), 5 + i) for i, e in enumerate(EPSILONS)]
    engine = engine_for(members[0], [source], lift())
    engine.admit(members)
    starts = [engine.extract(i).w for i in range(2)]
    engine.run(STEPS)
    n = len(source.train)
    for i, epsilon in enumerate(EPSILONS):
        w = {k: v.clone().requires_grad_() for k, v in starts[i].items()}
        reference = torch.optim.SGD(w.values(), lr=0.1, momentum=0.9)
        for step in range(STEPS):
            rows = source.train[Draws(torch.tensor(5 + i), torch.tensor(step), "order").permutation(n)]
            ids, numbers = parts(source.inputs[rows], source.layout)
            y, vectors = source.targets[rows].argmax(-1), F.embedding(ids, w["embedding.weight"])
            plain = F.cross_entropy(forward(vectors, ids, numbers, w), y)
            (g,) = torch.autograd.grad(plain, vectors, retain_graph=True)
            shift = (moved(vectors, ids, g, epsilon) - vectors).detach()
            worst = F.cross_entropy(forward(vectors + shift, ids, numbers, w), y)
            assert worst > plain
            reference.zero_grad()
            ((plain + worst) / 2).backward()
            reference.step()
        for k, v in w.items():
            torch.testing.assert_close(engine.extract(i).w[k], v.detach(), rtol=0, atol=2e-5)


def test_beside_sam_in_one_block_each_member_is_as_alone():
    """Both take a second gradient, so they share a group; neither may touch the other's."""
    source = problem(40, 9, 3, "classification", data="text")
    setting = small_setting(12, 1, batch_size=16, net="bag")
    recipes = [Recipe((t, Dropout(p=0.3)), setting) for t in (AdversarialWords(epsilon=0.5), SAM(rho=0.2))]
    members = [Member(i, recipe, 7 + i) for i, recipe in enumerate(recipes)]
    together = trained(members, source, Stacked(), 8)
    for member in members:
        assert same_bits(together[member.id], trained([member], source, Stacked(), 8)[member.id])


def test_it_is_not_combined_with_sam():
    with pytest.raises(RecipeError, match="adversarial_words can't be combined with sam; remove one of the two"):
        Recipe((AdversarialWords(), SAM()))
