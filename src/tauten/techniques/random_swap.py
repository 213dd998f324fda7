"""Random swap."""

import torch
from torch import Tensor

from tauten.arranging import filled, paired, there
from tauten.technique import Draws, Technique, hyperparameter
from tauten.tensors import lead
from tauten.wording import parted


class RandomSwap(
    Technique,
    name="random_swap",
    paper="Wei & Zou 2019, EMNLP, arXiv:1901.11196 (EDA)",
    card="0.05 to 0.3. A share p of the words moves; the paper's n = α·l swaps move up to twice α. For networks that "
    "see the order of words: in a bag it does nothing. Costs two draws a position and two sorts.",
    data=("text",),
    nets=("bigrams", "kim"),
):
    """Pair the words of each text at random, and let the two of a pair change places with probability `p`.

    Others at every step. Of an odd number of words one stays.
    """

    p: float = hyperparameter(off=0.0, low=0.01, high=1.0, default=0.1, search=(0.02, 0.6), doc="probability")

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        words, others = parted(self, x)
        tokens = there(words)
        partner, pair = paired(r.at("order").uniform(words[..., 0, :]), tokens)
        chosen = r.at("on").uniform(words[..., 0, :]).gather(-1, pair)
        stay = torch.arange(pair.shape[-1], device=pair.device)
        source = torch.where(chosen < lead(self.p, chosen), partner, stay)
        return torch.cat((filled(words, source), others), -2), y
