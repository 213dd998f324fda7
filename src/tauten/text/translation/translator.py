"""Who translates: the protocol, and any callable behind it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tauten.errors import OptionError


class Translator(Protocol):
    """Translates sentences; `name` tells its translations from those of another in a cache."""

    @property
    def name(self) -> str: ...

    def translate(self, sentences: Sequence[str], source: str, target: str) -> list[str]:
        """As many sentences as were given, in their order; no sentences ask only whether the pair can be translated.

        Raises:
            OptionError: it can't be; the message says what to install or to give.
        """
        ...


@dataclass(frozen=True)
class FunctionTranslator:
    """Any callable (sentences, source, target) -> translations; give it another `name` when it translates otherwise.

    >>> loud = FunctionTranslator(lambda sentences, source, target: [s.upper() for s in sentences], name="loud")
    >>> loud.translate(["a film"], "eng", "loud")
    ['A FILM']
    """

    function: Callable[[list[str], str, str], Sequence[str]]
    name: str

    def translate(self, sentences: Sequence[str], source: str, target: str) -> list[str]:
        return list(self.function(list(sentences), source, target)) if sentences else []


def translated(translator: Translator, sentences: Sequence[str], source: str, target: str) -> list[str]:
    """What the translator gives, once it is a text for every sentence.

    Raises:
        OptionError: it is not.
    """
    given = translator.translate(sentences, source, target)
    if len(given) != len(sentences):
        raise OptionError(
            f"{translator.name} gave {len(given)} translations of {len(sentences)} sentences ({source} to {target}); "
            "give one for each, in their order"
        )
    for text in given:
        if not isinstance(text, str):
            raise OptionError(
                f"{translator.name} gave {text!r} as a translation ({source} to {target}); give a str for each sentence"
            )
    return given
