"""Back-translation by a real callable and by the real Apertium."""

import json
import shutil
import subprocess
from collections import Counter

import pytest

from tauten.errors import DataError, OptionError, RunError
from tauten.text.translation import Apertium, FunctionTranslator, back_translations
from tauten.text.translation.pieces import LONGEST, pieces

DIARY = ["I saw the red house .", "I saw the red house .", "😀 42 !", "", "the dog eats\n\n  the fish", "I saw a cat ."]
WORDS = {"saw": "vi", "red": "roja", "house": "casa", "dog": "perro", "eats": "come", "cat": "gato"}
HOME = {"vi": "beheld", "casa": "home", "perro": "dog", "come": "comes", "gato": "gato"}


def by_word(seen=None):
    """A dictionary of a few words that leaves "gato" as it is and gives "roja" back as "roja"."""

    def translate(sentences, source, target):
        if seen is not None:
            seen.append((source, target, list(sentences)))
        words = WORDS if source == "eng" else HOME
        return [" ".join(words.get(word, word) for word in sentence.split()) for sentence in sentences]

    return FunctionTranslator(translate, name="by word")


def test_texts_come_back_aligned_each_sentence_once_and_lines_stay_lines():
    seen = []
    done = back_translations(DIARY, by_word(seen))
    assert done.texts == (
        ("I beheld the roja home .",),
        ("I beheld the roja home .",),
        ("😀 42 !",),
        ("",),
        ("the dog comes\n\n  the fish",),
        ("I beheld a gato .",),
    )
    assert seen == [
        ("eng", "spa", ["I saw the red house .", "the dog eats", "the fish", "I saw a cat ."]),
        ("spa", "eng", ["I vi the roja casa .", "the perro come", "the fish", "I vi a gato ."]),
    ]
    assert done.sentences == 8
    assert done.seconds >= 0
    one = done.by[0]
    assert (one.via, one.unchanged, one.foreign, one.foreign_words) == ("spa", 0, 3, 3)
    assert str(done).startswith("by spa 0 of 6 texts unchanged, 3 with foreign words left over (8 sentences")


def test_several_languages_give_several_texts_a_row_and_unchanged_ones_are_counted():
    same = FunctionTranslator(lambda sentences, source, target: [s.title() for s in sentences], name="same")
    done = back_translations(["a film", "7"], same, via=("spa", "cat"))
    assert done.texts == (("A Film", "A Film"), ("7", "7"))
    assert [(b.via, b.unchanged, b.foreign) for b in done.by] == [("spa", 1, 0), ("cat", 1, 0)]


def test_the_cache_goes_on_where_a_run_was_cut_off(tmp_path):
    texts = [f"text number {word}" for word in ("one", "two", "three", "four", "five")]
    calls = []

    def cut_off(sentences, source, target):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(list(sentences))
        return [s.upper() for s in sentences]

    with pytest.raises(KeyboardInterrupt):
        back_translations(texts, FunctionTranslator(cut_off, name="upper"), batch=2, cache=tmp_path / "kept")
    file = tmp_path / "kept" / "translations.jsonl"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]
    assert len(file.read_text().splitlines()) == 4
    with file.open("a") as torn:
        torn.write('{"key": "ab", "te')

    steps, asked = [], []
    upper = FunctionTranslator(lambda s, a, b: asked.extend(s) or [x.upper() for x in s], name="upper")
    done = back_translations(texts, upper, batch=2, cache=tmp_path / "kept", progress=lambda *step: steps.append(step))
    assert [t for (t,) in done.texts] == [t.upper() for t in texts]
    assert asked == [texts[4], *(t.upper() for t in texts)]
    assert done.sentences == 6
    assert steps == [
        ("eng to spa", 0, 1), ("eng to spa", 1, 1),
        ("spa to eng", 0, 5), ("spa to eng", 2, 5), ("spa to eng", 4, 5), ("spa to eng", 5, 5),
    ]  # fmt: skip
    whole = [line for line in file.read_text().splitlines() if line != '{"key": "ab", "te']
    assert [json.loads(line).keys() for line in whole] == [{"key", "text"}] * 10

    again = back_translations(texts, FunctionTranslator(lambda s, a, b: 1 / 0, name="upper"), cache=tmp_path / "kept")
    assert (again.texts, again.sentences) == (done.texts, 0)
    with pytest.raises(ZeroDivisionError):
        back_translations(texts, FunctionTranslator(lambda s, a, b: 1 / 0, name="other"), cache=tmp_path / "kept")


