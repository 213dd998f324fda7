import json

import numpy as np
import pandas as pd
import pytest

from tauten.data import TextPreprocessor, TextTable, from_arrays, holds_texts, learnt_from_json, load, texts_in
from tauten.data.layout import Layout
from tauten.data.texts import BUCKETS, with_texts
from tauten.errors import DataError, OptionError
from tauten.folds import Development
from tauten.options import Options
from tauten.sources import table_of
from tauten.split import Split, selection_plan
from tauten.text.coded import bucket, with_alternatives, with_translations

GOOD, BAD = ("a fine warm film", "what a joy", "moving and funny", "great fun !"), ("dull and cold", "a sad mess")


def reviews(**columns):
    texts = [f"{text} {i}" for i in range(3) for text in (*GOOD, *BAD)]
    labels = ["yes" if text.startswith(GOOD) else "no" for text in texts]
    return pd.DataFrame({"review": texts, "target": labels} | columns)


def ids_of(learnt, words):
    known = {word: 1 + BUCKETS + i for i, word in enumerate(learnt.words)}
    return [known.get(word) or 1 + bucket(word, BUCKETS) for word in words]


def test_words_get_ids_by_frequency_in_the_training_rows_and_others_share_buckets():
    table = load(reviews(), text="review")
    assert isinstance(table, TextTable)
    assert (table.columns, table.frame.shape) == (1, (18, 0))
    learnt = table.learnt(np.arange(12), Layout(()))
    assert learnt.words[0] == "a", "nine times in the first twelve rows"
    assert "2" not in learnt.words, "it stands in held rows alone"
    planes = learnt.transform(pd.DataFrame({"review": ["a Zebra,  fun", None]}))
    assert planes.dtype == np.float32
    assert planes.shape == (2, 1, 8)
    assert planes[0, 0].tolist() == [*ids_of(learnt, ["a", "zebra", ",", "fun"]), 0, 0, 0, 0]
    assert not planes[1].any()
    assert 1 <= planes[0, 0, 1] <= BUCKETS


def test_a_fold_reads_rows_as_a_frame_of_them_would_be():
    table = load(reviews(stars=np.arange(18) % 5 + 0.5, shop=["x", "y", None] * 6), text="review", target="target")
    development = Development.of(table, selection_plan(table.y, table.task, None, table.classes, table.together, None))
    fold = development.fold(Split(np.arange(12), np.arange(12, 18), None))
    layout = fold.source.layout
    learnt = fold.preprocessors["plain"]
    assert layout == learnt.layout
    assert (layout.planes, layout.features, layout.length) == (2, 4, 8)
    frame = reviews(stars=np.arange(18) % 5 + 0.5, shop=["x", "y", None] * 6)
    assert np.array_equal(fold.source.inputs.numpy(), learnt.transform(frame))
    numbers = fold.source.inputs[:, -1, :4].numpy()
    assert np.array_equal(numbers, learnt.others.transform(frame))
    assert development.width == 16


def test_what_was_learnt_survives_json_and_foreign_json_is_refused():
    table = load(reviews(stars=np.arange(18) % 5 + 0.5), text=["review"], target="target")
    learnt = table.learnt(np.arange(18), Layout.of(table.frame))
    again = learnt_from_json(json.loads(json.dumps(learnt.to_json())))
    assert again == learnt
    with pytest.raises(DataError, match="can't be read"):
        TextPreprocessor.from_json({"vocabulary": []})


def test_planes_of_alternatives_lie_between_words_and_numbers():
    table = load(reviews(stars=np.arange(18) % 5 + 0.5), text="review", target="target")
    texts = with_alternatives(table.texts, "synonyms", {"fine": ("good", "nice"), "joy": ("delight",)}, 2)
    texts = with_translations(with_alternatives(texts, "typos", {"film": ("flim",)}, 1), [[["eine Freude"] * 18]])
    table = TextTable(**{**vars(table), "texts": texts})
    layout = table.text_layout(Layout.of(table.frame))
    assert (layout.aligned, layout.translations, layout.trailing, layout.planes) == (4, 1, 1, 6)
    learnt = table.learnt(np.arange(18), Layout.of(table.frame))
    planes = learnt.transform(table.features)
    assert planes.shape == (18, 6, 8)
    fine, film = ids_of(learnt, ["good", "nice"]), ids_of(learnt, ["flim"])
    assert {"good", "freude"} <= set(learnt.words), "an alternative has an id of its own"
    assert "flim" not in learnt.words, "what is misspelt is no word"
    assert planes[0, :4, 1].tolist() == [*ids_of(learnt, ["fine"]), *fine, 0]
    assert planes[0, 1:4, 3].tolist() == [0, 0, *film]
    assert planes[0, 4, :3].tolist() == [*ids_of(learnt, ["eine", "freude"]), 0]
    assert not planes[:, 1:4, 6:].any(), "nothing stands beside padding"


