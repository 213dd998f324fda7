"""A pretrained encoder from a local folder: a tiny one with random weights, made here and read back."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import tauten
from tauten.cli import app
from tauten.data import load
from tauten.data.texts import BUCKETS
from tauten.draws import Draws
from tauten.errors import ModelError, OptionError, RunError
from tauten.model import Model
from tauten.nets.base import Pass
from tauten.nets.encoder import PretrainedEncoder
from tauten.nets.module import ModuleNet
from tauten.networks import read_by

if find_spec("transformers") is None:
    pytest.skip("transformers is missing: pip install 'tauten[transformers]'", allow_module_level=True)

WORDS = {"food": ("soup", "bread", "cheese", "salad"), "travel": ("train", "plane", "harbour", "road")}
FRAMES = ("the {} was there", "We took the {}", "never again this {} !", "a {} like no other")
ROWS = [(f.format(w), i, kind) for kind, own in WORDS.items() for w in own for i, f in enumerate(FRAMES)]
LONGEST = 24


def make(folder: Path, classes: int | None = None) -> str:
    """A BERT of two layers, with a tokenizer learnt from the sentences."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertForSequenceClassification, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    learnt = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    learnt.normalizer, learnt.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=70, special_tokens=special, show_progress=False)
    learnt.train_from_iterator([text for text, *_ in ROWS], trainer)
    learnt.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=learnt, model_max_length=LONGEST, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]",
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=LONGEST, initializer_range=0.3, num_labels=classes or 2,
    )  # fmt: skip
    network = BertModel(config) if classes is None else BertForSequenceClassification(config)
    network.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make(tmp_path_factory.mktemp("encoders") / "bert")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "notes.csv"
    pd.DataFrame(ROWS, columns=["note", "page", "kind"]).to_csv(path, index=False)
    return path


def planes(build, frame, target="kind"):
    """The module's input as a search would make it, and its layout."""
    table = read_by(load(frame, target, text="note"), build)
    from tauten.data import Layout

    layout = Layout.of(table.frame)
    return torch.from_numpy(table.learnt(np.arange(len(table.y)), layout).transform(table.features)), table.text_layout(
        layout
    )


