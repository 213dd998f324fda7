"""Draws: the generator's published answers, the distributions, and independence of everything but their place."""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from tauten.draws import Draws, compiled_bernoulli, compiled_words, derive_seed, philox, torch_words
from tauten.errors import ContractError
from tauten.native.interface import opened

ANSWERS = {  # Random123 1.09, tests/kat_vectors, philox4x32-10: counter, key, result
    "zeros": ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    "ones": ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    "pi": ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
}
SHAPE = (200, 300)
KINDS = {
    "uniform": lambda r, like: r.uniform(like),
    "normal": lambda r, like: r.normal(like),
    "bernoulli": lambda r, like: r.bernoulli(0.3, like),
}
PER_ROW = {"beta": lambda r, like: r.beta(0.4, like), "gamma": lambda r, like: r.gamma(0.4, like)}


def one(seed, step=3, path="here"):
    return Draws(torch.tensor(seed), torch.tensor(step), path)


def stack(seeds, step=3, path="here"):
    return Draws(torch.tensor(seeds), torch.full((len(seeds),), step), path)


def words(text):
    return tuple(torch.tensor(int(word, 16)) for word in text.split())


@pytest.mark.parametrize(("counter", "key", "result"), ANSWERS.values(), ids=ANSWERS)
def test_philox_gives_the_published_answers(counter, key, result):
    assert [f"{int(word):08x}" for word in philox(words(counter), words(key))] == result.split()


def fits(sample, distribution):
    return stats.kstest(np.asarray(sample.double()).ravel(), distribution).pvalue > 0.001


def test_uniform_is_uniform():
    sample = one(1).uniform(torch.zeros(SHAPE))
    assert fits(sample, stats.uniform.cdf)
    assert sample.min() >= 0
    assert sample.max() < 1


def test_normal_is_normal_and_uncorrelated_within_its_pairs():
    sample = one(2).normal(torch.zeros(SHAPE))
    assert fits(sample, stats.norm.cdf)
    pairs = np.asarray(sample).reshape(-1, 2)
    assert abs(stats.pearsonr(pairs[:, 0], pairs[:, 1]).statistic) < 4 / len(pairs) ** 0.5
    assert abs(stats.pearsonr(pairs[:, 0] ** 2, pairs[:, 1] ** 2).statistic) < 4 / len(pairs) ** 0.5


@pytest.mark.parametrize("p", [0.0, 0.01, 0.3, 0.95, 1.0])
def test_bernoulli_has_its_probability_in_every_place_of_a_block(p):
    sample = np.asarray(one(3).bernoulli(p, torch.zeros(4000, 8)))
    exact = round(p * 65536) / 65536  # 16 bits a draw
    for place in range(8):
        assert stats.binomtest(int(sample[:, place].sum()), 4000, exact).pvalue > 0.001


def test_bernoulli_elements_are_independent():
    sample = np.asarray(one(4).bernoulli(0.5, torch.zeros(20000, 3))).astype(int)
    counts = np.bincount(sample @ [1, 2, 4], minlength=8)
    assert stats.chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize("shape", [0.05, 0.2, 1.0, 4.0])
def test_beta_is_beta(shape):
    sample = one(5).beta(shape, torch.zeros(20000, 2)).double()
    # In float32 a share within 1e-7 of 0 or 1 is rounded; the comparison stays inside.
    inside = sample[(sample > 1e-6) & (sample < 1 - 1e-6)]
    law = stats.beta(shape, shape)
    low, high = law.cdf([1e-6, 1 - 1e-6])
    assert fits(inside, lambda x: (law.cdf(x) - low) / (high - low))
    assert abs(len(inside) / len(sample) - (high - low)) < 0.02


@pytest.mark.parametrize("shape", [0.05, 0.5, 1.0, 7.0])
def test_gamma_is_the_logarithm_of_gamma(shape):
    sample = one(6).gamma(shape, torch.zeros(20000, 2))
    assert fits(sample, stats.loggamma(shape).cdf)


@pytest.mark.parametrize("kind", KINDS)
def test_a_draw_does_not_depend_on_width_rows_or_neighbours(kind):
    draw = KINDS[kind]
    wide = draw(one(7), torch.zeros(9, 40))
    for rows, width in itertools.product((1, 4, 9), (1, 2, 3, 5, 8, 13, 40)):
        assert torch.equal(draw(one(7), torch.zeros(rows, width)), wide[:rows, :width])
    assert torch.equal(draw(one(7), torch.zeros(9, 5, 8)).reshape(9, 40), wide)
    for seeds in ([7], [1, 7], [7, 2**62 + 5, 3, 4, 5]):
        assert torch.equal(draw(stack(seeds), torch.zeros(len(seeds), 9, 40))[seeds.index(7)], wide)


@pytest.mark.parametrize("kind", KINDS)
def test_a_draw_does_not_depend_on_how_its_place_lies_in_memory(kind):
    draw = KINDS[kind]
    for width in (1, 5, 32):
        row_by_row, by_feature = torch.zeros(3, 9, width), torch.zeros(3, width, 9).mT
        want, got = (draw(stack([1, 2, 7]), like) for like in (row_by_row, by_feature))
        assert torch.equal(got, want)
        assert width == 1 or want.is_contiguous()
        assert width != 32 or got.mT.is_contiguous(), "what lies by feature is drawn by feature"


