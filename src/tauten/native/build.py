"""Builds the native engine's library beside its sources, once for each instruction set.

Run by the package's build (`hatch_build.py`, before Tauten can be imported, so this file imports nothing of it), by
`make native`, and by `python -m tauten.native.build` where a compiler came after the install.
"""

import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
AVX2 = ("avx2", "fma", "f16c", "bmi2")
AVX512 = (*AVX2, "avx512f", "avx512bw", "avx512dq", "avx512vl")
VARIANTS: dict[str, tuple[str, ...]] = {
    "avx512bf16": (*AVX512, "avx512_bf16"),
    "avx512": AVX512,
    "avx2": AVX2,
    "generic": (),
}
"""Best first: a variant's name, and the processor's features that it needs, as Linux spells them."""
# Bits must not depend on what a compiler may fuse or reorder: no -ffast-math, and a fused multiply-add only where the
# source asks for one.
FLAGS = ("-O3", "-std=c++17", "-fPIC", "-shared", "-fvisibility=hidden", "-ffp-contract=off")


def path(variant: str, folder: Path = HERE) -> Path:
    """Where a variant's library lies."""
    return folder / "lib" / f"tauten-{variant}.so"


def machine_flags(variant: str) -> list[str]:
    """The compiler's flags for a variant's instruction set."""
    flags = [f"-m{feature.replace('_', '')}" for feature in VARIANTS[variant]]
    return flags + (["-mprefer-vector-width=512"] if "avx512f" in VARIANTS[variant] else [])


def variants() -> list[str]:
    """The variants of this kind of processor; all but x86-64 have one, whose vectors the compiler chooses."""
    return list(VARIANTS) if platform.machine().lower() in ("x86_64", "amd64") else ["generic"]


def compiler() -> list[str] | None:
    """The C++ compiler's command: `CXX`, or the first that is found; None without one."""
    given = shlex.split(os.environ.get("CXX", ""))
    commands = [given] if given else [["c++"], ["g++"], ["clang++"]]
    return next((c for c in commands if shutil.which(c[0])), None)


def understands(command: list[str]) -> bool:
    """Whether the compiler takes these flags, tried on nothing."""
    tried = subprocess.run([*command, "-x", "c++", "-fsyntax-only", os.devnull], capture_output=True, check=False)
    return tried.returncode == 0


def digest(folder: Path = HERE) -> str:
    """What the sources hold, whatever their dates."""
    sources = sorted([*folder.glob("*.cpp"), *folder.glob("*.h")])
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in sources)).hexdigest()


def build(say: Callable[[str], object], folder: Path = HERE) -> bool:
    """Make every variant that is missing or out of date; False where the compiler refused the source.

    `say` hears a line for each library made or left out, and one line where there is no compiler.
    """
    cxx = compiler()
    if cxx is None:
        say(
            "no C++ compiler was found: Tauten works, but its built-in networks will be trained by the slower stacked "
            "engine; install g++ or clang++, then run `python -m tauten.native.build`."
        )
        return True
    (folder / "lib").mkdir(exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = list(pool.map(lambda v: _variant(cxx, v, folder), variants()))
    for line, _ in made:
        if line:
            say(line)
    return all(good for _, good in made)


def _variant(cxx: list[str], variant: str, folder: Path) -> tuple[str, bool]:
    """Make one library; a line on what happened, empty if it was up to date, and whether all is well."""
    target, stamp = path(variant, folder), path(variant, folder).with_suffix(".json")
    command = [*cxx, *FLAGS, *machine_flags(variant)]
    if not understands(command):
        target.unlink(missing_ok=True)
        return f"{target.name}: left out, {cxx[0]} does not know this instruction set", True
    version = subprocess.run([*cxx, "--version"], capture_output=True, text=True, check=False).stdout
    recipe = json.dumps([command, version, digest(folder)])
    if target.exists() and stamp.exists() and stamp.read_text() == recipe:
        return "", True
    # Renamed into place: a process that has the old library open keeps it whole.
    fresh = target.with_suffix(f".{os.getpid()}")
    whole = [*command, str(folder / "tauten.cpp"), "-o", str(fresh)]
    done = subprocess.run(whole, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        target.unlink(missing_ok=True)
        fresh.unlink(missing_ok=True)
        return f"{target.name}: {shlex.join(whole)} failed\n{done.stderr}", False
    fresh.replace(target)
    stamp.write_text(recipe)
    return f"{target.name}: built", True


if __name__ == "__main__":
    sys.exit(not build(lambda line: sys.stderr.write(line + "\n")))
