import pytest
import torch
from sentences import acted, sentence, texts

from tauten.techniques.synonym_replacement import SynonymReplacement


def test_a_word_that_has_synonyms_becomes_one_of_them_with_probability_p():
    out = acted(SynonymReplacement(p=0.4), texts(6, known={0, 2, 5}))
    for i in range(6):
        seen = out[:, 0, i]
        shares = [float((seen == word).float().mean()) for word in (1 + i, 100 + i, 200 + i)]
        assert shares == pytest.approx([0.6, 0.2, 0.2] if i in (0, 2, 5) else [1, 0, 0], abs=0.04)
    assert torch.equal(out[:, 1:], texts(6, known={0, 2, 5})[:, 1:])
    assert not out[:, 0, 6:].any()


def test_of_one_synonym_there_is_no_choice_and_every_step_draws_anew():
    x = texts(4)
    x[:, 2] = 0
    assert sentence(acted(SynonymReplacement(p=1.0), x)[7]) == [100, 101, 102, 103]
    steps = [acted(SynonymReplacement(p=0.5), x, step=step)[:, 0] for step in range(2)]
    assert not torch.equal(*steps)
    assert torch.equal(acted(SynonymReplacement(p=0.0), x), x)
