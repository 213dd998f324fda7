"""Which words may stand for which: by WordNet's counts, in the right form, or by a table of one's own."""

import csv

import pytest
from database import SYNSETS, TAGS, write
from hypothesis import given, settings
from hypothesis import strategies as st
from test_wordnet import INSTALLED, real

from tauten.errors import DataError
from tauten.text.inflect import inflected
from tauten.text.synonyms import TableSynonyms, WordNetSynonyms, synonyms

FOUND = WordNetSynonyms(INSTALLED.folder) if INSTALLED else None


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return WordNetSynonyms(write(tmp_path_factory.mktemp("dict")))


def test_words_of_one_use_stand_for_each_other_in_the_same_form(tiny):
    assert tiny.of("film") == ("movie",)  # picture is mostly an image, flick never tagged
    assert tiny.of("movies") == ("films",)
    assert tiny.of("Film") == ("movie",)
    assert tiny.of("tried") == ("attempted",)
    assert tiny.of("tries") == ("attempts",)
    assert tiny.of("trying") == ("attempting",)
    assert tiny.of("small") == ("little",)
    assert tiny.of("often") == ("frequently",)


def test_how_alike_two_words_are_is_what_they_share(tiny, tmp_path):
    # film: 38 + 5 as a noun, 2 as a verb; one more tag over three senses. movie: one sense.
    share = (38 + 1 / 3) / (38 + 5 + 2 + 1)
    (reading, *_) = tiny._uses("film").readings
    assert tiny._overlap("film", "movie", reading) == pytest.approx(share, rel=1e-12)
    for tags, expected in ((9, ()), (11, ("movie",))):
        # The word's share falls below a quarter: (t + 1/3) / (t + 33) at 9 and 11.
        changed = TAGS | {("n", "film"): (tags, 30), ("v", "film"): (2,)}
        assert WordNetSynonyms(write(tmp_path / str(tags), SYNSETS, changed)).of("film") == expected


def test_what_reads_badly_is_left_out(tiny):
    assert tiny.of("good") == ()  # mostly an adjective, which has no synonym here
    assert tiny.of("power") == ()  # powerfulness
    assert tiny.of("rush") == ()  # mostly a name, as far as is known
    assert "lout" not in tiny.of("fellow") == ("bloke",)
    assert tiny.of("compelling") == ()  # an entry of its own, and no form of compel
    assert tiny.of("compelled") == ("obliged",)
    assert tiny.of("went") == ("moved",)
    assert tiny.of("moved") == ()  # nothing says which of "went" and "gone" is meant
    assert tiny.of("score") == tiny.of("xx") == ()  # a number


@pytest.mark.parametrize("word", ["", "in", "the", "k-19", "isn't", "2001", "👍🏽", "zzzz", "école", "פילם", "."])
def test_other_words_have_none(tiny, word):
    assert tiny.of(word) == ()


@real
@settings(deadline=None, max_examples=50)
@given(st.text(max_size=12))
def test_any_text_is_answered_by_other_words(word):
    assert all(other.isalpha() and other.islower() and other != word.lower() for other in FOUND.of(word))


@real
@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("film", ("movie",)),
        ("films", ("movies",)),
        ("story", ("tale", "narrative")),
        ("tried", ("attempted",)),
        ("color", ("colour",)),
        ("children", ("kids", "youngsters")),
        ("kids", ("youngsters", "children")),
        ("country", ("nation", "commonwealth")),
        ("big", ("large",)),
        ("often", ("frequently", "oftentimes")),
        ("good", ()),
        ("bad", ()),
        ("like", ()),
        ("john", ()),
        ("old", ()),
        ("compelling", ()),
        ("make", ()),
    ],
)
def test_frequent_words_of_reviews_and_questions(word, expected):
    assert FOUND.of(word) == expected


@real
def test_insults_that_wordnet_marks_are_never_given():
    assert "queer" in INSTALLED.words(INSTALLED.senses("funny", "a")[1])
    assert "queer" not in FOUND.of("funny")


