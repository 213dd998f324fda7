"""Randomness bound to its place: a draw is a pure function of (member seed, step, site, row, element).

Nothing is a shared stream, so a member draws the same numbers whoever its neighbours are, in whatever slot, and
after any interruption. The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers:
as easy as 1, 2, 3"), written in integer tensor operations, so that it also runs under `vmap` and on any device; where
neither is asked for, the native library fills in the same words.
"""

import functools
import hashlib
import math
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor

from tauten.errors import ContractError
from tauten.native.interface import interface, opened
from tauten.tensors import lead

_MASK = 0xFFFFFFFF
_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10
_BETA_TRIES = 12
_ONE = threading.RLock()
Words = tuple[Tensor, Tensor, Tensor, Tensor]


def philox(counter: Words, key: tuple[Tensor, Tensor]) -> Words:
    """Four 32-bit words for each counter, as int64 tensors; the parts of counter and key broadcast.

    Checked against the known-answer vectors of Random123.
    """
    c0, c1, c2, c3 = counter
    # All rounds' keys at once: many short operations would cost more than the long ones.
    k0, k1 = (_schedule(k, weyl) for k, weyl in zip(key, _WEYL, strict=True))
    for i in range(_ROUNDS):
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        # By the fourth round every part has reached the others, so their shapes grow no more. Only the words that
        # are multiplied next need their upper halves cleared.
        mix = _mix_in_place if i > 2 else _mix
        c0, c1, c2, c3 = mix(p1, c1, k0[i]), p1, mix(p0, c3, k1[i]), p0
    return c0, c1 & _MASK, c2, c3 & _MASK


def _schedule(key: Tensor, weyl: int) -> tuple[Tensor, ...]:
    return ((key.unsqueeze(-1) + torch.arange(_ROUNDS, device=key.device) * weyl) & _MASK).unbind(-1)


def _mix(product: Tensor, word: Tensor, key: Tensor) -> Tensor:
    return ((product >> 32) ^ word ^ key) & _MASK


def _mix_in_place(product: Tensor, word: Tensor, key: Tensor) -> Tensor:
    # Drawing is bound by memory: one new tensor instead of four.
    return (product >> 32).bitwise_xor_(word).bitwise_xor_(key).bitwise_and_(_MASK)


def torch_words(seed: Tensor, step: Tensor, site: int, rows: int, blocks: int) -> Tensor:
    """The words of a site's blocks, int32 (M?, blocks, 4, rows); seed and step int64 (M?,)."""
    shape, device = seed.shape + (1, 1), seed.device
    seed, step = seed.reshape(shape), step.reshape(shape)
    counter = (
        torch.arange(blocks, device=device).unsqueeze(-1),
        torch.arange(rows, device=device),
        step & _MASK,
        torch.full((), site, device=device),
    )
    words = philox(counter, (seed & _MASK, (seed >> 32) & _MASK))
    return torch.stack([word.to(torch.int32) for word in words], -2)


def compiled_words(seed: Tensor, step: Tensor, site: int, rows: int, blocks: int) -> Tensor:
    """`torch_words` by the native library, to the bit and some ten times as fast; ordinary tensors on the CPU only."""
    # The library reads plain memory: as many steps as seeds, and both of 64 bits.
    seed, step = (part.to(torch.int64).reshape(seed.shape).contiguous() for part in (seed, step))
    words = torch.empty((*seed.shape, blocks, 4, rows), dtype=torch.int32)
    interface().tauten_fill(seed.data_ptr(), step.data_ptr(), site, seed.numel(), rows, blocks, words.data_ptr())
    return words


def compiled_bernoulli(seed: Tensor, step: Tensor, site: int, threshold: Tensor, rows: int, size: int) -> Tensor:
    """Whether 16 bits of each element of a row are less than its member's threshold (M?,): bool (M?, rows, size)."""
    drawn = torch.empty((*seed.shape, rows, size), dtype=torch.bool)
    seed, step = (part.to(torch.int64).expand(seed.shape).contiguous() for part in (seed, step))
    threshold = threshold.to(torch.int32).expand(seed.shape).contiguous()
    parts = (part.data_ptr() for part in (seed, step))
    interface().tauten_bernoulli(*parts, site, threshold.data_ptr(), seed.numel(), rows, size, drawn.data_ptr())
    return drawn


