"""Marian networks through transformers (Junczys-Dowmunt et al. 2018, arXiv:1804.00344)."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from tauten.errors import OptionError
from tauten.text.quiet import quiet_transformers


class Marian:
    """Marian's networks, each a local folder or a name on the hub, by pair of languages.

    `Marian({("eng", "spa"): "models/en-es", ("spa", "eng"): "models/es-en"})` translates there and back. A sentence is
    decoded by beam search with `beams` beams, `batch` sentences at a time, so the same is said every time.

    Raises (when it translates):
        OptionError: transformers is not installed, a pair has no network, or a network can't be read.
    """

    def __init__(
        self, models: Mapping[tuple[str, str], str], *, device: str = "cpu", batch: int = 32, beams: int = 4
    ) -> None:
        for option, value in (("batch", batch), ("beams", beams)):
            if value < 1:
                raise OptionError(f"{option} is {value!r}; give a whole number of at least 1")
        self._models = dict(models)
        self._device, self._batch, self._beams = device, batch, beams
        self._loaded: dict[tuple[str, str], tuple[Any, Any]] = {}

    @property
    def name(self) -> str:
        """The networks and the number of beams: all that decides what is said."""
        pairs = ", ".join(f"{a}-{b} {model}" for (a, b), model in sorted(self._models.items()))
        return f"marian {self._beams} ({pairs})"

    def translate(self, sentences: Sequence[str], source: str, target: str) -> list[str]:
        """Sentences from one language to another; past the network's longest input the rest of a sentence is lost."""
        tokenizer, network = self._load((source, target))
        # Sentences of like length need little padding.
        order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
        said = [""] * len(sentences)
        for start in range(0, len(order), self._batch):
            rows = order[start : start + self._batch]
            read = tokenizer([sentences[i] for i in rows], return_tensors="pt", padding=True, truncation=True)
            # A folder without its own limits would be cut at 20 tokens; one set to sample would not say the same twice.
            longest = network.config.max_position_embeddings
            written = network.generate(
                **read.to(self._device), num_beams=self._beams, do_sample=False, max_length=longest
            )
            for i, text in zip(rows, tokenizer.batch_decode(written, skip_special_tokens=True), strict=True):
                said[i] = " ".join(text.split())
        return said

    def _load(self, pair: tuple[str, str]) -> tuple[Any, Any]:
        if pair in self._loaded:
            return self._loaded[pair]
        source, target = pair
        if pair not in self._models:
            there = ", ".join(f"{a} to {b}" for a, b in sorted(self._models)) or "none"
            raise OptionError(
                f"no Marian network translates {source} to {target} (given: {there}); "
                f"give one as models[({source!r}, {target!r})]"
            )
        if any(find_spec(package) is None for package in ("transformers", "sentencepiece")):
            raise OptionError("Marian networks take the package transformers: run pip install 'tauten[transformers]'")
        from transformers import MarianMTModel, MarianTokenizer

        model = self._models[pair]
        try:
            with quiet_transformers():
                tokenizer = MarianTokenizer.from_pretrained(model)
                network = MarianMTModel.from_pretrained(model).to(self._device).eval()
        except (OSError, TypeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise OptionError(
                f"{model!r} can't be read as a Marian network ({reason}); "
                "give a folder that holds one, or its name on the hub"
            ) from error
        self._loaded[pair] = (tokenizer, network)
        return self._loaded[pair]
