import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tauten.draws import Draws
from tauten.engines.stacked import Stacked
from tauten.errors import RecipeError
from tauten.member import Member
from tauten.nets.base import Pass
from tauten.nets.built_in import built_in
from tauten.nets.textnet import PAIR, PAIRS, WIDE, WINDOWS, Bag, Bigrams, Kim, gathered, share, summed
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.techniques.weight_decay import WeightDecay
from tauten.testing import problem, small_setting, trained
from tauten.text.layout import TextLayout

SOURCE = problem(12, 9, 3, "classification", data="text")
LAYOUT = SOURCE.layout
WORDS = SOURCE.inputs[:, 0].long()
NUMBERS = SOURCE.inputs[:, -1, :2]


def averaged(table, ids):
    return summed(table, ids, share(ids))


def outputs(net, seed=3, met=SOURCE.inputs):
    """Of one member that has met texts in training, and its weights without padding."""
    w, buffers = ({k: v[0] for k, v in tree.items()} for tree in net.init([seed]))
    _, buffers = net.forward(w, buffers, met, Pass((), Draws(torch.tensor(0), torch.tensor(0), "met")))
    return net.forward(w, buffers, SOURCE.inputs, Pass((), None))[0], net.unpadded(w)


def head(w, h):
    """The MLP as torch's functions make it, without skips."""
    layers = sum(name.startswith("hidden") for name in w) // 2
    for i in range(layers):
        h = torch.relu(h @ w[f"hidden{i}.weight"] + w[f"hidden{i}.bias"])
    return h @ w["out.weight"] + w["out.bias"]


@pytest.mark.parametrize("depth", [0, 1])
def test_the_mean_of_words_is_torchs_embedding_bag(depth):
    net = Bag(LAYOUT, 3, small_setting(7, depth))
    out, w = outputs(net)
    mean = F.embedding_bag(WORDS, w["embedding.weight"], mode="mean", padding_idx=0)
    assert torch.allclose(out, head(w, torch.cat((mean, NUMBERS), -1)), atol=1e-6)
    assert w["embedding.weight"].shape == (LAYOUT.ids, WIDE)
    assert w["embedding.weight"].abs().max() <= 1 / WIDE
    assert not F.embedding_bag(torch.zeros(1, 4, dtype=torch.int64), mean, mode="mean", padding_idx=0).any()


@pytest.mark.parametrize("part", [1, 2])
def test_pairs_of_neighbours_that_were_met_stand_beside_the_words_at_their_weight(part):
    met = len(WORDS) // part
    out, w = outputs(Bigrams(LAYOUT, 3, small_setting(7, 0)), met=SOURCE.inputs[:met])
    table = w["embedding.weight"]
    assert table.shape == (LAYOUT.ids + PAIRS, WIDE)
    rows = [[word for word in row if word] for row in WORDS.tolist()]
    known = {pair for own in rows[:met] for pair in itertools.pairwise(own)}
    assert part == 1 or not all(known >= set(itertools.pairwise(own)) for own in rows)
    means = []
    for own in rows:
        mean, pairs = table[own].mean(0), list(itertools.pairwise(own))
        for a, b in known.intersection(pairs):
            row = (a * 0x9E3779B1 + b) * 0x85EBCA6B % 2**32 * PAIRS >> 32
            mean = mean + pairs.count((a, b)) * table[LAYOUT.ids + row] * PAIR / len(pairs)
        means.append(mean)
    assert torch.allclose(out, head(w, torch.cat((torch.stack(means), NUMBERS), -1)), atol=1e-6)


@pytest.mark.parametrize("depth", [1, 2])
def test_kims_network_is_torchs_convolutions(depth):
    out, w = outputs(Kim(LAYOUT, 3, small_setting(13, depth)))
    vectors = w["embedding.weight"][WORDS] * (WORDS > 0).unsqueeze(-1)
    padded = F.pad(vectors.mT, (0, WINDOWS[-1] - 1))
    highest = []
    for window in WINDOWS:
        conv = nn.Conv1d(WIDE, 4, window)
        conv.weight.data = w[f"window{window}.weight"].reshape(window, WIDE, 4).permute(2, 1, 0)
        conv.bias.data = w[f"window{window}.bias"]
        highest.append(torch.relu(conv(padded)).amax(-1))
    assert torch.allclose(out, head(w, torch.cat((*highest, NUMBERS), -1)), atol=1e-6)


def test_gradients_of_the_table_are_torchs():
    table = torch.randn(2, 40, WIDE, requires_grad=True)
    ids = torch.stack([WORDS, WORDS.flip(0)])
    factor = torch.randn(2, 12, WIDE)
    (mean,) = torch.autograd.grad((averaged(table, ids) * factor).sum(), table)
    want = [F.embedding_bag(i, t, mode="mean", padding_idx=0) for i, t in zip(ids, table, strict=True)]
    (want_mean,) = torch.autograd.grad((torch.stack(want) * factor).sum(), table)
    assert torch.allclose(mean, want_mean, atol=1e-6)
    (every,) = torch.autograd.grad((gathered(table, ids) * factor.unsqueeze(-2)).sum(), table)
    picked = torch.stack([t[i] for i, t in zip(ids, table, strict=True)])
    (want_every,) = torch.autograd.grad((picked * factor.unsqueeze(-2)).sum(), table)
    assert torch.allclose(every, want_every, atol=1e-5)


