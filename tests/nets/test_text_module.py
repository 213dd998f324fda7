"""A network of one's own over texts: what it is given, and a transformer from inspection to prediction."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from text_transformer import build
from torch import nn

import tauten
from tauten.api import load_builder
from tauten.cli import app
from tauten.draws import Draws
from tauten.engines.single import Single
from tauten.engines.slots import Resident, SlotEngine
from tauten.engines.vmapped import Vmapped
from tauten.errors import ModelError, OptionError, RecipeError
from tauten.member import Group, Member
from tauten.model import Model
from tauten.nets.base import Pass
from tauten.nets.module import ModuleNet
from tauten.options import Options
from tauten.population import Builder
from tauten.recipe import Recipe
from tauten.techniques.adversarial_words import AdversarialWords
from tauten.techniques.dropout import Dropout
from tauten.techniques.word_dropout import WordDropout
from tauten.testing import distance, problem, small_setting

HERE, SEEN = Path(__file__).parent, []


class Recording(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(1, 3)

    def forward(self, *given):
        SEEN.append(given)
        return self.out(given[0].sum(1, keepdim=True).float())


def test_a_module_is_given_ids_of_words_and_the_other_columns():
    source = problem(30, 7, 3, "classification", data="text")
    net = ModuleNet(Recording, source.inputs[:2], layout=source.layout)
    w, buffers = net.init([0])
    draws = Draws(torch.tensor(0), torch.tensor(0), "test")
    net.forward({k: v[0] for k, v in w.items()}, buffers, source.inputs, Pass((), draws))
    ids, numbers = SEEN[-1]
    assert ids.dtype == torch.int64
    assert torch.equal(ids, source.inputs[:, 0].long())
    assert torch.equal(numbers, source.inputs[:, -1, :2])


def test_a_build_may_ask_for_the_layout_of_texts_and_of_nothing_else():
    source = problem(30, 7, 2, "classification", data="text")
    module = ModuleNet(build, source.inputs[:2], layout=source.layout).fresh_module()
    assert module.words.num_embeddings == source.layout.ids
    with pytest.raises(ModelError, match="build takes a layout, which texts have, and rows are no text; name a column"):
        ModuleNet(build, torch.zeros(2, 7))


def test_a_transformer_is_stacked_and_its_members_train_as_alone():
    source = problem(40, 9, 2, "classification", data="text")
    net = ModuleNet(build, source.inputs[:2], layout=source.layout)
    assert net.obstacle is None
    assert net.layers == 6
    setting = small_setting(8, 1, "sgd", learning_rate=0.02)
    members = [Member(i, Recipe((WordDropout(p=0.3), Dropout(p=0.2)), setting), 3 + i) for i in range(2)]
    found = []
    for lift in (Vmapped(), Single()):
        engine = SlotEngine(Group.of(members[0], source), net.fresh(), Resident([source]), lift, 3)
        engine.admit(members)
        engine.run(5)
        found.append((engine.extract(1).w, engine.evaluate({1: torch.arange(40)})[1]))
    assert distance(found[0][0], found[1][0]) < 2e-5
    torch.testing.assert_close(found[0][1], found[1][1], rtol=0, atol=2e-5)


def test_what_acts_inside_tautens_own_networks_is_not_offered():
    source = problem(30, 7, 2, "classification", data="text")
    builder = Builder(source, build)
    with pytest.raises(OptionError, match="technique 'sentence_mixup' can't be put into a module; leave it out"):
        Options(trials=3, techniques=("sentence_mixup",)).kinds("classification", False, builder.data)
    offered = {k.name for k in Options(trials=3).kinds("classification", False, "text")}
    assert {"word_dropout", "embedding_dropout", "dropout"} <= offered
    assert not offered & {"sentence_mixup", "adversarial_words", "batch_norm"}


def test_a_transformer_from_inspection_to_prediction(tmp_path, capsys):
    words = {"food": ("soup", "bread", "cheese", "salad"), "travel": ("train", "plane", "harbour", "road")}
    frames = ("the {} was there", "we took the {}", "never again this {} !", "a {} like no other")
    rows = [(f.format(w), i, kind) for kind, own in words.items() for w in own for i, f in enumerate(frames)]
    data = tmp_path / "notes.csv"
    pd.DataFrame(rows, columns=["note", "page", "kind"]).to_csv(data, index=False)
    net = f"{HERE / 'text_transformer.py'}:build"
    app(["inspect", net, str(data), "--text", "note", "--target", "kind", "--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert told["stacked"]
    assert told["layout"]["features"] == 1
    assert {p["name"]: p["shape"] for p in told["parameters"]}["words.weight"] == [told["layout"]["ids"], 16]
    assert told["techniques"]["sentence_mixup"] == "nowhere: only in Tauten's own networks of text"
    assert "rotation" not in told["techniques"]
    text = str(tauten.inspect(net, str(data), text="note", target="kind"))
    assert f"input {told['layout']['length']} ids below {told['layout']['ids']:,} and 1 number," in text
    asked = {"text": "note", "target": "kind", "setting": {"epochs": 2}, "folds": 2}
    measured = tauten.compare(str(data), model=net, recipes=["usual"], deliver=True, **asked)
    measured.models["usual"].save(tmp_path)
    model, frame = Model.load(tmp_path, build=load_builder(net)), pd.read_csv(data)
    probabilities = model.predict_proba(frame)
    assert np.isfinite(probabilities).all()
    module = model.module(frame)
    planes = torch.from_numpy(model.preprocessor.transform(frame))
    alone = module(planes[:, 0].long(), planes[:, -1, :1]).detach()
    np.testing.assert_allclose(torch.softmax(alone.double(), -1).numpy(), probabilities, rtol=0, atol=1e-5)


def test_attached_to_a_module_it_is_refused_before_training():
    words = r"adversarial_words acts inside the built-in networks of text and not on a module; take recipe\.without"
    with pytest.raises(RecipeError, match=words):
        Recipe((AdversarialWords(),)).attach(nn.Linear(4, 2), task="classification", classes=2)


def test_a_network_of_sentence_vectors_is_inspected(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nfrom torch import nn\n\n\n"
        "def encode(texts):\n"
        "    return np.array([[sum(t.encode()) % k for k in (5, 7, 11)] for t in texts], dtype=float)\n\n\n"
        "def build(outputs):\n    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, outputs))\n"
    )
    rows = [(f"{word} {i}", i % 7, kind) for i in range(10) for word, kind in (("a tea", "x"), ("bees", "y"))]
    data = tmp_path / "notes.csv"
    pd.DataFrame(rows, columns=["note", "page", "kind"]).to_csv(data, index=False)
    asked = ["--text", "note", "--target", "kind", "--embed", f"{tmp_path}/mine.py:encode"]
    app(["inspect", f"{tmp_path}/mine.py:build", str(data), *asked, "--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert told["input"] == [4], "three numbers of the vectors, and the page"
    assert told["outputs"] == 2
    assert told["layout"] is None
    assert "input_noise" in told["techniques"]
    assert "word_dropout" not in told["techniques"]


def test_a_build_may_ask_for_the_number_of_outputs():
    def net(outputs):
        return nn.Linear(3, outputs)

    assert ModuleNet(net, torch.zeros(2, 3), outputs=5).outputs == 5
    with pytest.raises(ModelError, match="build takes outputs, and their number is not known without data; give data"):
        tauten.inspect(net, shape=(3,))
