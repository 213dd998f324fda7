"""What the documents claim can be run: code compiles, commands exist, generated pages are up to date."""

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.main import get_command

import tauten
from tauten import cli
from tauten.show import markdown
from tauten.techniques.dropout import Dropout
from tauten.techniques.early_stopping import EarlyStopping
from tauten.techniques.ema import EMA

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = get_command(cli.app).commands


def blocks(page, language):
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [code for named, code in fenced if named == language]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_python_in_the_documents_compiles(page):
    for code in blocks(page, "python"):
        ast.parse(code)


def test_the_loop_of_the_readme_runs(tmp_path, monkeypatch):
    """A recipe with an average and a stop rule, attached as the README says."""
    recipe = tauten.Recipe((Dropout(), EMA(), EarlyStopping(patience=2)), tauten.Setting(epochs=3, batch_size=20))
    recipe.save(tmp_path / "recipe.toml")
    monkeypatch.chdir(tmp_path)
    rows, codes = torch.randn(100, 5, generator=torch.Generator().manual_seed(0)), torch.arange(100) % 10
    data = torch.utils.data.TensorDataset(rows, codes)

    def validation_loss(run):
        with run.delivered() as module, torch.no_grad():
            return float(nn.functional.cross_entropy(module(rows), codes))

    model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 10))
    before = model[0].weight.detach().clone()
    names = {"tauten": tauten, "model": model, "validation_loss": validation_loss}
    names["loader"] = torch.utils.data.DataLoader(data, batch_size=20)
    code = next(c for c in blocks(ROOT / "README.md", "python") if "attach" in c)
    exec(compile(code, "README.md", "exec"), names)
    assert not torch.equal(model[0].weight, before)
    assert not model.training


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_in_the_documents_exist_with_their_options(page):
    text = page.read_text(encoding="utf-8")
    lines = [line for block in blocks(page, "") for line in block.splitlines()] + re.findall(r"`(tauten [^`]*)`", text)
    lines += re.findall(r"^    (tauten .*)$", text, re.MULTILINE)
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[:1] != ["tauten"] or len(words) < 2:
            continue
        command = COMMANDS[words[1]]
        options = {o for p in command.params for o in p.opts}
        assert {w for w in words if w.startswith("--")} <= options, line


def test_the_notebook_is_valid_and_its_code_compiles():
    for path in (ROOT / "examples").glob("*.ipynb"):
        book = json.loads(path.read_text(encoding="utf-8"))
        assert book["nbformat"] == 4
        for cell in book["cells"]:
            if cell["cell_type"] == "code":
                ast.parse("".join(cell["source"]))


def test_files_named_in_the_documents_exist():
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} names {link}"


def test_the_catalogue_page_is_up_to_date():
    assert (ROOT / "docs" / "techniques.md").read_text(encoding="utf-8") == markdown(), (
        "run: tauten techniques --markdown > docs/techniques.md"
    )


def test_the_page_of_results_is_that_of_the_figures(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import datasets

    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert text == datasets.page(), "run: python benchmarks/datasets.py table"
    found = sorted((ROOT / "benchmarks" / "figures" / "datasets").glob("*.json"))
    assert len(found) == 7
    for path in found:
        figures = json.loads(path.read_text())
        assert figures["holdout_opened"] == 1
        for arm in ("plain", "usual", "chosen"):
            assert f"{figures[arm]['finals'][figures['metric']]['mean']:.4f}" in text


def test_the_page_of_performance_is_that_of_the_figures(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import performance

    assert (ROOT / "docs" / "performance.md").read_text(encoding="utf-8") == performance.page(), (
        "run: python benchmarks/performance.py"
    )


def test_the_page_of_experiments_is_that_of_the_figures(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import claims

    assert (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8") == claims.page(), (
        "run: python benchmarks/claims.py"
    )
    assert set(claims.ORDER) == set(claims.TELLERS)


def test_the_page_of_modules_is_what_the_commands_print(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import modules

    assert (ROOT / "docs" / "modules.md").read_text(encoding="utf-8") == modules.page(), (
        "run: python benchmarks/modules.py page"
    )


def test_the_loop_of_the_page_of_modules_runs_with_the_recipe_found(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import modules

    (found,) = modules.record.load(modules.NAME).values()
    with modules.folder() as place:
        recipe = tauten.Recipe.loads(found["recipe"])
        recipe.with_setting(epochs=20).save(place / "recipe.toml")
        done = subprocess.run(
            [sys.executable, modules.LOOP, "recipe.toml"], check=True, capture_output=True, text=True
        )  # fmt: skip
    told = re.fullmatch(r"(.*): ([0-9.]+) % of the test rows right\n", done.stdout)
    assert told[1] == (" + ".join(recipe.names) or "plain")
    # Chance is 10 %.
    assert 30 < float(told[2]) <= 100