def test_a_long_text_is_cut_at_sentences_then_words_then_anywhere_and_nothing_is_lost():
    texts = ["A sentence. " * 9000, "word " * 3000, "x" * 5000 + " y", " \t " * 40_000, "a\r\n\r\nb " + "c " * 400]
    for text in texts:
        cut = pieces(text)
        assert max(len(p.sentence) for p in cut) <= LONGEST
        assert "".join(p.said({}) for p in cut).split() == text.split()
    assert {p.sentence[-1] for p in pieces(texts[0].strip())} == {"."}
    assert back_translations(texts, by_word()).by[0].unchanged == 4


def test_the_treebanks_form_is_joined_for_the_translator_and_split_again():
    seen = []
    done = back_translations(["they wo n't go , it 's late", "he won't"], by_word(seen))
    assert seen[0][2] == ["they won't go , it 's late", "he won't"]
    assert done.texts == (("they wo n't go , it 's late",), ("he won't",))


def test_lone_surrogates_and_nul_reach_the_cache(tmp_path):
    texts = ["a \ud800 b", "c \x00 d"]
    assert [t for (t,) in back_translations(texts, by_word(), cache=tmp_path).texts] == texts
    assert back_translations(texts, by_word(), cache=tmp_path).sentences == 0


def test_what_cannot_be_used_is_told():
    with pytest.raises(DataError, match=r"^texts is one str; give a list of texts, one for each row$"):
        back_translations("a film", by_word())
    with pytest.raises(DataError, match=r"^text 1 is None; give a str for every row, '' where there is none$"):
        back_translations(["a", None], by_word())
    for via in ("spa", (), ("eng",), ("spa", "spa")):
        with pytest.raises(OptionError, match="give one or several languages other than 'eng'"):
            back_translations(["a"], by_word(), via=via)
    with pytest.raises(OptionError, match="batch is 0"):
        back_translations(["a"], by_word(), batch=0)
    with pytest.raises(OptionError, match="few gave 1 translations of 2 sentences"):
        back_translations(["a", "b"], FunctionTranslator(lambda s, a, b: s[:1], name="few"))
    with pytest.raises(OptionError, match="odd gave None as a translation"):
        back_translations(["a"], FunctionTranslator(lambda s, a, b: [None], name="odd"))


def test_a_cache_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="name a folder to write to"):
        back_translations(["a"], by_word(), cache=tmp_path / "file")


def test_a_missing_program_is_told_with_its_install_line():
    missing = Apertium(program="apertium-that-is-not-here")
    with pytest.raises(OptionError, match=r"run apt-get install apertium apertium-eng-spa$"):
        back_translations(["a film"], missing)
    with pytest.raises(OptionError, match=r"run apt-get install apertium apertium-eo-en$"):
        missing.translate(["a film"], "en", "eo")
    with pytest.raises(OptionError, match="timeout is 0"):
        Apertium(timeout=0)


def has(mode):
    if shutil.which("apertium") is None:
        return False
    listed = subprocess.run(["apertium", "-l"], capture_output=True, text=True, check=False)
    return mode in listed.stdout.split()


spanish = pytest.mark.skipif(not has("eng-spa"), reason="Apertium's English and Spanish are not installed")
esperanto = pytest.mark.skipif(not has("en-eo"), reason="Apertium's English and Esperanto are not installed")


