import pytest
import torch
from sentences import LAYOUT, LENGTH, acted, texts

from tauten.techniques.span_cutoff import SpanCutoff


def cuts(share, words):
    """(first place, length) of what is cut out of each text."""
    x = texts(words)
    out = acted(SpanCutoff(share=share), x)
    gone = (out[:, 0] == 0) & (x[:, 0] > 0)
    assert torch.equal(out[:, : LAYOUT.aligned], torch.where(gone.unsqueeze(1), 0.0, x[:, : LAYOUT.aligned]))
    return [(int(row.nonzero()[0]), int(row.sum()), row) for row in gone if row.any()], len(x)


@pytest.mark.parametrize("words", [7, LENGTH])
def test_neighbouring_words_go_from_none_to_a_share_of_them(words):
    found, rows = cuts(0.4, words)
    for first, length, row in found:
        assert row[first : first + length].all()
        assert length <= -(-0.4 * words // 1)
    assert sum(length for _, length, _ in found) / rows == pytest.approx(0.4 * words / 2, abs=0.1)
    assert 0.05 < 1 - len(found) / rows < 0.3, "some texts stay whole"
    assert {first + length for first, length, _ in found} >= {words, words - 1}
    assert min(first for first, _, _ in found) == 0


def test_of_two_words_one_stays():
    found, _ = cuts(0.9, 2)
    assert {length for _, length, _ in found} == {1}
    firsts = [first for first, _, _ in found]
    assert sum(firsts) / len(firsts) == pytest.approx(0.5, abs=0.05)


def test_one_word_stays_and_off_cuts_none():
    for x, share in ((texts(1), 0.9), (texts(0), 0.9), (texts(6), 0.0)):
        assert torch.equal(acted(SpanCutoff(share=share), x), x)
