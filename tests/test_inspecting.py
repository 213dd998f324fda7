import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from torch import nn

import tauten
from tauten.errors import DataError, ModelError, OptionError
from tauten.technique import techniques
from tauten.techniques.dropout import Dropout

sys.path.insert(0, str(Path(__file__).parent / "nets"))
from reference import SINGLE, STACKED, Reassigning, Recurrent, Tied, ViT, frozen_backbone, mlp, spectral

BOTH = {**STACKED, **SINGLE}


@pytest.mark.parametrize("name", BOTH)
def test_every_reference_network_is_told_in_full(name):
    build, shape = BOTH[name]
    found = tauten.inspect(build, shape=shape)
    told = json.loads(json.dumps(found.to_json()))
    assert told["stacked"] == (name in STACKED)
    assert (told["obstacle"] is None) == told["stacked"]
    assert told["outputs"] == 3
    assert [p["name"] for p in told["parameters"]] == [k for k, _ in build().named_parameters()]
    text = str(found)
    assert ("stacked and trained together" in text) == told["stacked"]
    assert ("one at a time" in text) != told["stacked"]
    for place in told["places"]:
        assert place["call"] in text
    data = "images" if len(shape) == 3 else "tables"
    assert set(told["techniques"]) == {own for own, kind in techniques().items() if data in kind.data}
    assert all(act != "elsewhere" for act in told["techniques"].values())


def test_places_are_named_by_layer_and_its_own_rates_come_first():
    found = tauten.inspect(ViT, shape=(3, 16, 16))
    told = found.to_json()
    assert [(p["layer"], p["rate"]) for p in told["places"]][:3] == [
        ("pos_drop", 0.0), ("blocks.0.attn.proj_drop", 0.1), ("blocks.0.drop_path1", 0.1),
    ]  # fmt: skip
    rates = (0.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.1, 0.2)
    assert found.first == (Dropout(p=rates),)
    assert found.acts["dropout"] == "at 9 places"
    assert told["switched_off"] == [
        {"layer": f"blocks.{i}.attn", "call": "scaled_dot_product_attention", "rate": 0.1} for i in (0, 1)
    ]
    text = str(found)
    assert re.search(r"blocks\.\{0, 1\}\.attn\.proj_drop +dropout +5 × 8 units +its own rate 0\.1", text)
    assert "scaled_dot_product_attention in blocks.{0, 1}.attn drops out inside, at 0.1" in text
    assert re.search(r"pos_embed +1 × 5 × 8 +40 +added to every row, as a bias: no decay", text)


def test_what_regularizes_already_and_what_stays():
    assert tauten.inspect(mlp, shape=(6,)).regularized == {"dropout of its own": ["2", "5"]}
    resnet, frozen = (tauten.inspect(build, shape=(3, 16, 16)) for build in (STACKED["resnet"][0], frozen_backbone))
    assert len(resnet.regularized["batch norm"]) == 9
    assert len(frozen.regularized["frozen batch norm, kept in evaluation mode"]) == 9
    assert {k for k, kind in frozen.kinds.items() if kind != "frozen"} == {"head.weight", "head.bias"}
    assert "51 weights trained, 5,044 frozen" in str(frozen)
    assert tauten.inspect(spectral, shape=(6,)).regularized == {"spectral norm": ["0.parametrizations.weight.0"]}
    tied = tauten.inspect(Tied, shape=(6,))
    assert tied.ties == {"again.weight": "encode.weight"}
    assert "again.weight is tied to encode.weight and stays so" in str(tied)
    assert tauten.inspect(lambda: nn.Linear(4, 3), shape=(4,)).acts["dropout"] == "at no place: it does nothing"


def test_data_tell_the_input_as_in_a_search():
    assert tauten.inspect(lambda: nn.Linear(13, 3), "wine").input == (13,)
    X, y = np.random.default_rng(0).normal(size=(40, 5)), np.arange(40) % 2
    X[:, 2] = 1.0  # a search leaves a column out that never varies
    assert tauten.inspect(lambda: nn.Linear(4, 2), X, y).input == (4,)
    assert tauten.inspect(lambda: nn.Linear(5, 2), X).input == (5,)
    assert tauten.inspect(Recurrent, X.reshape(8, 5, 5)).input == (5, 5)


@pytest.mark.parametrize(
    ("model", "options", "error", "message"),
    [
        (Reassigning, {"shape": (6,)}, ModelError, "buffer 'seen' is reassigned in forward"),
        (mlp, {"shape": (5,)}, ModelError, r"can't take a batch of shape \(2, 5\) \(layer '0', Linear"),
        (mlp, {}, OptionError, "either data or the shape of one row"),
        (mlp, {"X": "wine", "shape": (6,)}, OptionError, "either data or the shape of one row"),
        (mlp, {"shape": (0,)}, OptionError, r"shape is \(0,\)"),
        (mlp, {"X": "no such data"}, DataError, "no file 'no such data'"),
        ("missing.py:build", {"shape": (6,)}, ModelError, "can't be found"),
    ],
)
def test_what_cannot_be_inspected_is_said(model, options, error, message):
    with pytest.raises(error, match=message):
        tauten.inspect(model, **options)
