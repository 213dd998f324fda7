import pytest
import torch
from sentences import acted, texts

from tauten.techniques.character_noise import CharacterNoise


def test_a_word_that_has_typos_is_misspelt_with_probability_p():
    x = texts(5)
    x[:, 3, 1] = 0
    out = acted(CharacterNoise(p=0.25), x)
    for i in range(5):
        misspelt = out[:, 0, i] == 300 + i
        assert ((out[:, 0, i] == 1 + i) | misspelt).all()
        assert float(misspelt.float().mean()) == pytest.approx(0.0 if i == 1 else 0.25, abs=0.04)
    assert not out[:, 0, 5:].any()
    assert torch.equal(acted(CharacterNoise(p=0.0), x), x)
