import torch
from scipy import stats

from tauten.draws import Draws
from tauten.techniques.embedding_dropout import EmbeddingDropout
from tauten.text.layout import TextLayout
from tauten.wording import reading

LAYOUT = TextLayout(length=12, ids=700, synonyms=1, translations=1, features=5)
P = [0.3, 0.0, 0.8]


def texts(rows=150):
    g = torch.Generator().manual_seed(0)
    x = torch.randint(1, LAYOUT.ids, (3, rows, LAYOUT.planes, LAYOUT.length), generator=g).float()
    x[:, :, :2, 9:] = 0
    return x


def dropped(x, step=0):
    technique = reading(EmbeddingDropout().with_values({"p": torch.tensor(P)}), LAYOUT)
    draws = Draws(torch.tensor([4, 5, 6]), torch.full((3,), step), "here")
    y = torch.zeros(3, x.shape[1], 2)
    out, same = technique.batch(x, y, draws)
    assert torch.equal(same, y)
    return out


def test_a_word_is_gone_from_all_texts_of_a_batch_or_from_none_and_its_alternatives_with_it():
    x = texts()
    out = dropped(x)
    for member, p in enumerate(P):
        before, after = x[member, :, 0], out[member, :, 0]
        gone = set(before[(after == 0) & (before > 0)].tolist())
        left = set(after[after > 0].tolist())
        assert not gone & left
        assert gone | left == set(before[before > 0].tolist())
        low, high = stats.binom.interval(0.999, len(gone | left), p) if p else (0, 0)
        assert low <= len(gone) <= high
        beside = torch.where((after == 0) & (before > 0), 0.0, x[member, :, 1])
        assert torch.equal(out[member, :, 1], beside)
    assert torch.equal(out[1], x[1])
    assert torch.equal(out[:, :, 2:], x[:, :, 2:])
    assert not torch.equal(out[0], dropped(x, step=1)[0])


def test_it_is_a_table_of_word_vectors_with_rows_of_zeros():
    x = texts()[:, :40]
    out = dropped(x)
    table = torch.randn(LAYOUT.ids, 4, generator=torch.Generator().manual_seed(1))
    table[0] = 0
    for member in range(3):
        before, after = x[member, :, 0].long(), out[member, :, 0].long()
        rows = table.clone()
        rows[before[(after == 0) & (before > 0)]] = 0
        want = torch.nn.functional.embedding(before, rows)
        assert torch.equal(torch.nn.functional.embedding(after, table), want)
