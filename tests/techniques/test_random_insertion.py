from collections import Counter
from itertools import pairwise

import pytest
import torch
from sentences import LENGTH, acted, sentence, texts

from tauten.techniques.random_insertion import RandomInsertion


def test_synonyms_of_the_texts_own_words_come_before_its_words():
    counts, places, ids = [], Counter(), Counter()
    for row in acted(RandomInsertion(p=0.3), texts(4, known={0, 3})):
        words = sentence(row)
        new = [word for word in words if word >= 100]
        assert [word for word in words if word < 100] == [1, 2, 3, 4]
        assert words[-1] == 4
        counts.append(len(new))
        places.update(after for before, after in pairwise(words) if before >= 100)
        ids.update(new)
    total = sum(counts)
    assert total / len(counts) == pytest.approx(4 * 0.3, abs=0.08)
    assert set(ids) == {100, 200, 103, 203}
    assert set(places) == {1, 2, 3, 4}
    for seen in (ids, places):
        assert min(seen.values()) / total == pytest.approx(0.25, abs=0.05)


def test_a_words_synonyms_move_with_it_and_a_new_word_has_none():
    for row in acted(RandomInsertion(p=0.5), texts(5, rows=50)):
        for word, first, second, typo in row[:4].T.int().tolist():
            known = 0 < word < 100
            assert (first, second, typo) == ((99 + word, 199 + word, 299 + word) if known else (0, 0, 0))


def test_what_is_pushed_out_at_the_end_is_lost():
    for row in acted(RandomInsertion(p=0.5), texts(LENGTH, rows=50)):
        old = [word for word in sentence(row) if word < 100]
        assert old == list(range(1, 1 + len(old)))
        assert len(sentence(row)) == LENGTH


def test_texts_without_synonyms_stay_and_off_inserts_nothing():
    for x, p in ((texts(5, known=set()), 0.5), (texts(0), 0.5), (texts(5), 0.0)):
        assert torch.equal(acted(RandomInsertion(p=p), x), x)
