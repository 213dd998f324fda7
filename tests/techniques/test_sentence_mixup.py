import pytest
import torch
import torch.nn.functional as F
from text_reference import bag, kim, parts

from tauten.draws import Draws
from tauten.engines.single import Single
from tauten.engines.stacked import Stacked
from tauten.member import Member
from tauten.recipe import Recipe
from tauten.techniques.sentence_mixup import SentenceMixup
from tauten.testing import engine_for, problem, small_setting

ALPHAS, STEPS = [0.3, 2.0], 10


def shares(alpha, n, seed, step):
    """The matrix that mixes rows at a step: read off from unit vectors."""
    draws = Draws(torch.tensor(seed), torch.tensor(step), "step/sentence_mixup/batch")
    bound = SentenceMixup().with_values({"alpha": torch.tensor(alpha)})
    return bound.pooled(torch.eye(n), draws)


@pytest.mark.parametrize(("net", "lift", "forward"), [("bag", Stacked, bag), ("kim", Single, kim)])
@pytest.mark.parametrize("weighted", [False, True])
def test_vectors_of_texts_and_labels_are_mixed_alike(net, lift, forward, weighted):
    source = problem(40, 9, 3, "classification", data="text", weighted=weighted)
    setting = small_setting(12, 1, "sgd", batch_size=64, activation="tanh", learning_rate=0.1, net=net)
    members = [Member(i, Recipe((SentenceMixup(alpha=a),), setting), 5 + i) for i, a in enumerate(ALPHAS)]
    engine = engine_for(members[0], [source], lift())
    engine.admit(members)
    starts = [engine.extract(i).w for i in range(2)]
    engine.run(STEPS)
    n = len(source.train)
    for i, alpha in enumerate(ALPHAS):
        w = {k: v.clone().requires_grad_() for k, v in starts[i].items()}
        reference = torch.optim.SGD(w.values(), lr=0.1, momentum=0.9)
        for step in range(STEPS):
            order = Draws(torch.tensor(5 + i), torch.tensor(step), "order").permutation(n)
            rows = source.train[order]
            ids, numbers = parts(source.inputs[rows], source.layout)
            mixing = shares(alpha, n, 5 + i, step)
            weight = torch.ones(n) if source.weights is None else source.weights[rows]
            out = forward(F.embedding(ids, w["embedding.weight"]), ids, numbers, w, lambda h, m=mixing: m @ h)
            # A mixture's loss is the mixture of its parts' losses, each with its own weight.
            losses = F.cross_entropy(
                out[:, None].expand(-1, n, -1).mT, source.targets[rows].argmax(-1).expand(n, -1), reduction="none"
            )
            loss = (losses * mixing * weight).sum(-1).mean()
            reference.zero_grad()
            loss.backward()
            reference.step()
        for k, v in w.items():
            torch.testing.assert_close(engine.extract(i).w[k], v.detach(), rtol=0, atol=5e-6)
