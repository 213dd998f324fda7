from collections import Counter

import pytest
import torch
from sentences import LENGTH, acted, sentence, texts

from tauten.techniques.random_deletion import RandomDeletion


@pytest.mark.parametrize("words", [8, LENGTH])
def test_a_share_p_goes_and_the_others_close_up_in_their_order(words):
    left = [sentence(row) for row in acted(RandomDeletion(p=0.2), texts(words))]
    assert all(own == sorted(own) for own in left)
    kept = Counter(word for own in left for word in own)
    for word in range(1, words + 1):
        assert kept[word] / 2000 == pytest.approx(0.8, abs=0.04)


def test_what_may_stand_in_a_words_place_goes_with_it():
    for row in acted(RandomDeletion(p=0.5), texts(7, rows=50)):
        for word, first, second, typo in row[:4].T.int().tolist():
            assert (first, second, typo) == ((99 + word, 199 + word, 299 + word) if word else (0, 0, 0))


def test_one_word_always_stays_any_of_them():
    left = [sentence(row) for row in acted(RandomDeletion(p=0.9), texts(3))]
    assert min(map(len, left)) == 1
    alone = Counter(own[0] for own in left if len(own) == 1)
    assert set(alone) == {1, 2, 3}
    # All three would go in 0.9 cubed of the texts, and two in 3 · 0.9² · 0.1 of them.
    assert sum(alone.values()) / 2000 == pytest.approx(0.729 + 0.243, abs=0.02)
    assert min(alone.values()) / sum(alone.values()) == pytest.approx(1 / 3, abs=0.04)


def test_a_text_of_one_word_or_none_stays_and_off_deletes_none():
    for x, p in ((texts(1), 0.9), (texts(0), 0.9), (texts(6), 0.0)):
        assert torch.equal(acted(RandomDeletion(p=p), x), x)
