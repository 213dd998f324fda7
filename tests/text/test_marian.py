"""Marian through transformers: tiny networks with random weights, made here, read from their folders."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from tauten.errors import OptionError
from tauten.text.translation import Marian, back_translations

PAIRS = (("eng", "spa"), ("spa", "eng"))
SENTENCES = ["the film is red", "a dog", "the dog saw the red film and the house of the fish", "😀 ok"]
there = pytest.mark.skipif(
    not (find_spec("transformers") and find_spec("sentencepiece")), reason="transformers or sentencepiece is missing"
)


def make(folder: Path, seed: int) -> str:
    """A network of one layer, with a tokenizer learnt from a few sentences."""
    import sentencepiece
    import torch
    from transformers import MarianConfig, MarianMTModel

    folder.mkdir()
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(SENTENCES * 20))
    for side in ("source", "target"):
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=str(folder / side), vocab_size=50, hard_vocab_limit=False, minloglevel=2
        )
        (folder / f"{side}.model").rename(folder / f"{side}.spm")
    learnt = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    words = ["</s>", "<unk>", *(learnt.id_to_piece(i) for i in range(3, learnt.get_piece_size())), "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"source_lang": "eng", "target_lang": "spa", "model_max_length": 12})
    )
    pad = len(words) - 1
    torch.manual_seed(seed)
    network = MarianMTModel(
        MarianConfig(
            vocab_size=len(words), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=12,
            pad_token_id=pad, eos_token_id=0, decoder_start_token_id=pad, forced_eos_token_id=0,
            bad_words_ids=[[pad]], init_std=1.0,
        )
    )  # fmt: skip
    network.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return {pair: make(tmp_path_factory.mktemp("marian") / "-".join(pair), i) for i, pair in enumerate(PAIRS)}


@there
def test_sentences_keep_their_order_whatever_the_batch_and_are_what_the_network_says(models, capfd):
    from transformers import MarianMTModel, MarianTokenizer

    capfd.readouterr()
    said = Marian(models, batch=3, beams=2).translate(SENTENCES, "eng", "spa")
    assert capfd.readouterr() == ("", "")
    tokenizer, network = (c.from_pretrained(models["eng", "spa"]) for c in (MarianTokenizer, MarianMTModel))
    for sentence, text in zip(SENTENCES, said, strict=True):
        written = network.generate(
            **tokenizer([sentence], return_tensors="pt", truncation=True), num_beams=2, max_length=12
        )
        assert text == " ".join(tokenizer.decode(written[0], skip_special_tokens=True).split())
    assert len(set(said)) > 1
    assert Marian(models).translate([], "eng", "spa") == []


@there
def test_it_goes_there_and_back_and_the_cache_knows_its_networks(models, tmp_path):
    done = back_translations(SENTENCES, Marian(models), cache=tmp_path)
    assert [len(row) for row in done.texts] == [1] * len(SENTENCES)
    assert back_translations(SENTENCES, Marian(models), cache=tmp_path).texts == done.texts
    assert back_translations(SENTENCES, Marian(models), cache=tmp_path).sentences == 0
    assert back_translations(SENTENCES, Marian(models, beams=1), cache=tmp_path).sentences > 0


@there
def test_a_folder_that_holds_no_network_is_told(tmp_path):
    with pytest.raises(OptionError, match=r"can't be read as a Marian network \(.+\); give a folder that holds one"):
        Marian({("eng", "spa"): str(tmp_path)}).translate(["a"], "eng", "spa")


def test_a_missing_pair_or_package_is_told():
    with pytest.raises(
        OptionError, match=r"no Marian network translates eng to cat \(given: eng to spa\); give one as"
    ):
        Marian({("eng", "spa"): "x"}).translate(["a"], "eng", "cat")
    with pytest.raises(OptionError, match="beams is 0; give a whole number of at least 1"):
        Marian({}, beams=0)


@pytest.mark.skipif(find_spec("transformers") is not None, reason="transformers is installed")
def test_without_transformers_the_install_line_is_told():
    with pytest.raises(OptionError, match=r"run pip install 'tauten\[transformers\]'$"):
        Marian({("eng", "spa"): "x"}).translate([], "eng", "spa")
