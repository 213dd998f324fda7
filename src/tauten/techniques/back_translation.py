"""Back-translation."""

import torch
from torch import Tensor

from tauten.technique import Draws, Technique, hyperparameter
from tauten.tensors import lead
from tauten.wording import layout_of, parted


class BackTranslation(
    Technique,
    name="back_translation",
    paper="Sennrich et al. 2016, ACL, arXiv:1511.06709; of labelled texts: Xie et al. 2020, NeurIPS, arXiv:1904.12848",
    card="0.1 to 0.5. Needs --back-translate, which translates the texts once, ahead of training. Look at them by "
    "`tauten preview` first: translating by rules breaks sentences more than it rewords them. Costs two draws a text.",
    data=("text",),
    planes=("translations",),
):
    """Put, with probability `p`, one of its translations there and back in a text's place, others at every step.

    Each language by way of which texts were translated is as likely. What acts on words after it finds no synonyms or
    typos of the new ones. A text without a translation stays.
    """

    p: float = hyperparameter(off=0.0, low=0.01, high=1.0, default=0.3, search=(0.05, 0.8), doc="probability")

    def batch(self, x: Tensor, y: Tensor, r: Draws) -> tuple[Tensor, Tensor]:
        words, others = parted(self, x)
        count = layout_of(self).translations
        texts, text = others[..., :count, :], others[..., :1, :1]
        place = (r.at("which").uniform(text) * count).long().clamp(max=count - 1)
        chosen = texts.gather(-2, place.expand(words[..., :1, :].shape))
        taken = (r.uniform(text) < lead(self.p, text)) & (chosen > 0).any(-1, keepdim=True)
        new = torch.cat((chosen, torch.zeros_like(words[..., 1:, :])), -2)
        return torch.cat((torch.where(taken, new, words), others), -2), y