def frame_of(texts):
    return pd.DataFrame({"note": texts, "kind": ["a", "b"] * (len(texts) // 2)})


def test_texts_come_as_the_tokenizer_reads_them_with_the_right_mask(folder):
    from transformers import AutoTokenizer

    texts = ["the soups", "We took the train , twice", "", "xyzzy 😀", "a " * 100, *(text for text, *_ in ROWS[:5])]
    build = PretrainedEncoder(folder)
    x, layout = planes(build, frame_of(texts))
    pieces, there = build(layout, 2).framed(x[:, 0].long())
    size = layout.length + 2
    right = AutoTokenizer.from_pretrained(folder)(
        texts, max_length=size, truncation=True, padding="max_length", return_tensors="pt"
    )
    assert size == LONGEST
    assert torch.equal(pieces, right["input_ids"])
    assert torch.equal(there.long(), right["attention_mask"])
    assert PretrainedEncoder(folder, length=8).reader.most == 6


def test_outputs_are_those_of_the_folders_network_and_of_a_new_head(folder):
    from transformers import AutoModel, AutoTokenizer

    build, texts = PretrainedEncoder(folder), [text for text, *_ in ROWS[:10]]
    x, layout = planes(build, frame_of(texts))
    net = ModuleNet(build, x[:2], layout=layout, outputs=3)
    (w, buffers), again = net.init([0, 1]), AutoModel.from_pretrained(folder).eval()
    for name, tensor in again.named_parameters():
        if not name.startswith("pooler"):
            assert torch.equal(w[f"encoder.{name}"][0], tensor), "every member begins with what the folder holds"
            assert torch.equal(w[f"encoder.{name}"][1], tensor)
    assert not any("pooler" in name for name in w)
    assert not torch.equal(w["head.weight"][0], w["head.weight"][1]), "heads differ by seed"
    own = [{name: value[0] for name, value in tree.items()} for tree in (w, buffers)]
    out = net.forward(*own, x, Pass((), None))[0]
    read = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    hidden, mask = again(**read).last_hidden_state, read["attention_mask"].unsqueeze(-1)
    right = (hidden * mask).sum(1) / mask.sum(1) @ own[0]["head.weight"].T + own[0]["head.bias"]
    torch.testing.assert_close(out, right, rtol=0, atol=1e-5)


def test_a_hole_that_word_dropout_leaves_is_seen_by_nobody(folder):
    build = PretrainedEncoder(folder)
    x, layout = planes(build, frame_of(["we took the train", "the road"] * 5))
    module = build(layout, 2).eval()
    ids = x[:2, 0].long()
    whole = module.framed(ids)[1]
    ids[0, 1] = 0
    pieces, there = module.framed(ids)
    assert (whole != there).nonzero().tolist() == [[0, 2]], "[CLS] stands before it"
    unseen = torch.where(there, pieces, 9)
    mask = there.long()
    first, second = (module.encoder(input_ids=p, attention_mask=mask)[0][there] for p in (pieces, unseen))
    torch.testing.assert_close(first, second, rtol=0, atol=1e-6)


def test_frozen_layers_stay_to_the_bit_and_the_rest_learns(folder, file):
    build = PretrainedEncoder(folder, frozen=("embeddings", "encoder.layer.0."))
    asked = {"target": "kind", "text": "note", "drop": "page", "folds": 2, "setting": {"epochs": 1}}
    measured = tauten.compare(str(file), model=build, recipes=["plain"], deliver=True, **asked)
    frame, fresh = pd.read_csv(file), PretrainedEncoder(folder)
    trained = dict(measured.models["plain"].module(frame).named_parameters())
    for name, tensor in fresh._encoder.named_parameters():
        stays = name.startswith(("embeddings", "encoder.layer.0."))
        same = torch.equal(trained[f"encoder.{name}"], tensor)
        # What a softmax over keys takes away has no gradient but rounding.
        assert same if stays else (not same or name.endswith("key.bias")), name


def test_a_folder_made_for_as_many_classes_keeps_its_head(tmp_path):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    build, texts = PretrainedEncoder(make(tmp_path / "head", 3)), [text for text, *_ in ROWS[:10]]
    x, layout = planes(build, frame_of(texts))
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path / "head").eval()
    read = AutoTokenizer.from_pretrained(tmp_path / "head")(texts, padding=True, return_tensors="pt")
    module = build(layout, 3).eval()
    torch.testing.assert_close(module(x[:, 0].long()), again(**read).logits, rtol=0, atol=1e-5)
    assert module.head is None
    assert build(layout, 2).head is not None


def test_the_command_line_inspects_searches_and_predicts_with_a_folder(folder, file, tmp_path, capsys):
    asked = ["--text", "note", "--target", "kind"]
    app(["inspect", folder, str(file), *asked, "--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert told["layout"]["ids"] == 1 + BUCKETS + 70
    assert {p["call"] for p in told["places"]} == {"dropout"}
    assert "synonym_replacement" not in told["techniques"]
    run = tmp_path / "run"
    fixed = ["--trials", "3", "--epochs", "1", "--threads", "1", "--folds", "2", "--techniques", "word_dropout,dropout"]
    app(["search", str(file), *asked, "--model", folder, *fixed, "--out", str(run)], standalone_mode=False)
    found = json.loads((run / "result.json").read_text())
    assert found["setting"]["learning_rate"] == 5e-5
    assert found["setting"]["batch_size"] <= 32
    new = tmp_path / "new.csv"
    new.write_text("note,page\nthe soups again,3\n,1\n")
    app(["predict", str(run), str(new), "--model", folder, "-o", str(tmp_path / "p.csv")], standalone_mode=False)
    assert np.isfinite(pd.read_csv(tmp_path / "p.csv")["probability_food"]).all()
    with pytest.raises(RunError, match="holds a model that reads the pieces of words of a pretrained encoder, which"):
        Model.load(run, build=lambda: torch.nn.Linear(1, 1))


def test_what_it_can_not_have_is_refused_by_name(folder, file):
    asked = {"target": "kind", "text": "note", "model": folder, "trials": 3}
    with pytest.raises(OptionError, match="'synonym_replacement' needs synonyms of the texts and there are none"):
        tauten.search(str(file), techniques="synonym_replacement", **asked)
    with pytest.raises(ModelError, match="build takes a layout, which texts have, and rows are no text"):
        tauten.search("wine", model=folder, trials=3)


def test_rows_are_alike_and_held_out_as_for_a_network_of_words(folder):
    table = load(frame_of([f"{text} ." for text, *_ in ROWS]), "kind", text="note")
    again = read_by(table, PretrainedEncoder(folder))
    assert np.array_equal(table.row_hashes(), again.row_hashes())
    assert np.array_equal(table.take([3, 5]).row_hashes(), again.take([3, 5]).row_hashes())
    long = frame_of(["the soup " * 40, *(text for text, *_ in ROWS[:9])])
    table = load(long, "kind", text="note")
    told = read_by(table, PretrainedEncoder(folder)).warnings
    assert told == (*table.warnings, "1 of 10 rows have a text of more than 22 pieces of words: cut there")


@pytest.mark.parametrize(
    ("wreck", "words"),
    [
        (lambda f: (f / "config.json").unlink(), "it has no config.json"),
        (lambda f: (f / "model.safetensors").unlink(), "model.safetensors"),
        (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "safetensors"),
        (lambda f: (f / "config.json").write_text("{"), "can't be read as a pretrained encoder"),
    ],
)  # fmt: skip
def test_a_folder_that_holds_none_is_told_in_a_sentence(tmp_path, wreck, words):
    folder = tmp_path / "wrecked"
    make(folder)
    wreck(folder)
    with pytest.raises(ModelError, match=words) as told:
        PretrainedEncoder(folder)
    assert str(told.value).count("\n") == 0


def test_weights_that_are_not_there_are_told_and_never_drawn(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    wrecked = Path(make(tmp_path / "less"))
    kept = {k: v for k, v in load_file(wrecked / "model.safetensors").items() if "layer.1" not in k}
    save_file(kept, wrecked / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"its weights lack 'encoder\.layer\.1\..* and 15 more"):
        PretrainedEncoder(wrecked)
    with pytest.raises(ModelError, match=rf"length is 40; '{folder}' reads 3 to {LONGEST} pieces"):
        PretrainedEncoder(folder, length=40)
    with pytest.raises(ModelError, match=r"frozen holds 'layers' and no parameter begins so; the first is 'embeddings"):
        PretrainedEncoder(folder, frozen=("layers",))


def test_members_train_in_one_population(folder):
    build = PretrainedEncoder(folder)
    x, layout = planes(build, frame_of(["we took the train", "the road"] * 5))
    net = ModuleNet(build, x[:2], layout=layout, outputs=2)
    assert {place.call for place in net.survey.places} == {"dropout"}
    assert len(net.survey.places) == 1 + 2 * 3, "of the embeddings, and of each layer's attention, sum and output"
    draws = Draws(torch.tensor(0), torch.tensor(0), "test")
    w, buffers = net.init([0])
    net.forward({k: v[0] for k, v in w.items()}, {k: v[0] for k, v in buffers.items()}, x, Pass((), draws))
