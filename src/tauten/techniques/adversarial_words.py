"""Adversarial noise on word vectors."""

import torch
from torch import Tensor

from tauten.technique import Here, Technique, Tree, hyperparameter
from tauten.tensors import lead, map_tree, pick


class AdversarialWords(
    Technique,
    name="adversarial_words",
    paper="Miyato, Dai & Goodfellow 2017, ICLR, arXiv:1605.07725",
    card="0.1 to 0.5. Costs a second gradient a step: twice the time. In Tauten's own networks of text only.",
    passes=2,
    data=("text",),
    excludes=("sam",),
):
    """Train on each text and, by as much, on its worst neighbour: L(v) + L(v + ε·‖v‖·g / ‖g‖), halved.

    v are the vectors of the text's words as one long vector, g the loss's gradient by them. Moving by a share of ‖v‖
    means that a network can't outgrow the noise, for which the paper normalizes its vectors. An average of word
    vectors is moved itself: all of its words would move alike.
    """

    epsilon: float = hyperparameter(
        off=0.0, low=0.001, high=5.0, default=0.2, search=(0.02, 1.0), log=True, doc="share ε of the vectors' length"
    )

    def disturb(self, g: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(g, dim=-1, keepdim=True).clamp_min(1e-12)
        return pick(torch.as_tensor(self.epsilon > 0), lead(self.epsilon, g) * g / length, torch.zeros_like(g))

    def gradient(self, g: Tree, w: Tree, here: Here) -> Tree:
        assert here.first is not None
        on = torch.as_tensor(self.epsilon > 0)
        return map_tree(lambda second, first: pick(on, (second + first) / 2, second), g, here.first)