@pytest.mark.skipif(opened() is None, reason="no native library here")
def test_compiled_words_are_those_of_torch():
    for members, rows, blocks in ((1, 1, 1), (3, 9, 10), (2, 33, 7), (5, 128, 16)):
        seed = torch.arange(members) * (2**40 + 12345) + 7
        step = torch.arange(members) * 3
        asked = (seed, step, 0xFFFFFFF7, rows, blocks)
        assert torch.equal(compiled_words(*asked), torch_words(*asked))
    alone = (seed[3], step[3], 5, 4, 2)
    assert torch.equal(compiled_words(*alone), torch_words(*alone))
    assert torch.equal(compiled_words(seed, step.int(), 5, 4, 2), torch_words(seed, step, 5, 4, 2))
    with pytest.raises(RuntimeError, match="shape"):  # never beyond the end of what was given
        compiled_words(seed, step[:2], 5, 4, 2)


@pytest.mark.skipif(opened() is None, reason="no native library here")
@pytest.mark.parametrize(("rows", "size"), [(1, 1), (9, 7), (3, 8), (5, 130), (2, 1024)])
def test_compiled_truth_values_are_halves_of_torch_s_words_below_the_threshold(rows, size):
    seed, step = torch.arange(4) * (2**40 + 12345) + 7, torch.arange(4) * 3
    threshold = torch.tensor([0, 1000, 40000, 65536])
    blocks = -(-size // 8)
    words = torch_words(seed, step, 0xFFFFFFF7, rows, blocks).numpy().view(np.uint32)
    # Element e of a row is half e % 2, the lower first, of word e % 8 // 2 of block e // 8.
    halves = np.stack([words & 0xFFFF, words >> 16], -2).reshape(4, blocks * 8, rows)[:, :size].swapaxes(1, 2)
    got = compiled_bernoulli(seed, step, 0xFFFFFFF7, threshold, rows, size)
    assert np.array_equal(got, halves < threshold.numpy()[:, None, None])
    alone = compiled_bernoulli(seed[2], step[2], 0xFFFFFFF7, threshold[2], rows, size)
    assert torch.equal(alone, got[2])


def test_mapped_draws_are_those_of_a_stack():
    like = torch.zeros(3, 9, 40)
    mapped = torch.func.vmap(lambda seed: Draws(seed, torch.tensor(3), "here").uniform(like[0]))
    assert torch.equal(stack([1, 2, 7]).uniform(like), mapped(torch.tensor([1, 2, 7])))


@pytest.mark.parametrize("kind", PER_ROW)
def test_a_draw_per_row_does_not_depend_on_rows_or_neighbours(kind):
    draw = PER_ROW[kind]
    alone = draw(one(7), torch.zeros(9, 4))
    assert torch.equal(draw(one(7), torch.zeros(3, 1)), alone[:3])
    assert torch.equal(draw(stack([1, 2, 7]), torch.zeros(3, 9, 4))[2], alone)


@pytest.mark.parametrize("kind", [*KINDS, *PER_ROW, "permutation"])
def test_vmapped_draws_are_those_of_one(kind):
    draw = {**KINDS, **PER_ROW, "permutation": lambda r, like: r.permutation(11)}[kind]
    seeds, steps = torch.tensor([7, 8, 9]), torch.tensor([3, 0, 5])
    like = torch.zeros(5, 11)
    mapped = torch.func.vmap(lambda seed, step: draw(Draws(seed, step, "here"), like))(seeds, steps)
    for i in range(3):
        assert torch.equal(mapped[i], draw(Draws(seeds[i], steps[i], "here"), like))


@pytest.mark.parametrize("kind", KINDS)
def test_seed_step_and_path_each_matter(kind):
    draw, like = KINDS[kind], torch.zeros(20, 20)
    samples = [
        draw(r, like)
        for r in (
            one(7), one(8), one(7 + 2**40), one(7, step=4), one(7, path="there"), one(7).at("a"), one(7).at("b"),
        )
    ]  # fmt: skip
    for a, b in itertools.combinations(samples, 2):
        assert (a != b).any(-1).all()


def test_a_probability_of_each_member():
    p = torch.tensor([0.0, 0.5, 1.0])
    share = stack([1, 1, 1]).bernoulli(p, torch.zeros(3, 50, 40)).float().mean((1, 2))
    assert share[0] == 0
    assert share[2] == 1
    assert abs(share[1] - 0.5) < 0.05


@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_a_permutation_is_one(n):
    order = stack([1, 2, 3]).permutation(n)
    assert order.shape == (3, n)
    assert torch.equal(order.sort(-1).values, torch.arange(n).expand(3, n))
    assert torch.equal(order[1], one(2).permutation(n))


def test_permutations_are_equally_likely():
    orders = stack(list(range(6000))).permutation(3)
    counts = np.bincount(np.asarray(orders) @ [9, 3, 1])
    assert stats.chisquare(counts[counts > 0]).pvalue > 0.001
    assert (counts > 0).sum() == 6


def test_a_valid_part_of_a_permutation_is_the_shorter_permutation():
    valid = torch.tensor([1, 5, 12, 20])
    order = stack([1, 2, 3, 4]).permutation(20, valid)
    for i, n in enumerate(valid.tolist()):
        assert torch.equal(order[i, :n], one(i + 1).permutation(n))


def test_a_second_draw_at_one_place_is_refused():
    r = one(1)
    r.uniform(torch.zeros(2, 2))
    with pytest.raises(ContractError, match=r"two draws at 'here' would be the same numbers; name them with r\.at"):
        r.normal(torch.zeros(2, 2))
    r.at("more").normal(torch.zeros(2, 2))


def test_seeds_from_parts_differ_and_fit_into_63_bits():
    parts = [("a",), ("b",), ("a", 0), ("a", 1), (0, "a"), (("a", 0),), ("a0",)]
    seeds = {derive_seed(*p) for p in parts}
    assert len(seeds) == len(parts)
    assert all(0 <= s < 2**63 for s in seeds)
    assert derive_seed("a", 1) == derive_seed("a", 1)
