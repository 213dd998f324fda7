"""Building the library's variants, and choosing among them, on a small source of the test's own."""

import os
import subprocess
import sys

import pytest

from tauten.errors import OptionError
from tauten.native.build import VARIANTS, build, compiler, path, understands, variants
from tauten.native.library import ABI, choose, cpu_features

needs_compiler = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler")
needs_x86 = pytest.mark.skipif(len(variants()) == 1, reason="this processor has one variant only")
EVERYTHING = frozenset(feature for features in VARIANTS.values() for feature in features)
SOURCE = """
#include "abi.h"
#define EXPORT extern "C" __attribute__((visibility("default")))
EXPORT long tauten_abi() { return VERSION; }
EXPORT long tauten_answer() { return 41; }
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tauten.cpp").write_text(SOURCE)
    (tmp_path / "abi.h").write_text(f"#define VERSION {ABI}\n")
    return tmp_path


@pytest.fixture
def built(folder):
    lines = []
    assert build(lines.append, folder), lines
    return folder


def runs(variant, folder):
    """Whether a variant was built, and this processor can run it."""
    return path(variant, folder).exists() and cpu_features().issuperset(VARIANTS[variant])


@needs_compiler
def test_a_library_is_made_anew_only_when_a_source_changes(folder):
    said = []
    assert build(said.append, folder)
    able = [v for v in variants() if path(v, folder).exists()]
    assert "generic" in able
    assert {f"tauten-{v}.so: built" for v in able} <= set(said)
    dates = [path(v, folder).stat().st_mtime_ns for v in able]
    said.clear()
    assert build(said.append, folder)
    assert not [line for line in said if line.endswith("built")]
    assert [path(v, folder).stat().st_mtime_ns for v in able] == dates
    (folder / "tauten.cpp").write_text(SOURCE.replace("41", "42"))
    assert build(said.append, folder)
    assert choose("generic", frozenset(), folder).library.tauten_answer() == 42
    said.clear()
    (folder / "abi.h").write_text(f"#define VERSION ({ABI})\n")
    assert build(said.append, folder)
    assert [line for line in said if line.endswith("built")]


@needs_compiler
def test_a_library_with_another_interface_is_as_good_as_none(folder):
    (folder / "abi.h").write_text("#define VERSION 1234\n")
    assert build(str, folder)
    found = choose("auto", cpu_features(), folder)
    assert found.library is None
    assert f"has interface 1234 where {ABI} is wanted" in str(found)


@needs_compiler
def test_a_source_with_a_fault_is_told_and_leaves_no_old_library(built):
    (built / "tauten.cpp").write_text("int unfinished(")
    said = []
    assert not build(said.append, built)
    assert all("error" in line for line in said if "left out" not in line)
    assert not list((built / "lib").glob("*.so"))


def test_without_a_compiler_one_line_tells_it(folder, monkeypatch):
    monkeypatch.setenv("CXX", "/nonexistent")
    said = []
    assert build(said.append, folder)
    assert len(said) == 1
    assert "slower stacked engine" in said[0]
    none = choose("auto", cpu_features(), folder)
    assert none.library is None
    assert str(none) == (
        "no native engine: tauten-generic.so was not built (no C++ compiler at install?), cured by "
        "`python -m tauten.native.build`; networks train on the stacked engine, several times slower"
    )


def test_the_compiler_is_the_one_that_is_named(monkeypatch):
    monkeypatch.setenv("CXX", f"{sys.executable} -E")
    assert compiler() == [sys.executable, "-E"]
    assert not understands([sys.executable, "--no-such-flag"])


@needs_compiler
def test_the_best_variant_that_the_processor_runs_is_taken(built):
    assert choose("auto", frozenset(), built).variant == "generic"
    for variant in variants():
        if runs(variant, built):
            assert choose("auto", frozenset(VARIANTS[variant]), built).variant == variant
            assert choose(variant, cpu_features(), built).variant == variant


@needs_compiler
@needs_x86
def test_a_variant_needs_all_of_its_features(built):
    for feature in VARIANTS["avx2"]:
        assert choose("auto", frozenset(VARIANTS["avx2"]) - {feature}, built).variant == "generic"


@needs_compiler
def test_a_missing_or_broken_best_library_gives_way_to_the_next(built):
    for variant in variants()[:-1]:
        path(variant, built).write_bytes(b"no library")
    assert choose("auto", EVERYTHING, built).variant == "generic"
    path("generic", built).unlink()
    assert choose("auto", EVERYTHING, built).library is None


@needs_compiler
@needs_x86
def test_names(built):
    bf16 = choose("auto", EVERYTHING, built) if runs("avx512bf16", built) else None
    assert bf16 is None or str(bf16) == "native (avx512, bf16)"
    assert str(choose("generic", frozenset(), built)) == "native (generic)"
    off = choose("off", EVERYTHING, built)
    assert off.library is None
    assert str(off).startswith("no native engine: TAUTEN_NATIVE is off; networks train on the stacked engine")


def test_what_can_t_be_had_is_refused(folder):
    with pytest.raises(OptionError, match=r"^TAUTEN_NATIVE is 'fast'; it must be one of auto, off, generic, avx2, "):
        choose("fast", EVERYTHING, folder)
    with pytest.raises(OptionError, match=r"^TAUTEN_NATIVE is 'avx2', but this processor has no fma; take auto\.$"):
        choose("avx2", EVERYTHING - {"fma"}, folder)
    with pytest.raises(OptionError, match=r"^TAUTEN_NATIVE is 'generic', but tauten-generic\.so was not built"):
        choose("generic", EVERYTHING, folder)


def test_features_are_those_of_linux(tmp_path):
    assert cpu_features(tmp_path) == frozenset()
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_text(
        "processor\t: 0\nflags\t\t: fpu avx2 avx512_bf16\nbugs\t\t: spectre_v1\n"
    )
    assert cpu_features(tmp_path) == {"fpu", "avx2", "avx512_bf16"}


@needs_compiler
def test_this_checkout_s_own_library_has_the_lanes_of_its_variant():
    """Fails where the sources were changed and not built: `make native`."""
    lanes = {"generic": 4, "avx2": 8, "avx512": 16, "avx512bf16": 16}
    able = [v for v in variants() if cpu_features().issuperset(VARIANTS[v]) and path(v).exists()]
    assert "generic" in able
    assert {v: choose(v, cpu_features()).library.tauten_lanes() for v in able} == {v: lanes[v] for v in able}
    assert choose("auto", cpu_features()).variant == able[0]


def command(choice, *words):
    own = {**os.environ, "TAUTEN_NATIVE": choice}
    code = "from tauten.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code, *words], env=own, capture_output=True, text=True, check=False)


def test_a_person_reads_why_it_is_slow_and_what_was_wrong():
    slow = command("off", "train", "nowhere.csv", "--recipe", "plain")
    assert slow.stderr.startswith("note: no native engine: TAUTEN_NATIVE is off; networks train on the stacked engine")
    refused = command("fast", "train", "nowhere.csv", "--recipe", "plain")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: TAUTEN_NATIVE is 'fast'; it must be one of auto, off, generic")


def test_nothing_is_opened_before_it_is_asked_for():
    code = "import tauten.native.library as l, sys; print(l._opened.cache_info().currsize, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0 False\n"