@functools.lru_cache(4096)
def site_hash(path: str) -> int:
    """32 bits that stand for a place in the training step."""
    return int.from_bytes(hashlib.blake2s(path.encode(), digest_size=4).digest(), "little")


def derive_seed(*parts: object) -> int:
    """A 63-bit seed from anything that has a stable `repr`; unlike parts give unrelated seeds.

    >>> derive_seed("finals", 0) != derive_seed("finals", 1)
    True
    """
    digest = hashlib.blake2s(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """For functions that know nothing of places: what torch, NumPy and Python draw on their own begins at `seed` here.

    Afterwards they go on as if nothing had been drawn. One thread at a time, since these streams are the process's.

    >>> with seeded(7):
    ...     first = torch.rand(3)
    >>> with seeded(7):
    ...     torch.equal(torch.rand(3), first)
    True
    """
    with _ONE, torch.random.fork_rng(devices=[]):
        numpy, python = np.random.get_state(), random.getstate()
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy)
            random.setstate(python)


class Draws:
    """The draws of one place, for one member (0-d seed) or a stack (seeds of shape (M,)).

    `like` always carries the member axis when the seed does; its next axis are rows, the rest are elements. A place
    may be drawn from once; two draws in one hook are told apart by `at(name)`.

    >>> r = Draws(torch.tensor(7), torch.tensor(0), "doctest")
    >>> r.at("mask").bernoulli(0.5, torch.zeros(2, 3)).shape
    torch.Size([2, 3])
    """

    def __init__(self, seed: Tensor, step: Tensor, path: str) -> None:
        self._seed, self._step, self._path = seed, step, path
        self._used = False

    def at(self, name: str) -> "Draws":
        """The draws of a named place below this one."""
        return Draws(self._seed, self._step, f"{self._path}/{name}")

    def uniform(self, like: Tensor) -> Tensor:
        """Uniform on [0, 1) in steps of 2⁻²⁴, in the shape and type of `like`."""
        return self._shaped(_upper(self._words(like, per_block=4), 24).to(torch.float32) * 2.0**-24, like).to(
            like.dtype
        )

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal in the shape and type of `like`, by Box & Muller (1958) in pairs that lie inside a block."""
        words = [word.to(torch.float32) for word in _upper(self._words(like, per_block=4), 24).unbind(-2)]
        pairs = []
        for a, b in (words[:2], words[2:]):
            radius = ((a + 1) * 2.0**-24).log().mul(-2.0).sqrt()
            angle = b * (2.0**-24 * 2 * math.pi)
            pairs += [radius * angle.cos(), radius * angle.sin()]
        return self._shaped(torch.stack(pairs, -2), like).to(like.dtype)

    def bernoulli(self, p: float | Tensor, like: Tensor) -> Tensor:
        """True with probability `p` (one per member), for each element of `like`; 16 random bits an element."""
        threshold = torch.round(torch.as_tensor(p, dtype=torch.float64, device=like.device) * 65536).to(torch.int32)
        if self._compiled(like) and not self._by_feature(like):
            self._once()
            rows, size = self._sizes(like)
            site = site_hash(self._path)
            return compiled_bernoulli(self._seed, self._step, site, threshold, rows, size).view(like.shape)
        threshold = threshold.reshape(threshold.shape[: self._seed.ndim] + (1, 1, 1))
        words = self._words(like, per_block=8)
        halves = torch.stack([words & 0xFFFF, _upper(words, 16)], -2).flatten(-3, -2)
        # The sign of the difference, by way of bytes: torch compares into truth values several times slower.
        return self._shaped(_upper(halves.sub_(threshold), 1).to(torch.uint8).view(torch.bool), like)

    def gamma(self, shape: float | Tensor, like: Tensor) -> Tensor:
        """Logarithm of a Gamma(`shape`, 1) draw for each row of `like` (only its member and row axes count).

        Marsaglia & Tsang (2000) with a fixed number of tries (each accepted with p > 0.95), boosted by U^(1/a) so
        that shapes below 1 are right too.
        """
        rows = like.reshape(like.shape[: self._seed.ndim + 1] + (-1,))[..., :1].to(torch.float32)
        tries = rows.expand(*rows.shape[:-1], _BETA_TRIES)
        a = lead(shape, tries).clamp_min(1e-4)
        d = a + 1 - 1 / 3
        z = self.at("normal").normal(tries)
        v = (1 + z / (9 * d).sqrt()) ** 3
        u = 1 - self.at("accept").uniform(tries)
        accepted = (v > 0) & (u.log() < 0.5 * z * z + d - d * v + d * v.clamp_min(1e-30).log())
        first = accepted.to(torch.int8).argmax(-1, keepdim=True)
        log_gamma = (d * v.clamp_min(1e-30)).log().gather(-1, first)
        boost = (1 - self.at("boost").uniform(rows)).log() / a[..., :1]
        return (log_gamma + boost).squeeze(-1)

    def beta(self, shape: float | Tensor, like: Tensor) -> Tensor:
        """A Beta(`shape`, `shape`) draw for each row of `like`; shapes (M, B) or (B,)."""
        difference = self.at("b").gamma(shape, like) - self.at("a").gamma(shape, like)
        return 1 / (1 + difference.exp())

    def permutation(self, n: int, valid: Tensor | None = None) -> Tensor:
        """A random order of 0 … n − 1, shape (M, n) or (n,).

        With `valid` (per member, at most n) only the first `valid` entries are meant, and they are the same as those
        of `permutation(valid)`.
        """
        like = torch.empty((*self._seed.shape, 1, n), device=self._seed.device)
        keys = self._shaped(self._words(like, per_block=4), like).squeeze(-2).to(torch.int64) & _MASK
        if valid is not None:
            keys = torch.where(torch.arange(n, device=keys.device) < lead(valid, keys), keys, _MASK + 1)
        return torch.argsort(keys, dim=-1, stable=True)

    def _words(self, like: Tensor, per_block: int) -> Tensor:
        """One Philox block for every `per_block` elements of a row: 32-bit words (M?, blocks, 4, rows)."""
        self._once()
        rows, size = self._sizes(like)
        fill = compiled_words if self._compiled(like) else torch_words
        return fill(self._seed, self._step, site_hash(self._path), rows, -(-size // per_block))

    def _once(self) -> None:
        if self._used:
            raise ContractError(f"two draws at {self._path!r} would be the same numbers; name them with r.at(…).")
        self._used = True

    def _compiled(self, like: Tensor) -> bool:
        ordinary = like.device.type == "cpu" and not is_functorch_wrapped_tensor(self._seed)
        return ordinary and opened() is not None

    def _sizes(self, like: Tensor) -> tuple[int, int]:
        """Rows of a member, and elements of a row."""
        stacked = self._seed.ndim
        return like.shape[stacked], math.prod(like.shape[stacked + 1 :])

    def _by_feature(self, like: Tensor) -> bool:
        return like.ndim == self._seed.ndim + 2 and like.mT.is_contiguous()

    def _shaped(self, blocks: Tensor, like: Tensor) -> Tensor:
        """(M?, blocks, per_block, rows) in the shape of `like`; what a width does not need is dropped.

        A `like` whose rows lie next to each other in memory, as the built-in network's do, is met without a copy.
        """
        values = blocks.flatten(-3, -2)[..., : self._sizes(like)[1], :].mT
        return values if self._by_feature(like) else values.reshape(like.shape).contiguous()


def _upper(words: Tensor, bits: int) -> Tensor:
    # Without a sign: torch shifts the sign in.
    return (words >> (32 - bits)).bitwise_and_((1 << bits) - 1)