@pytest.mark.parametrize(
    ("text", "told"),
    {
        "": "1 of 19 rows have an empty text",
        "   \n": "1 of 19 rows have an empty text",
        "word " * 20_000: "1 of 19 rows have a text of more than 256 words: cut there",
        "x" * 100_000: "",
        "😂" * 50_000: "1 of 19 rows have a text of more than 256 words: cut there",
        "مرحبا بالعالم": "",
    }.items(),
    ids=range(6),
)
def test_odd_texts_are_read_and_told(text, told):
    frame = pd.concat([reviews(), pd.DataFrame({"review": [text], "target": ["no"]})], ignore_index=True)
    table = load(frame, text="review")
    said = [line for line in table.warnings if "text" in line]
    assert said == ([told] if told else [])
    learnt = table.learnt(np.arange(19), Layout(()))
    planes = learnt.transform(table.features)
    assert planes.shape[1:] == (1, 256 if "256" in told else 8)
    assert np.array_equal(planes, learnt.transform(frame))


def test_texts_of_nothing_and_odd_options_are_refused():
    empty = reviews().assign(review="")
    with pytest.raises(DataError, match="no row of 'review' holds a word"):
        load(empty, text="review")
    with pytest.raises(DataError, match=r"no column 'reviews'.*did you mean 'review'"):
        load(reviews(), text="reviews")
    with pytest.raises(DataError, match="'target' is a target and read as text as well"):
        load(reviews(), "target", text="target")
    table = load(reviews(), text="review")
    with pytest.raises(DataError, match="lacks 'review', of the columns of text"):
        table.learnt(np.arange(9), Layout(())).transform(pd.DataFrame({"other": ["a"]}))


def test_without_being_named_text_is_left_out_and_the_way_is_told():
    table = load(reviews(stars=np.arange(18.0)), "target")
    assert list(table.frame) == ["stars"]
    assert any("free text (to read it, name it as text): 'review'" in line for line in table.warnings)


def test_several_columns_are_one_text_and_copies_stay_together():
    frame = pd.concat([reviews(), reviews().assign(review=lambda f: f.review.str.upper() + " ")], ignore_index=True)
    frame["title"] = "so it is"
    table = load(frame, "target", text="title,review")
    assert table.text == ("title", "review")
    assert np.array_equal(table.together[:18], table.together[18:]), "the same words are the same text"
    assert len(set(table.together)) == 18
    assert any("18 of 36 rows repeat another" in line for line in table.warnings)
    assert table.take([3, 1]).texts.codes.shape[0] == 2
    assert table.content_hash() != load(frame, "target", text="review,title").content_hash()


def test_arrays_take_text_as_well():
    frame = reviews()
    table = from_arrays(frame[["review"]], frame["target"], text="review")
    assert table.row_hashes().tolist() == load(frame, text="review").row_hashes().tolist()


def test_json_lines_and_parquet_hold_texts(tmp_path):
    frame = reviews().assign(review=lambda f: f.review + " 👍\u2028end")
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in frame.to_dict("records")) + "\n\n"
    (tmp_path / "r.jsonl").write_text(lines, encoding="utf-8")
    frame.to_parquet(tmp_path / "r.parquet")
    tables = [load(tmp_path / name, text="review") for name in ("r.jsonl", "r.parquet")]
    assert tables[0].content_hash() == tables[1].content_hash()


@pytest.mark.parametrize(
    ("lines", "words"),
    {
        '{"a": 1}\n{"a": 2': "is no JSON in line 2",
        '{"a": 1}\n[1, 2]': "has a list in line 2: expected an object",
        "\n \n": "is empty",
    }.items(),
)
def test_lines_that_are_no_objects_are_refused(tmp_path, lines, words):
    path = tmp_path / "r.jsonl"
    path.write_text(lines)
    with pytest.raises(DataError, match=words):
        load(path, "a")


def test_a_folder_of_text_files_is_a_table_of_texts(tmp_path):
    for name, texts in (("yes", GOOD * 2), ("no", BAD * 3)):
        (tmp_path / name).mkdir()
        for i, text in enumerate(texts):
            (tmp_path / name / f"{i}.txt").write_text(text, encoding="utf-8")
    assert holds_texts(tmp_path)
    assert not holds_texts(tmp_path / "yes")
    assert texts_in(tmp_path)["class"].value_counts().to_dict() == {"yes": 8, "no": 6}
    table = table_of(str(tmp_path), None, None, Options(trials=3))
    assert (table.name, table.classes, len(table.y)) == (str(tmp_path), ("no", "yes"), 14)
    with pytest.raises(OptionError, match=r"target is 'yes' and .* holds texts, without columns"):
        table_of(tmp_path, None, "yes", Options(trials=3))
    (tmp_path / "no" / "9.txt").write_bytes("caf\xe9".encode("latin-1"))
    with pytest.raises(DataError, match=r"9\.txt is not UTF-8 text \(byte 4\): save it in UTF-8"):
        table_of(tmp_path, None, None, Options(trials=3))


def test_a_file_of_mixed_encodings_is_answered_in_one_sentence(tmp_path):
    path = tmp_path / "r.csv"
    path.write_bytes("review,target\ncafé,yes\n".encode() + "café,no\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"r\.csv is not UTF-8 text \(byte 28\): save it in UTF-8$"):
        load(path, text="review")


def test_a_table_keeps_what_it_had(tmp_path):
    table = load(reviews(stars=np.arange(18.0)), "target")
    assert with_texts(table, {"review": reviews()["review"]}).frame.equals(table.frame)
