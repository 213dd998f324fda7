"""A transformer over words, as a person writes one."""

import torch
from torch import nn


class TextTransformer(nn.Module):
    def __init__(self, ids, length, numbers, classes=2, width=16):
        super().__init__()
        self.words = nn.Embedding(ids, width, padding_idx=0)
        self.places = nn.Parameter(torch.randn(length, width) * 0.02)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(width, 4, 32, batch_first=True), 2)
        self.out = nn.Linear(width + numbers, classes)

    def forward(self, ids, numbers=None):
        there = ids > 0
        # A text without any word would leave attention nothing to look at.
        hidden = ~there & (torch.arange(ids.shape[1]) > 0)
        h = self.encoder(self.words(ids) + self.places, src_key_padding_mask=hidden)
        mean = (h * there.unsqueeze(-1)).sum(1) / there.sum(1, keepdim=True).clamp_min(1)
        return self.out(mean if numbers is None else torch.cat((mean, numbers), 1))


def build(layout):
    return TextTransformer(layout.ids, layout.length, layout.features)
