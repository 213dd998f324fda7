import pytest
import torch

from tauten.techniques.back_translation import BackTranslation
from tauten.text.layout import TextLayout
from tauten.wording import reading

LAYOUT = TextLayout(length=6, ids=100, synonyms=2, typos=1, translations=3, features=2)
MEMBERS, ROWS = 3, 40


@pytest.fixture
def rows():
    """Texts whose ids begin at 10, translations at 20, 30 and 40; every fourth row has none."""
    x = torch.zeros(MEMBERS, ROWS, LAYOUT.planes, 6)
    x[..., :4, :4] = torch.arange(10.0, 14).expand(MEMBERS, ROWS, 4, 4)
    for i in range(3):
        x[..., 4 + i, : 5 - i] = torch.arange(20.0 + 10 * i, 25.0 + 9 * i)
    x[:, ::4, 4:7] = 0
    x[..., 7, :2] = torch.randn(MEMBERS, ROWS, 2, generator=torch.Generator().manual_seed(0))
    return x


def bound(p):
    return reading(BackTranslation().with_values({"p": torch.tensor(p)}), LAYOUT)


def test_a_text_becomes_one_of_its_translations_whole_and_without_alternatives(rows, place, numbers):
    p = [0.0, 0.5, 1.0]
    y = torch.zeros(MEMBERS, ROWS, 2)
    out, labels = bound(p).batch(rows, y, place())
    drawn, which = numbers()[..., 0], numbers("here/which")[..., 0]
    for i in range(MEMBERS):
        for j in range(ROWS):
            want = rows[i, j].clone()
            if drawn[i, j] < p[i] and j % 4:
                want[0] = rows[i, j, 4 + int(which[i, j] * 3)]
                want[1:4] = 0
            assert torch.equal(out[i, j], want), (i, j)
    assert labels is y
    assert torch.equal(out[0], rows[0])
    assert {int(v) for v in out[2, :, 0, 0]} == {10, 20, 30, 40}, "all languages are taken, and a text without stays"


def test_each_language_is_as_likely_and_steps_are_unlike(rows, place):
    technique, y = bound([0.6] * 3), torch.zeros(MEMBERS, ROWS, 2)
    has = torch.arange(ROWS) % 4 > 0
    first = torch.stack([technique.batch(rows, y, place(step=s))[0][:, has, 0, 0] for s in range(60)])
    shares = [(first == begin).double().mean().item() for begin in (10, 20, 30, 40)]
    assert shares == pytest.approx([0.4, 0.2, 0.2, 0.2], abs=0.02)  # 5,400 draws: three standard errors
    assert not (first == first[:1]).all()
