"""Picks and opens the native engine's library: the best variant that was built and that this processor can run."""

import ctypes
import dataclasses
import functools
import os
from pathlib import Path

from tauten.errors import OptionError
from tauten.native.build import HERE, VARIANTS, path, variants

ABI = 3
"""The version of the C interface that this package speaks; `tauten_abi()` must answer the same."""
CHOICES = ("auto", "off", *reversed(VARIANTS))


@dataclasses.dataclass(frozen=True)
class Opened:
    """A library and its variant, or why there is none."""

    library: ctypes.CDLL | None
    variant: str = ""
    missing: str = ""

    def __str__(self) -> str:
        if self.library is None:
            return f"no native engine: {self.missing}; networks train on the stacked engine, several times slower"
        return f"native ({self.variant.replace('avx512bf16', 'avx512, bf16')})"


def library() -> ctypes.CDLL | None:
    """The native engine's library, or None; `TAUTEN_NATIVE` (auto, off, or a variant) is read at the first call."""
    return _opened().library


def describe() -> str:
    """The engine as a person reads it: `native (avx512, bf16)`, or one line that says why there is none."""
    return str(_opened())


@functools.cache
def _opened() -> Opened:
    return choose(os.environ.get("TAUTEN_NATIVE", "") or "auto", cpu_features())


def choose(wanted: str, features: frozenset[str], folder: Path = HERE) -> Opened:
    """The library in `folder` that `wanted` names; for `auto` the best that a processor with these features runs."""
    if wanted not in CHOICES:
        raise OptionError(f"TAUTEN_NATIVE is {wanted!r}; it must be one of {', '.join(CHOICES)}.")
    if wanted == "off":
        return Opened(None, missing="TAUTEN_NATIVE is off")
    if wanted != "auto":
        if lacking := sorted(set(VARIANTS[wanted]) - features):
            raise OptionError(
                f"TAUTEN_NATIVE is {wanted!r}, but this processor has no {', '.join(lacking)}; take auto."
            )
        found = _open(wanted, folder)
        if found.library is None:
            raise OptionError(f"TAUTEN_NATIVE is {wanted!r}, but {found.missing}.")
        return found
    for variant in variants():  # the last needs no features, so that there is always an answer
        if features.issuperset(VARIANTS[variant]):
            found = _open(variant, folder)
            if found.library is not None:
                break
    return found


def _open(variant: str, folder: Path) -> Opened:
    file = path(variant, folder)
    cure = "cured by `python -m tauten.native.build`"
    if not file.exists():
        return Opened(None, missing=f"{file.name} was not built (no C++ compiler at install?), {cure}")
    try:
        opened = ctypes.CDLL(str(file))
        abi = int(opened.tauten_abi())
    except (OSError, AttributeError) as error:
        return Opened(None, missing=f"{file.name} can't be opened ({error}), {cure}")
    if abi != ABI:
        return Opened(None, missing=f"{file.name} has interface {abi} where {ABI} is wanted, {cure}")
    return Opened(opened, variant)


def cpu_features(root: Path = Path("/")) -> frozenset[str]:
    """The processor's features that the operating system lets a process use; none where Linux's list can't be read."""
    try:
        lines = (root / "proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line for line in lines if line.startswith("flags")), "").partition(":")[2].split())
