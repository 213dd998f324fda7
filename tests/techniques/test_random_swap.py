from collections import Counter

import pytest
import torch
from sentences import LENGTH, acted, sentence, texts

from tauten.techniques.random_swap import RandomSwap


@pytest.mark.parametrize("words", [2, 6, LENGTH])
def test_a_share_p_of_an_even_number_of_words_moves_and_none_is_lost(words):
    x = texts(words)
    out = acted(RandomSwap(p=0.3), x)
    assert torch.equal(out[:, 0].sort(-1)[0], x[:, 0].sort(-1)[0])
    assert all(len(sentence(row)) == words for row in out)
    assert float((out[:, 0] != x[:, 0]).float().sum(-1).mean()) == pytest.approx(0.3 * words, abs=0.06 * words**0.5)


def test_what_may_stand_in_a_words_place_goes_with_it():
    out = acted(RandomSwap(p=1.0), texts(7, rows=50))
    for word, first, second, typo in out[:, :4].movedim(1, -1).reshape(-1, 4).int().tolist():
        assert (first, second, typo) == ((99 + word, 199 + word, 299 + word) if word else (0, 0, 0))


def test_all_ways_to_pair_words_are_as_likely():
    ways = Counter(tuple(sentence(row)) for row in acted(RandomSwap(p=1.0), texts(4)))
    assert set(ways) == {(2, 1, 4, 3), (3, 4, 1, 2), (4, 3, 2, 1)}
    assert min(ways.values()) / 2000 == pytest.approx(1 / 3, abs=0.05)
    thirds = Counter(tuple(sentence(row)) for row in acted(RandomSwap(p=1.0), texts(3)))
    assert set(thirds) == {(2, 1, 3), (3, 2, 1), (1, 3, 2)}


def test_one_word_stays_and_off_moves_none():
    for x, p in ((texts(1), 1.0), (texts(0), 1.0), (texts(6), 0.0)):
        assert torch.equal(acted(RandomSwap(p=p), x), x)
