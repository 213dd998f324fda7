"""The parts of a benchmark: raw figures as JSON, each with date, commit, machine and versions.

A part is one file, `figures/NAME/PART.json`, and is written when it is finished: a benchmark that was cut off goes on
with the parts that are missing.
"""

import argparse
import datetime
import importlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tauten.cores import free_cores

HERE = Path(__file__).parent
FIGURES = HERE / "figures"
PACKAGES = ("tauten", "torch", "numpy")
FLAGS = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")
"""Instruction sets that decide what an engine can reach."""


def cores() -> int:
    """Physical cores that this process may use, as `--threads auto` counts them."""
    return free_cores()


def stamp(packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """When, from which commit, on what machine and with which versions; packages not installed are left out.

    The commit says so where the library's source was changed after it.
    """
    return {
        "date": datetime.date.today().isoformat(),
        "commit": _git("rev-parse", "--short", "HEAD") + (" + changes" if _git("status", "--short", ":/src") else ""),
        "machine": machine(),
        "versions": {"python": platform.python_version(), **_versions(packages)},
    }


def machine() -> dict[str, Any]:
    """CPU model, physical cores that may be used, and those of `FLAGS` that it has."""
    try:
        told = Path("/proc/cpuinfo").read_text()
    except OSError:
        told = ""
    model = re.search(r"^model name\s*: (.*)$", told, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*: (.*)$", told, re.MULTILINE)
    return {
        "cpu": model[1].strip() if model else platform.machine(),
        "cores": cores(),
        "flags": [flag for flag in FLAGS if flags and flag in flags[1].split()],
    }


def command(about: str | None, run: Callable[[str, bool], None], section: Callable[[], str], only: str) -> None:
    """The command line of a benchmark in parts: `run`, perhaps only some or all again, or its text by `table`."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--only", default="", help=f"{only}, comma-separated")
    parser.add_argument("--again", action="store_true", help="also those whose figures exist")
    given = parser.parse_args()
    if given.what == "run":
        run(given.only, given.again)
    else:
        print(section())


def parser(about: str | None, name: str, budget: float, data: str = "tables") -> argparse.ArgumentParser:
    """The command line of a benchmark of searches, in which `run` gives each `part` a process of its own."""
    words = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("what", choices=["run", "part", "table"])
    words.add_argument(f"--{data}", type=Path, default=Path(data), help=f"the folder of the {data}")
    words.add_argument("--budget", type=float, default=budget, help="seconds of a search")
    words.add_argument("--only", default="", help="parts whose name holds one of these words, comma-separated")
    words.add_argument("--into", default=name, help="the folder of the figures; another one for tries")
    words.add_argument("--part", help="the one that `part` runs")
    return words


Step = Callable[[argparse.Namespace], None]


def obey(given: argparse.Namespace, run: Step, part: Step, figures: str) -> None:
    """Do what was asked for; `section` of the module `figures` is the table."""
    if given.what == "run":
        run(given)
    elif given.what == "part":
        part(given)
    else:
        print(importlib.import_module(figures).section(given.into), end="")


def apart(script: str, part: str, given: argparse.Namespace, env: Mapping[str, str] | None = None) -> None:
    """Run one part in a process of its own, with what else was given to `run`, and tell how long it took."""
    passed = {name: value for name, value in vars(given).items() if name not in ("what", "only", "part")}
    words = ["part", "--part", part, *(word for name, value in passed.items() for word in (f"--{name}", str(value)))]
    began = time.monotonic()
    code = subprocess.run([sys.executable, script, *words], check=False, env={**os.environ, **(env or {})}).returncode
    print(f"{part}: {time.monotonic() - began:.0f} s" + (f", ended with code {code}" if code else ""), flush=True)


def save(name: str, part: str, figures: Mapping[str, Any], packages: Sequence[str] = PACKAGES) -> None:
    """Write one part of a benchmark, stamped under `made`; an older one is replaced as a whole."""
    target = FIGURES / name / f"{part}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".draft")
    draft.write_text(json.dumps({"made": stamp(packages), **figures}, indent=1) + "\n")
    draft.replace(target)


def load(name: str) -> dict[str, dict[str, Any]]:
    """Every part of a benchmark that there is, by its name, in the order of the names."""
    return {path.stem: json.loads(path.read_text()) for path in sorted((FIGURES / name).glob("*.json"))}


def missing(name: str, parts: Sequence[str], only: str = "", again: bool = False) -> list[str]:
    """The parts still to be run: those whose name holds one of `only` (comma-separated), unless their file exists."""
    asked = [part for part in parts if not only or any(word in part for word in only.split(","))]
    return asked if again else [part for part in asked if not (FIGURES / name / f"{part}.json").exists()]


def sentence(parts: Sequence[Mapping[str, Any]]) -> str:
    """Where the figures of these parts come from: machine, versions, dates and commits, each named once."""
    made = [part["made"] for part in parts]
    machines = {f"{m['cpu']}, {m['cores']} cores, {' '.join(m['flags'])}": None for m in (s["machine"] for s in made)}
    versions = {", ".join(f"{k} {v}" for k, v in s["versions"].items()): None for s in made}
    when = {f"{s['date']}, commit {s['commit']}": None for s in made}
    return "; ".join(" and ".join(words) for words in (machines, versions, when))


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _git(*words: str) -> str:
    return subprocess.run(["git", "-C", HERE, *words], capture_output=True, text=True).stdout.strip()