def test_under_vmap_the_mean_is_the_same():
    table, ids = torch.randn(3, 40, WIDE), WORDS.expand(3, -1, -1)
    assert torch.allclose(torch.func.vmap(averaged)(table, ids), averaged(table, ids), atol=1e-6)


def test_a_text_without_a_word_is_a_vector_of_zeros():
    assert not averaged(torch.randn(5, WIDE), torch.zeros(2, 7, dtype=torch.int64)).any()


def test_alternatives_change_no_output():
    for kind in (Bag, Bigrams, Kim):
        net = kind(LAYOUT, 3, small_setting(7, 1))
        w, buffers = ({k: v[0] for k, v in tree.items()} for tree in net.init([3]))
        other = SOURCE.inputs.clone()
        other[:, 1 : LAYOUT.planes - LAYOUT.trailing] = 1
        both = [net.forward(w, buffers, x, Pass((), None))[0] for x in (SOURCE.inputs, other)]
        assert torch.equal(*both)


@pytest.mark.parametrize(("net", "kind"), {"auto": Bigrams, "bag": Bag, "bigrams": Bigrams, "kim": Kim}.items())
def test_the_setting_names_the_network(net, kind):
    assert type(built_in((1, 16), 2, Setting(net=net), (), layout=TextLayout(16, 2000))) is kind


def test_networks_of_other_data_are_refused():
    with pytest.raises(RecipeError, match="is 'mlp' and rows are text; take auto or one of bag, bigrams, kim"):
        built_in((1, 16), 2, Setting(net="mlp"), (), layout=TextLayout(16, 2000))
    with pytest.raises(RecipeError, match="is 'kim' and rows are no text"):
        built_in((16,), 2, Setting(net="kim"), ())


class Words(nn.Module):
    """Pairs beside words, as torch has them."""

    def __init__(self, w):
        super().__init__()
        self.table = nn.EmbeddingBag.from_pretrained(
            w["embedding.weight"], freeze=False, mode="sum", sparse=True, include_last_offset=True
        )
        self.out = nn.Linear(WIDE + 2, 3)
        self.out.weight.data, self.out.bias.data = w["out.weight"].T.contiguous(), w["out.bias"]

    def forward(self, x):
        ids, weights, ends = [], [], [0]
        for row in x[:, 0].long().tolist():
            own = [word for word in row if word]
            pairs = [(a * 0x9E3779B1 + b) * 0x85EBCA6B % 2**32 * PAIRS >> 32 for a, b in itertools.pairwise(own)]
            ids += own + [LAYOUT.ids + pair for pair in pairs]
            weights += [1 / len(own)] * len(own) + [PAIR / len(pairs or own)] * len(pairs)
            ends.append(len(ids))
        mean = self.table(torch.tensor(ids), torch.tensor(ends), torch.tensor(weights))
        return self.out(torch.cat((mean, x[:, -1, :2]), -1))


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_training_is_that_of_torchs_sparse_embeddings(decay):
    setting, steps = small_setting(4, 0, batch_size=5, net="bigrams"), 30
    techniques = (WeightDecay(strength=decay),) if decay else ()
    member = Member(0, Recipe(techniques, setting), seed=7)
    w = {k: v[0] for k, v in Bigrams(LAYOUT, 3, setting).init([7])[0].items()}
    net = Words(Bigrams(LAYOUT, 3, setting).unpadded(w))
    sparse = torch.optim.SparseAdam(net.table.parameters(), lr=setting.learning_rate)
    dense = torch.optim.Adam(net.out.parameters(), lr=setting.learning_rate)
    n = len(SOURCE.train)
    laps = [Draws(torch.tensor(7), torch.tensor(lap), "order").permutation(n) for lap in range(-(-steps * 5 // n))]
    for step in range(steps):
        rows = SOURCE.train[torch.cat(laps)[step * 5 : step * 5 + 5]]
        sparse.zero_grad()
        dense.zero_grad()
        F.cross_entropy(net(SOURCE.inputs[rows]), SOURCE.targets[rows]).backward()
        before = [p.detach().clone() for p in (net.table.weight, net.out.weight)]
        # torch's sparse Adam adds ε to √v, Adam to √v̂.
        sparse.param_groups[0]["eps"] = 1e-8 * math.sqrt(1 - 0.999 ** (step + 1))
        sparse.step()
        dense.step()
        with torch.no_grad():
            for p, old in zip((net.table.weight, net.out.weight), before, strict=True):
                p -= setting.learning_rate * decay * old
    got = trained([member], SOURCE, Stacked(), steps)[0].w
    assert torch.allclose(got["embedding.weight"], net.table.weight, atol=2e-5)
    assert torch.allclose(got["out.weight"].T, net.out.weight, atol=2e-5)
    assert (got["out.weight"].T - w["out.weight"][: WIDE + 2, :3].T).abs().max() > 0.01
