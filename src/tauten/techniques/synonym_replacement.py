"""Synonym replacement."""

import torch
from torch import Tensor

from tauten.technique import Draws, Technique, hyperparameter
from tauten.wording import replaced


class SynonymReplacement(
    Technique,
    name="synonym_replacement",
    paper="Wei & Zou 2019, EMNLP, arXiv:1901.11196 (EDA)",
    card="0.2 to 0.8. EDA's α counts all words, p those that have a synonym: of film reviews one in eight, so that "
    "α = 0.1 is about p = 0.8. Synonyms come from WordNet, or from a table of one's own (--synonyms), the first three "
    "of each word. Costs two draws a position.",
    data=("text",),
    planes=("synonyms",),
):
    """Replace each word that has synonyms by one of them with probability `p`, others at every step."""

    p: float = hyperparameter(off=0.0, low=0.01, high=1.0, default=0.3, search=(0.05, 0.9), doc="probability")

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        return replaced(self, x, torch.as_tensor(self.p), r), y
