"""Imports go downwards, no core file names a technique, heavy parts load only where needed, files stay short.

Everything is read from the source with `ast`; imports inside functions count too.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tauten
from tauten.technique import techniques

ROOT = Path(tauten.__file__).parent
# From the ground upwards: a module imports from lines above its own, and from its own line. A name stands for all
# modules below it; what is not written yet is no error.
LAYERS = """
errors
reference
native
declare tensors
draws hooks
text
imaging mixing arranging
technique
wording
techniques setting partners
recipe
strata conformal
bundles timeline
data split
member metrics influence own callables
optim
nets
cores
engines
builder population
race space tpe sampler lane journal unrecorded speed
evidence
options
sources supplies networks
folds model trial
cells shift
replay
racing finals budget
heldout costs
augmented
traits flips
usual reserve ladder
contest found
searching
translating
nested
plots report
result measure predict
show info
api
experiments biasvariance explaining inspecting preview textsheet
cli attach estimators lightning huggingface ray testing
"""
LEVELS = {word: i for i, line in enumerate(LAYERS.strip().splitlines()) for word in line.split()}
DOORS = LEVELS["cli"]
# Imports upwards, inside a function: the public shortcuts, and the search for the files of the techniques.
SHORTCUTS = {("recipe", "attach"), ("technique", "techniques")}
MAY_NAME = {
    "usual": {"weight_decay", "dropout", "early_stopping"},  # *usual* is defined by these
    "nets.graft": {"batch_norm"},  # torch has a layer of its own for it
}
HEAVY = ("optuna", "matplotlib", "sklearn", "pandas", "typer", "rich", "jinja2", "torch")
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}
OWN = sorted(FILES.keys() - {"__init__"})


def imports(name):
    """(module, whether it is imported when the file is loaded), for every import of a file."""
    deferred = {
        id(inner)
        for outer in ast.walk(TREES[name])
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(outer)
    }
    found = []
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) not in deferred) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import; write it out"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                module = whole if whole.removeprefix("tauten.") in FILES else str(node.module)
                found.append((module, id(node) not in deferred))
    return found


def own_imports(name):
    """Tauten's modules that a file imports, without the package's name, in and outside of functions."""
    return {module.removeprefix("tauten.") for module, _ in imports(name) if module.startswith("tauten.")}


def test_the_reader_of_imports_sees_them():
    assert {"declare", "draws", "errors", "tensors", "techniques"} <= own_imports("technique")
    assert ("torch", True) in imports("technique")
    assert ("tauten.attach", False) in imports("recipe")


@pytest.mark.parametrize("name", OWN)
def test_imports_go_downwards(name):
    head = name.split(".")[0]
    assert head in LEVELS, f"{name} has no place yet: write it into LAYERS of this test"
    for module in own_imports(name):
        target = module.split(".")[0]
        assert target in LEVELS, f"{name} imports tauten.{module}, which has no place in LAYERS"
        if target != head and (head, target) not in SHORTCUTS:
            assert LEVELS[target] <= LEVELS[head], f"{name} imports tauten.{module}, which stands above it"
            assert LEVELS[target] < DOORS, f"{name} imports the door tauten.{module}"


def test_no_imports_go_round():
    walked = set()

    def walk(name, path):
        assert name not in path, " → ".join([*path, name])
        if name in walked:
            return
        walked.add(name)
        for module in own_imports(name) & FILES.keys():
            if (name, module) not in SHORTCUTS and module != name and not name.startswith(module):
                walk(module, [*path, name])

    for name in OWN:
        if LEVELS.get(name.split(".")[0], DOORS) <= LEVELS["evidence"]:
            walk(name, [])


def test_techniques_know_the_contract_and_not_each_other():
    for name in OWN:
        if name.startswith("techniques."):
            below = {"technique", "imaging", "mixing", "arranging", "wording", "tensors", "draws", "declare", "errors"}
            assert own_imports(name) <= below, name


def test_evidence_knows_only_numbers():
    allowed = sys.stdlib_module_names | {"numpy", "scipy"}
    for name in OWN:
        if name.split(".")[0] == "evidence":
            for module, _ in imports(name):
                inside = module == "tauten.errors" or module.startswith("tauten.evidence")
                assert inside or module.split(".")[0] in allowed, f"{name} imports {module}"


def test_nobody_needs_optuna_and_the_race_no_torch():
    for name in OWN:
        roots = {module.split(".")[0] for module, _ in imports(name)}
        assert "optuna" not in roots, f"{name} imports optuna, which only tests and benchmarks install"
    assert "torch" not in {module.split(".")[0] for module, _ in imports("race")}


def strings(tree):
    """String constants that are no docstrings."""
    documentation = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
    ]


def test_no_core_file_names_a_technique():
    """As an import, or as a string by which it could be found; a sentence may give one as its example."""
    names = set(techniques())
    assert "dropout" in strings(TREES["techniques.dropout"]), "the test sees nothing"
    for name in OWN:
        if name.split(".")[0] in ("techniques", "experiments"):
            continue
        assert not {m for m in own_imports(name) if m.startswith("techniques.")}, f"{name} imports a technique"
        words = {w for s in strings(TREES[name]) for w in ({s} | set(re.split(r"[.\[]", s)) if " " not in s else set())}
        assert words & names <= MAY_NAME.get(name, set()), f"{name} names {words & names}"


@pytest.mark.parametrize("name", FILES)
def test_files_are_short(name):
    lines = len(FILES[name].read_text(encoding="utf-8").splitlines())
    assert lines <= (80 if name.startswith("techniques.") else 300), f"{name} has {lines} lines"


def test_nothing_runs_code_from_data():
    for name in OWN:
        assert not {m.split(".")[0] for m, _ in imports(name)} & {"pickle", "marshal", "shelve", "joblib"}, name
        called = {n.func.id for n in ast.walk(TREES[name]) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        assert not called & {"eval", "exec", "compile", "__import__"}, name


def test_import_is_silent_and_light():
    code = f"import sys, tauten; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n", "", 0)


def test_help_waits_for_no_library_of_numbers():
    heavy = {*HEAVY, "numpy", "scipy", "pyarrow"} - {"typer", "rich"}
    shown = "tauten.cli.app(['search', '--help'], standalone_mode=False)"
    code = f"import sys, tauten.cli; {shown}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--budget" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_training_and_race_load_no_heavy_parts():
    heavy = [m for m in HEAVY if m != "torch"]
    code = (
        f"import sys, tauten.population, tauten.race, tauten.journal; print([m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
