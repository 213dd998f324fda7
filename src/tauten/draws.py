"""Randomness bound to its place: a draw is a pure function of (member seed, step, site, row, element).

Nothing is a shared stream, so a member draws the same numbers whoever its neighbours are, in whatever slot, and
after any interruption. The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers:
as easy as 1, 2, 3"), written in integer tensor operations, so that it also runs under `vmap` and on any device.
"""

import hashlib
import math

import torch
from torch import Tensor

from tauten.errors import ContractError
from tauten.tensors import lead

_MASK = 0xFFFFFFFF
_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85
_ROUNDS = 10
_BETA_TRIES = 12
Words = tuple[Tensor, Tensor, Tensor, Tensor]


def philox(counter: Words, key: tuple[Tensor, Tensor]) -> Words:
    """Four 32-bit words for each counter, as int64 tensors; the parts of counter and key broadcast.

    Checked against the known-answer vectors of Random123.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        # Only the words that are multiplied next need their upper halves cleared.
        c0, c1, c2, c3 = ((p1 >> 32) ^ c1 ^ k0) & _MASK, p1, ((p0 >> 32) ^ c3 ^ k1) & _MASK, p0
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return c0, c1 & _MASK, c2, c3 & _MASK


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
        words = torch.stack(self._words(like, per_block=4), -1)
        return self._shaped((words >> 8).to(torch.float32) * 2.0**-24, like).to(like.dtype)

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal in the shape and type of `like`, by Box & Muller (1958) in pairs that lie inside a block."""
        pairs = []
        words = self._words(like, per_block=4)
        for a, b in (words[:2], words[2:]):
            radius = (((a >> 8) + 1).to(torch.float32) * 2.0**-24).log().mul(-2.0).sqrt()
            angle = (b >> 8).to(torch.float32) * (2.0**-24 * 2 * math.pi)
            pairs += [radius * angle.cos(), radius * angle.sin()]
        return self._shaped(torch.stack(pairs, -1), like).to(like.dtype)

    def bernoulli(self, p: float | Tensor, like: Tensor) -> Tensor:
        """True with probability `p` (one per member), for each element of `like`; 16 random bits an element."""
        threshold = lead(torch.round(torch.as_tensor(p, dtype=torch.float64, device=like.device) * 65536).long(), like)
        threshold = threshold.reshape(threshold.shape[: self._seed.ndim] + (1, 1))
        halves = [half < threshold for word in self._words(like, per_block=8) for half in (word & 0xFFFF, word >> 16)]
        return self._shaped(torch.stack(halves, -1), like)

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
        words = torch.stack(self._words(like, per_block=4), -1)
        keys = self._shaped(words, like).squeeze(-2)
        if valid is not None:
            keys = torch.where(torch.arange(n, device=keys.device) < lead(valid, keys), keys, _MASK + 1)
        return torch.argsort(keys, dim=-1, stable=True)

    def _words(self, like: Tensor, per_block: int) -> Words:
        """One Philox block for every `per_block` elements of a row: tensors of shape (M?, rows, blocks)."""
        if self._used:
            raise ContractError(f"two draws at {self._path!r} would be the same numbers; name them with r.at(…).")
        self._used = True
        stacked = self._seed.ndim
        rows = like.shape[stacked]
        blocks = -(-math.prod(like.shape[stacked + 1 :]) // per_block)
        device = like.device
        expand = self._seed.shape + (1, 1)
        seed, step = self._seed.reshape(expand), self._step.reshape(expand)
        counter = (
            torch.arange(blocks, device=device),
            torch.arange(rows, device=device).unsqueeze(-1),
            step & _MASK,
            torch.tensor(site_hash(self._path), device=device),
        )
        return philox(counter, (seed & _MASK, (seed >> 32) & _MASK))

    def _shaped(self, blocks: Tensor, like: Tensor) -> Tensor:
        """(M?, rows, blocks, per_block) cut to the shape of `like`; what a width does not need is dropped."""
        flat = blocks.flatten(-2)
        size = math.prod(like.shape[self._seed.ndim + 1 :])
        return flat[..., :size].reshape(like.shape)