@spanish
def test_apertium_translates_and_its_marks_are_counted_and_taken_off():
    apertium = Apertium()
    said = apertium.translate(["The house is red .", "I saw a zorbix", "Is the dog big ?"], "eng", "spa")
    assert said == ["La casa es roja .", "Vi un zorbix", "Es el perro grande ?"]
    assert apertium.marks == {"eng-spa": Counter({"*": 1})}


@spanish
def test_apertium_keeps_sentences_apart_and_a_texts_own_signs():
    """Hundreds of sentences without ends, with Apertium's own marks, brackets, escapes, emoji and other scripts."""
    odd = [
        "see @home and #tag , 2 * 3 = 6 *really*", "a [b] {c} <d> ^e$ \\n \\ / ~", "😀 house 👩‍👩‍👧", "مرحبا بالعالم",
        "no end", "end.", "...", "dog\x00cat\x0bfish", "lone \ud800 house", "§ # house", "a\u2028b",
        "<b>bold</b> &amp;", "house " * 80, "x" * 500,
    ]  # fmt: skip
    sentences = [text for i in range(20) for text in (*odd, f"The house has {i} doors")]
    apertium = Apertium()
    said = apertium.translate(sentences, "eng", "spa")
    assert len(said) == len(sentences)
    assert [s for s in said if "puertas" in s] == [f"La casa tiene {i} puertas" for i in range(20)]
    assert all(own in said[0] for own in ("@casa", "#etiqueta", "2 * 3 = 6", "*realmente*"))
    assert all(own in said[1] for own in ("[b] {c} <d> ^", "$ \\n \\ / ~"))
    assert said[2:4] == ["😀 Casa 👩‍👩‍👧", "مرحبا بالعالم"]
    assert apertium.marks["eng-spa"]["kept"] == 0


@spanish
def test_halves_are_tried_where_another_number_of_sentences_comes_back(tmp_path):
    """A wrapper of the real program that joins two sentences, as a pair of languages without sentence ends would."""
    wrapper = tmp_path / "apertium"
    join = """python3 -c 'import sys; print(sys.stdin.read().replace("cat .\\n\\n", "cat "))'"""
    wrapper.write_text(f'#!/bin/bash\n[ "$1" = -l ] && exec apertium -l\n{join} | apertium "$1"\n')
    wrapper.chmod(0o755)
    sentences = ["The house is red", "a cat", "The dog"]
    joined, plain = Apertium(program=str(wrapper)), Apertium()
    assert joined.translate(sentences, "eng", "spa") == plain.translate(sentences, "eng", "spa")


@spanish
def test_apertium_goes_there_and_back_and_says_what_is_left_over(tmp_path):
    texts = ["This film is red .", "Who wrote it ?", "his stomach-turning zorbix .", "😀", "This film is red ."]
    done = back_translations(texts, Apertium(), cache=tmp_path)
    film, who, zorbix, face, again = (text for (text,) in done.texts)
    assert (film, who, face, again) == (texts[0], texts[1], texts[3], texts[4])
    assert "quegiraestómago" in zorbix
    assert (done.by[0].unchanged, done.by[0].foreign, done.by[0].foreign_words) == (3, 1, 1)
    assert back_translations(texts, Apertium(), cache=tmp_path).sentences == 0


@esperanto
def test_a_pair_goes_by_either_code():
    assert Apertium().translate(["the red house"], "eng", "epo") == Apertium().translate(["the red house"], "en", "eo")


@spanish
def test_apertium_tells_what_pair_is_missing_and_stops_what_takes_too_long():
    with pytest.raises(
        OptionError, match=r"^Apertium has no pair eng to deu here \(it has .*eng-spa, .*\): see apt-cache"
    ):
        Apertium().translate([], "eng", "deu")
    with pytest.raises(OptionError, match=r"^Apertium took more than 1e-06 s for its list of pairs; give a longer"):
        Apertium(timeout=1e-6).translate(["house"], "eng", "spa")
