"""One slip of the hand: what is changed, what is never touched, and that a draw stays where it is."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tauten.text.typos import typos

WORDS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=12)


def slip(word, other):
    """The one swap, deletion, insertion or replacement between two words, found by comparing them."""
    start = next((i for i, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other)))
    a, b = word[start:], other[start:]
    if a[:2] == b[:2][::-1] and a[2:] == b[2:]:
        return "swap"
    return {(a[1:], b): "deletion", (a, b[1:]): "insertion", (a[1:], b[1:]): "replacement"}.get(
        next((pair for pair in ((a[1:], b), (a, b[1:]), (a[1:], b[1:])) if pair[0] == pair[1]), None)
    )


@given(WORDS, st.integers(0, 2**40))
def test_every_variant_is_one_slip_inside_the_word(word, seed):
    variants = typos(word, 8, seed)
    assert len(variants) == len(set(variants)) > 0
    for other in variants:
        assert slip(word, other)
        assert (other[0], other[-1]) == (word[0], word[-1])


@given(WORDS, st.integers(0, 9))
def test_a_variant_does_not_depend_on_how_many_are_asked_for(word, count):
    assert typos(word, 12)[:count] == typos(word, count)


def test_seeds_and_kinds_are_all_drawn():
    drawn = [typos("wonderful", 1, seed)[0] for seed in range(2000)]
    kinds = Counter(slip("wonderful", other) for other in drawn)
    assert set(kinds) == {"swap", "deletion", "insertion", "replacement"}
    # A quarter each: five standard deviations of a share of 2,000 are 0.048.
    assert all(abs(n / 2000 - 0.25) < 0.048 for n in kinds.values())
    assert len(set(drawn)) > 60


def test_the_same_word_has_the_same_typos_on_every_machine():
    assert typos("wonderful", 3) == ("wonnderful", "woderful", "wonderufl")


def test_a_wrong_key_lies_beside_the_right_one():
    beside = {other[1] for other in typos("sgas", 99) if len(other) == 4 and other[2:] == "as"}
    assert beside == set("fhtyvb")


@pytest.mark.parametrize(
    "word", ["", "bad", "été", "2001", "k-19", "b2b-sales", "👍🏽👍🏽", "...", "--''", "a-b-c", "नमस्ते"]
)
def test_short_words_numbers_and_pictures_stay(word):
    assert typos(word, 5) == ()


@pytest.mark.parametrize("word", ["größe", "привет", "don't", "well-made", "café", "שלומות"])
def test_words_of_any_alphabet_slip_and_keep_their_marks(word):
    marks = [c for c in word if not c.isalpha()]
    for other in typos(word, 5):
        assert slip(word, other)
        assert [c for c in other if not c.isalpha()] == marks


def test_a_word_runs_out_of_slips():
    assert set(typos("aaaa", 999)) == set(typos("aaaa", 9999))
    assert set(typos("ффффф", 9)) == {"фффф", "фффффф"}
    assert typos("wonderful", 0) == ()
