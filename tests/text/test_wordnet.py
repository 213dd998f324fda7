"""The reader of WordNet's files: on a tiny database of its format, on damaged ones, and on the real one."""

import pytest
from database import EXCEPTIONS, HEADER, SYNSETS, TAGS, places, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tauten.errors import DataError
from tauten.text.wordnet import PARTS, Reading, Sense, WordNet

try:
    INSTALLED, MISSING = WordNet(), ""
except DataError as error:
    INSTALLED, MISSING = None, str(error)
real = pytest.mark.skipif(INSTALLED is None, reason=MISSING)
OFFSETS = places(SYNSETS)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def tiny(tmp_path):
    return WordNet(write(tmp_path / "dict"))


def test_senses_stand_in_order_with_their_tags(tiny):
    assert tiny.senses("film", "n") == (Sense("n", OFFSETS[0], 38), Sense("n", OFFSETS[1], 5))
    assert tiny.senses("flick", "n") == (Sense("n", OFFSETS[0], 0),)
    assert tiny.senses("film", "r") == () == tiny.senses("café au lait", "n") == tiny.senses("", "n")


def test_words_stand_as_written_without_where_an_adjective_stands(tiny):
    assert tiny.words(tiny.senses("film", "n")[0]) == ("movie", "film", "picture", "moving_picture", "flick")
    assert tiny.words(tiny.senses("rush", "n")[1]) == ("Rush",)
    assert tiny.words(tiny.senses("little", "a")[0]) == ("little", "small")


def test_a_usage_marks_one_word_or_all(tiny, tmp_path):
    (sense,) = tiny.senses("lout", "n")
    assert tiny.usages(sense, "lout") == {"disparagement"}
    assert tiny.usages(sense, "bloke") == frozenset()
    whole = tuple((part, words, usage and (usage[0], 0)) for part, words, usage in SYNSETS)
    marked = WordNet(write(tmp_path / "marked", whole))
    assert marked.usages(marked.senses("bloke", "n")[0], "bloke") == {"disparagement"}


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("films", [("film", "n", "s"), ("film", "v", "s")]),
        ("men", [("man", "n", "s")]),
        ("went", [("go", "v", "ed")]),
        ("trying", [("try", "v", "ing")]),
        ("tries", [("try", "v", "s")]),
        ("moved", [("move", "v", "ed")]),
        ("goes", [("go", "v", "s")]),
        ("smaller", [("small", "a", "er")]),
        ("better", [("good", "a", "er")]),
        ("filming", [("film", "v", "ing")]),
        ("zzz", []),
    ],
)
def test_readings_come_from_exceptions_and_rules(tiny, word, found):
    assert list(tiny.readings(word)) == [Reading(*reading) for reading in found]


def test_irregular_forms_are_those_listed(tiny):
    assert tiny.irregular("go", "v", "ed") == ("gone", "went")
    assert tiny.irregular("man", "n", "s") == ("men",)
    assert tiny.irregular("move", "v", "ed") == ()


WORD = st.text("abcdefgxyz-_'", min_size=1, max_size=6)


@QUICK
@given(st.lists(st.tuples(st.sampled_from("nvar"), st.lists(WORD, min_size=1, max_size=20, unique=True)), max_size=8))
def test_what_is_written_is_read(tmp_path_factory, drawn):
    synsets = tuple((part, " ".join(words), None) for part, words in drawn)
    wordnet = WordNet(write(tmp_path_factory.mktemp("drawn"), synsets, {}))
    for offset, (part, words) in zip(places(synsets), drawn, strict=True):
        assert wordnet.words(Sense(part, offset, 0)) == tuple(words)
        for word in words:
            held = [at for at, (p, ws) in zip(places(synsets), drawn, strict=True) if p == part and word in ws]
            assert [sense.offset for sense in wordnet.senses(word, part)] == held


def ask_everything(wordnet):
    for part, words, _ in SYNSETS:
        for word in words.lower().replace("(a)", "").split():
            wordnet.readings(word + "s")
            wordnet.irregular(word, part, "ed")
            for sense in wordnet.senses(word, part):
                wordnet.usages(sense, word)


FILES = [f"{kind}.{name}" for kind in ("index", "data") for name in PARTS.values()]
FILES += [f"{name}.exc" for name in EXCEPTIONS] + ["cntlist.rev"]
JUNK = st.one_of(
    st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"])).map(str.encode),
    st.text("0123456789abcdef n@;u|%:-", max_size=60).map(str.encode),
    st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")),
)


