import numpy as np
import pytest

from tauten.text.coded import coded, with_alternatives, with_translations
from tauten.text.reader import MOST
from tauten.text.words import BREAK, tokens


@pytest.mark.parametrize(
    ("text", "found"),
    {
        "": [],
        " \t\n\u00a0\u200a ": [],
        "You wo n't, it 's 'quoted'": ["you", "wo", "n't", ",", "it", "'s", "'", "quoted", "'"],
        "state-of-the-art isn’t": ["state-of-the-art", "isn't"],
        "£1.50 at 10:30, call 08452810075over18's": ["£", "1.50", "at", "10:30", ",", "call", "08452810075over18's"],
        "lol 😂😂 👍🏽 👩‍👩‍👧 🇩🇪🇫🇷 ❤️": ["lol", "😂", "😂", "👍🏽", "👩‍👩‍👧", "🇩🇪", "🇫🇷", "❤️"],
        "שָׁלוֹם עולם!": ["שָׁלוֹם", "עולם", "!"],
        "السَّلامُ عليكم": ["السَّلامُ", "عليكم"],
        "नमस्ते दुनिया": ["नमस्ते", "दुनिया"],
        "我爱你。": ["我", "爱", "你", "。"],
        "e\u0301te\u0301 ÉTÉ": ["été", "été"],
        "don't--stop": ["don't", "-", "-", "stop"],
        "a\x00b\ud800": ["a", "\x00", "b", "\ud800"],
        f"a{BREAK}b": ["a", "b"],
    }.items(),
)
def test_a_text_in_any_writing_is_cut_into_words(text, found):
    assert tokens(text) == found


def test_no_more_tokens_are_read_than_wanted():
    assert tokens("ab " * 100_000, 3) == ["ab"] * 3
    assert len(tokens("x" * 100_000)) == 1


def test_columns_are_joined_and_long_texts_are_cut():
    texts = coded([["b a", "a " * 300, ""], ["", "c", "c"]])
    rows = [[texts.words[i] for i in row if i >= 0] for row in texts.codes]
    assert rows[0] == ["b", "a", BREAK]
    assert rows[1] == ["a"] * MOST
    assert rows[2] == [BREAK, "c"]
    assert texts.cut.tolist() == [False, True, False]


def test_texts_are_alike_where_their_tokens_are():
    a, b = coded([["Good  day!", "other"]]), coded([["x y z", "good day !"]])
    assert a.hashes()[0] == b.hashes()[1]
    assert len({*a.hashes(), *b.hashes()}) == 3


def test_alternatives_are_words_of_one_token_and_count_as_often_as_their_word():
    texts = coded([["good day", "good bye bye bye"]])
    texts = with_alternatives(texts, "synonyms", {"good": ("fine", "very nice", "good", "nice", "ok")}, 2)
    texts = with_alternatives(texts, "typos", {"bye": ("bey",), "fine": ("fien",)}, 1)
    names = np.array([*texts.words, ""])
    own = {word: names[texts.synonyms[i]].tolist() for i, word in enumerate(texts.words)}
    assert own["good"] == ["fine", "nice"]
    assert own["bye"] == ["", ""]
    assert names[texts.typos[texts.words.index("fine")]] == "fien"
    counts = dict(zip(texts.words, texts.counts(), strict=True))
    assert counts == {"good": 2, "day": 1, "bye": 3, "fine": 2, "nice": 2, "bey": 0, "fien": 0}


def test_translations_are_rows_of_their_own():
    texts = with_translations(coded([["a b", "c"]]), [[["b a a", ""]], [["d", "c"]]])
    names = np.array([*texts.words, ""])
    assert texts.translations.shape == (2, 2, 3)
    assert names[texts.translations[0]].tolist() == [["b", "a", "a"], ["d", "", ""]]
    assert texts.take([1]).translations.shape == (1, 2, 3)
