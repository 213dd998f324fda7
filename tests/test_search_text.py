"""A search over texts from end to end, as a newcomer would type it."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import tauten
from tauten.cli import app
from tauten.errors import DataError, OptionError, RecipeError
from tauten.model import Model
from tauten.options import Options
from tauten.predict import rows_of
from tauten.space import Space

KINDS = {
    "food": ("soup", "bread", "cheese", "salad", "fresh apple"),
    "travel": ("train", "plane", "old harbour", "road", "ticket"),
}
FRAMES = ("the {} was there", "we took the {}", "never again this {} !", "{} , what else ?", "a {} like no other")


@pytest.fixture
def file(tmp_path):
    rows = [
        {"text": frame.format(word), "long": len(frame) + i % 3, "label": kind}
        for kind, words in KINDS.items()
        for i, frame in enumerate(FRAMES)
        for word in words
    ]
    path = tmp_path / "notes.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_the_command_line_searches_texts_and_predicts_new_ones(file, tmp_path, capsys):
    run = tmp_path / "run"
    asked = ["--text", "text", "--target", "label", "--trials", "6", "--epochs", "20", "--lr", "0.03", "--width", "16"]
    app(["search", str(file), *asked, "--threads", "1", "--out", str(run)], standalone_mode=False)
    assert "--text text" in capsys.readouterr().out.replace("\n", " "), "the next command reads the data alike"
    found = json.loads((run / "result.json").read_text())
    assert found["reading"] == {"text": "text"}
    assert found["columns"] == 2
    assert "noise_loss" not in found["traits"]["measured"]
    assert (run / "report.html").is_file()
    new = tmp_path / "new.jsonl"
    new.write_text('{"text": "The soup, again?", "long": 17}\n{"text": "we took the plane", "long": 12}\n{"long": 3}\n')
    app(["predict", str(run), str(new), "-o", str(tmp_path / "p.csv")], standalone_mode=False)
    predicted = pd.read_csv(tmp_path / "p.csv")
    assert predicted["prediction"][:2].tolist() == ["food", "travel"]
    assert np.isfinite(predicted["probability_food"]).all()
    model = Model.load(run)
    both = model.predict_proba(pd.read_json(new, lines=True).iloc[:1])
    assert both[0, 0] == pytest.approx(predicted["probability_food"][0], abs=1e-7), "a text alone is the same"


def test_a_folder_of_texts_is_predicted_with_the_names_of_its_files(tmp_path):
    for kind, words in KINDS.items():
        (tmp_path / "notes" / kind).mkdir(parents=True)
        for i, word in enumerate(words * 2):
            (tmp_path / "notes" / kind / f"{i}.txt").write_text(FRAMES[i % len(FRAMES)].format(word))
    recipe, run = tmp_path / "plain.toml", tmp_path / "run"
    recipe.write_text("[setting]\nepochs = 15\nlearning_rate = 0.03\n")
    app(["train", str(tmp_path / "notes"), "--recipe", str(recipe), "--out", str(run)], standalone_mode=False)
    out = tmp_path / "p.csv"
    app(["predict", str(run), str(tmp_path / "notes"), "-o", str(out)], standalone_mode=False)
    predicted = pd.read_csv(out)
    assert predicted["file"].tolist() == sorted(f"{kind}/{i}.txt" for kind in KINDS for i in range(10))
    assert (predicted["prediction"] == predicted["file"].str.split("/").str[0]).mean() > 0.8
    one, table = tmp_path / "notes" / "food" / "3.txt", tmp_path / "new.parquet"
    pd.DataFrame({"text": [one.read_text()]}).to_parquet(table)
    alone = [tmp_path / f"{i}.csv" for i in range(2)]
    for source, own in zip((one, table), alone, strict=True):
        app(["predict", str(run), str(source), "-o", str(own)], standalone_mode=False)
    first, second = map(pd.read_csv, alone)
    assert first["file"].tolist() == ["3.txt"]
    assert "file" not in second
    pd.testing.assert_frame_equal(first.drop(columns="file"), second)
    assert first["probability_food"][0] == pytest.approx(predicted["probability_food"][3], abs=1e-6)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty' holds no \.txt files: expected a folder of them, or a table's file"):
        rows_of(Model.load(run), tmp_path / "empty")


def test_a_folder_of_texts_does_not_stand_for_other_columns(file, tmp_path):
    asked = {"target": "label", "text": "text", "setting": {"epochs": 1}, "folds": 2}
    model = tauten.compare(file, recipes=["plain"], deliver=True, **asked).models["plain"]
    with pytest.raises(DataError, match=r"holds texts alone, and training saw 'text', 'long': expected a"):
        rows_of(model, tmp_path)
    table = tauten.compare("wine", recipes=["plain"], deliver=True, folds=2, setting={"epochs": 1}).models["plain"]
    with pytest.raises(DataError, match="holds no table: expected a file with the columns that training saw"):
        rows_of(table, tmp_path)


def test_one_seed_gives_one_result_and_kims_network_is_a_choice(file):
    options = {
        "text": "text",
        "target": "label",
        "trials": 3,
        "setting": {"net": "kim", "epochs": 1, "width": 6, "depth": 1},
    }
    first, again = (tauten.search(file, **options, seed=5).evidence for _ in range(2))
    assert first["difference"] == again["difference"]
    assert first["setting"]["net"] == "kim"


def test_the_network_of_text_and_its_higher_rates_are_searched():
    options = Options(trials=3)
    setting = options.setting_for(500, "text")
    kinds = options.kinds("classification", True, "text")
    space = Space(setting, kinds, options.tuned((), words=True))
    rng = np.random.default_rng(0)
    drawn = [space.build(space.values(space.random(rng))) for _ in range(300)]
    swapped = {r.setting.net for r in drawn if r.get("random_swap")}
    assert {r.setting.net for r in drawn} == {"auto", "bag"}
    assert swapped == {"auto"}, "order means nothing to an average of words"
    assert max(r.setting.learning_rate for r in drawn) > setting.learning_rate > 0.01
    assert [s.net for s in space.neighbours()].count("bag") == 1
    for fixed in (Options(trials=3, setting={"net": "kim"}), Options(trials=3, grid={"dropout.p": (0.1,)})):
        assert "net" not in fixed.tuned((), words=True)
    assert "net" not in options.tuned(())


def test_a_network_of_ones_own_reads_ids_and_the_words_fall_out_for_it_too(file):
    def build():
        return Own()

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.vectors = nn.EmbeddingBag(3000, 8, mode="sum", padding_idx=0)
            self.out = nn.Sequential(nn.ReLU(), nn.Linear(8, 2))

        def forward(self, ids, numbers):
            return self.out(self.vectors(ids))

    kept = ["word_dropout", "weight_decay"]
    found = tauten.search(
        file, target="label", text="text", model=build, trials=4, techniques=kept, setting={"epochs": 2}
    )
    assert {name for t in found.evidence["race"] for name in t["techniques"]} >= set(kept)


def test_techniques_of_other_data_are_refused(file):
    with pytest.raises(OptionError, match=r"technique 'input_noise' is for tables and images and these are text"):
        tauten.search(file, target="label", text="text", trials=3, techniques="input_noise")
    with pytest.raises(RecipeError, match=r"setting\.net is 'mlp' and rows are text"):
        tauten.search(file, target="label", text="text", trials=3, setting={"net": "mlp"})


def test_recipes_are_compared_on_texts(file):
    measured = tauten.compare(
        file, target="label", text="text", recipes=["plain", "usual"], setting={"epochs": 3}, deliver=True
    )
    frame = pd.read_csv(file)
    assert set(measured.models["plain"].predict(frame)) <= {"food", "travel"}
    assert isinstance(measured.models["plain"].outputs(frame), torch.Tensor)