@pytest.fixture(scope="module")
def spare(tmp_path_factory):
    return write(tmp_path_factory.mktemp("spare"))


@settings(QUICK, max_examples=200)
@given(name=st.sampled_from(FILES), which=st.integers(0, 30), junk=JUNK, cut=st.booleans())
def test_a_damaged_line_is_one_sentence_or_none(spare, name, which, junk, cut):
    whole = (spare / name).read_bytes()
    lines = whole.split(b"\n")
    which %= len(lines)
    lines[which] = lines[which][: len(junk)] if cut else junk
    (spare / name).write_bytes(b"\n".join(lines))
    try:
        ask_everything(WordNet(spare))
        sentence = ""
    except DataError as error:
        sentence = str(error)
    finally:
        (spare / name).write_bytes(whole)
    assert not sentence or (str(spare) in sentence and "wndb(5WN)" in sentence and "\n" not in sentence)


@pytest.mark.parametrize(
    ("name", "old", "new", "where"),
    [
        ("index.noun", "film n 2 2", "film n 3 2", "the entry of 'film' in"),
        ("index.noun", "film n 2 2", "film n two 2", "the entry of 'film' in"),
        ("data.noun", "movie 0 film", "movie film", f"the line at byte {OFFSETS[0]} in"),
        ("data.noun", HEADER, HEADER[4:], f"the line at byte {OFFSETS[0]} in"),
        ("cntlist.rev", "film%1", "film%9", "line "),
        ("noun.exc", "men man", "men", "line 1 in"),
    ],
)
def test_the_message_says_which_line(tmp_path, name, old, new, where):
    folder = write(tmp_path)
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match="install WordNet's files anew") as caught:
        ask_everything(WordNet(folder))
    assert str(caught.value).startswith(where)
    assert str(folder / name) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    (write(tmp_path) / "data.verb").unlink()
    with pytest.raises(DataError, match=r"data\.verb can't be read .*apt-get install wordnet-base"):
        ask_everything(WordNet(tmp_path))


def test_a_folder_without_wordnet_says_how_to_install_it(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"holds no WordNet: expected a folder with index\.noun.*apt-get install"):
        WordNet(tmp_path)
    monkeypatch.setenv("WNSEARCHDIR", str(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match="elsewhere' holds no WordNet"):
        WordNet()


def test_the_variable_of_the_manual_is_heeded(tmp_path, monkeypatch):
    monkeypatch.setenv("WNSEARCHDIR", str(write(tmp_path)))
    assert WordNet().folder == tmp_path


def test_without_any_wordnet_the_sentence_names_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.delenv("WNSEARCHDIR", raising=False)
    monkeypatch.setattr("tauten.text.wordnet.PLACES", (f"{tmp_path}/one", f"{tmp_path}/two"))
    with pytest.raises(DataError, match=r"no WordNet in .*/one, .*/two: .*brew install wordnet.*or name the folder"):
        WordNet()
    write(tmp_path / "two")
    assert WordNet().folder == tmp_path / "two"


@real
def test_the_real_one_has_the_numbers_of_its_manual():
    if "WordNet 3.0" not in (INSTALLED.folder / "index.noun").read_text()[:2000]:
        pytest.skip("wnstats(7WN) counts version 3.0")
    # Synsets by wnstats(7WN); its 82115 of nouns would take most of this file's time.
    for part, expected in (("v", 13767), ("a", 18156), ("r", 3621)):
        index = (INSTALLED.folder / f"index.{PARTS[part]}").read_text().splitlines()
        lemmas = [line.split(" ", 1)[0] for line in index if not line.startswith(" ")]
        assert len({sense.offset for lemma in lemmas for sense in INSTALLED.senses(lemma, part)}) == expected


@real
@pytest.mark.parametrize(
    ("word", "lemma"),
    [
        ("children", "child"),
        ("was", "be"),
        ("axes", "axis"),
        ("axes", "axe"),
        ("stopped", "stop"),
        ("firemen", "fireman"),
    ],
)
def test_the_real_one_knows_irregular_forms(word, lemma):
    assert lemma in {reading.lemma for reading in INSTALLED.readings(word)}


@real
def test_the_real_one_counts_movies_before_photographic_film():
    first = INSTALLED.senses("film", "n")[0]
    assert "movie" in INSTALLED.words(first)
    assert first.tags == max(sense.tags for sense in INSTALLED.senses("film", "n")) > 0


def test_the_tiny_database_is_sound():
    assert set(TAGS) <= {(part, w.partition("(")[0].lower()) for part, words, _ in SYNSETS for w in words.split()}
