"""Back-translation: other wordings of a text, by way of another language (Sennrich et al. 2016, arXiv:1511.06709).

It is run once, ahead of training. Who translates is behind one small protocol, `Translator`: `Apertium` (a program),
`Marian` (networks, through transformers) and `FunctionTranslator` (any callable).
"""

from tauten.text.translation.apertium import Apertium
from tauten.text.translation.back import BackTranslations, Translated, back_translations
from tauten.text.translation.marian import Marian
from tauten.text.translation.translator import FunctionTranslator, Translator

__all__ = [
    "Apertium",
    "BackTranslations",
    "FunctionTranslator",
    "Marian",
    "Translated",
    "Translator",
    "back_translations",
]
