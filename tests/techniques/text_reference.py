"""The networks of text for one member, written out with torch's own functions from word vectors on."""

import torch
import torch.nn.functional as F


def parts(x, layout):
    """Ids (B, L) and the other columns (B, d) of planes."""
    return x[:, 0].long(), x[:, -layout.trailing :].flatten(1)[:, : layout.features]


def bag(vectors, ids, numbers, w, mix=lambda h: h):
    """Logits of the averaged vectors (B, L, E), with one hidden layer of tanh."""
    there = (ids > 0).unsqueeze(-1)
    mean = (vectors * there).sum(1) / there.sum(1)
    hidden = torch.tanh(mix(torch.cat((mean, numbers), 1)) @ w["hidden0.weight"] + w["hidden0.bias"])
    return hidden @ w["out.weight"] + w["out.bias"]


def kim(vectors, ids, numbers, w, mix=lambda h: h):
    """Logits of convolutions over 3, 4 and 5 vectors of (B, L, E), with tanh and nothing but a linear map after."""
    padded = F.pad((vectors * (ids > 0).unsqueeze(-1)).mT, (0, 4))
    highest = []
    for window in (3, 4, 5):
        kernel = w[f"window{window}.weight"].reshape(window, vectors.shape[-1], -1).permute(2, 1, 0)
        highest.append(torch.tanh(F.conv1d(padded, kernel, w[f"window{window}.bias"])).amax(-1))
    return mix(torch.cat((*highest, numbers), 1)) @ w["out.weight"] + w["out.bias"]