@pytest.mark.parametrize(
    ("part", "ending", "forms"),
    [
        ("n", "s", "film:films box:boxes city:cities key:keys church:churches boss:bosses virus:viruses video:videos"),
        ("n", "s", "man:men news:None human:None goodness:None"),
        ("v", "s", "try:tries play:plays watch:watches go:goes shoo:shoos"),
        ("v", "ed", "walk:walked love:loved try:tried play:played visit:visited go:None put:None read:None run:None"),
        ("v", "ing", "make:making see:seeing visit:visiting canoe:canoeing dye:dyeing compel:compelling"),
        ("a", "er", "small:None good:better"),
        ("a", "", "small:small"),
    ],
)
def test_inflections(tiny, part, ending, forms):
    for pair in forms.split():
        lemma, _, form = pair.partition(":")
        assert str(inflected(lemma, part, ending, tiny._wordnet)) == form


@real
@pytest.mark.parametrize(
    ("part", "ending", "forms"),
    [
        ("n", "s", "child:children hero:heroes photo:photos knife:knives analysis:analyses woman:women"),
        ("v", "ed", "stop:stopped find:found cut:None see:None"),
        ("v", "ing", "die:dying stop:stopping tie:tying"),
    ],
)
def test_irregular_inflections_of_the_real_one(part, ending, forms):
    for pair in forms.split():
        lemma, _, form = pair.partition(":")
        assert str(inflected(lemma, part, ending, INSTALLED)) == form


def table(tmp_path, text):
    path = tmp_path / "mine.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_table_is_taken_as_it_stands(tmp_path):
    text = '\ufeffFilm,movie, picture,,\r\n\r\n"good","fine"\r\nfilm,flick,movie\r\n,,\r\nкино,фильм\r\n'
    mine = synonyms(table(tmp_path, text))
    assert mine.of("film") == mine.of("FILM") == ("movie", "picture", "flick")
    assert mine.of("good") == ("fine",)
    assert mine.of("Кино") == ("фильм",)
    assert mine.of("movie") == ()


def test_a_header_is_no_word(tmp_path):
    mine = synonyms(table(tmp_path, "Word,Synonym,Synonym 2\nfilm,movie,\nword,term\n"))
    assert mine.of("word") == ("term",)
    assert mine.of("film") == ("movie",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "holds no synonyms: expected lines such as film,movie,picture"),
        ("word,synonym\n", "holds no synonyms: expected lines such as"),
        ("\n , \n", "holds no synonyms: expected lines such as"),
        ("film,movie\ngood\n", "line 2 of .* is 'good': expected a word and its synonyms separated by commas"),
        ("film;movie\n", "line 1 of .* is 'film;movie': expected a word and its synonyms separated by commas"),
        (",movie\n", "line 1 of .* is ',movie': expected a word"),
        ("film,motion picture\n", "line 1 of .* holds 'motion picture': expected single words"),
        ("film,movie,Film\n", "line 1 of .* gives 'film' as its own synonym"),
        (b"film,caf\xe9\n", r"not UTF-8 text \(byte 9\): save it in UTF-8"),
    ],
)
def test_a_bad_table_is_answered_in_one_sentence(tmp_path, text, sentence):
    with pytest.raises(DataError, match=sentence) as caught:
        synonyms(table(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_cell_longer_than_csv_takes_is_answered_too(tmp_path):
    before = csv.field_size_limit(1000)
    try:
        with pytest.raises(DataError, match=r"not a regular CSV \(line 1: field larger than"):
            synonyms(table(tmp_path, "film," + "x" * 2000))
    finally:
        csv.field_size_limit(before)


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_a_table_or_one_sentence(tmp_path_factory, content):
    path = table(tmp_path_factory.mktemp("table"), content)
    sentence = ""
    try:
        TableSynonyms(path)
    except DataError as error:
        sentence = str(error)
    assert len(sentence.splitlines()) <= 1


def test_the_source_may_be_a_folder_or_a_file_that_is_there(tmp_path):
    assert synonyms(write(tmp_path / "dict")).of("film") == ("movie",)
    with pytest.raises(DataError, match=r"no '.*missing\.csv': expected a CSV of word,synonym.*or WordNet's folder"):
        synonyms(tmp_path / "missing.csv")
    with pytest.raises(DataError, match=r"missing\.csv can't be read \(No such file"):
        TableSynonyms(tmp_path / "missing.csv")
