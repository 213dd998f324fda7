"""The native sources, compiled into `check.cpp`, run clean under the address, undefined and thread sanitizers."""

import subprocess
from pathlib import Path

import pytest

from tauten.native.build import VARIANTS, compiler, machine_flags, understands, variants
from tauten.native.library import cpu_features

CHECK = Path(__file__).with_name("check.cpp")
FLAGS = ["-std=c++17", "-O1", "-g", "-ffp-contract=off", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]
# One fault for each sanitizer, and what it says of it.
FAULTS = {
    "address": ("int main(int n, char**) { int* p = new int[4]; delete[] p; return p[n]; }", "use-after-free"),
    "undefined": ("int main(int n, char**) { int sum = 2147483647 + n; return sum == 5; }", "integer overflow"),
    "thread": (
        "#include <thread>\nint n;\nvoid f() { for (int i = 0; i < 1000; i++) n++; }\n"
        "int main() { std::thread a(f), b(f); a.join(); b.join(); }",
        "data race",
    ),
}


def best():
    """The best variant that both the compiler and this processor know."""
    able = [v for v in variants() if cpu_features().issuperset(VARIANTS[v])]
    return next(v for v in able if understands([*compiler(), *machine_flags(v)]))


def compiled(source, program, sanitizer, variant):
    """None, or why the compiler makes no such program."""
    command = [*compiler(), *FLAGS, f"-fsanitize={sanitizer}", "-pthread", *machine_flags(variant)]
    done = subprocess.run([*command, str(source), "-o", str(program)], capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else None


def lacking(sanitizer, folder):
    """None where a sanitizer finds its fault, or what happens instead."""
    fault, name = FAULTS[sanitizer]
    (folder / "fault.cpp").write_text(fault)
    if error := compiled(folder / "fault.cpp", folder / "fault", sanitizer, "generic"):
        return error
    said = subprocess.run([folder / "fault"], capture_output=True, text=True, check=False).stderr
    return None if name in said else f"it does not see a fault: {said}"


@pytest.mark.slow
@pytest.mark.parametrize("choice", ["generic", "best"])
@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_checks_run_clean(tmp_path, sanitizers, choice):
    if compiler() is None:
        pytest.skip("there is no C++ compiler, so the native sources are not checked by sanitizers")
    for name in sanitizers.split(","):
        if reason := lacking(name, tmp_path):
            pytest.skip(f"{compiler()[0]} has no working {name} sanitizer here, so nothing was checked: {reason}")
    variant = "generic" if choice == "generic" else best()
    assert not (error := compiled(CHECK, tmp_path / "check", sanitizers, variant)), error
    done = subprocess.run([tmp_path / "check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout == "all checks passed\n"
