"""A pretrained encoder of texts from a local folder, as transformers saves one, with a head for the targets."""

import copy
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tauten.data.texts import BUCKETS
from tauten.declare import Value
from tauten.errors import ModelError
from tauten.text.layout import TextLayout
from tauten.text.quiet import quiet_transformers
from tauten.text.reader import MOST, Reader

UNREADABLE = (OSError, TypeError, ValueError, KeyError, RuntimeError)
"""What transformers raises for a folder that holds no such network."""
HEAD = "ForSequenceClassification"
SPREAD = 0.02
"""Standard deviation of a new head's weights, as of BERT's (Devlin et al. 2019)."""
CHARACTERS = 16
"""Characters of a text that are looked at for each piece that is read."""


class PretrainedEncoder:
    """Builds networks of an encoder's folder (config.json, model.safetensors, tokenizer): what `--model FOLDER` takes.

    Every member begins with the folder's weights. Texts are cut into pieces by the folder's own tokenizer, at most
    `length` of them with its special ones; a folder made for as many classes keeps its head where rows hold nothing but
    text, else the mean over the pieces, beside the other columns, goes through a new linear layer. Parameters whose
    names begin with one of `frozen`, such as "embeddings" or "encoder.layer.0.", stay as they are.
    `setting` is what a search takes where nothing is asked: Devlin et al. (2019) fine-tune at 2e-5 to 5e-5 in batches
    of 16 or 32. Weights are read from safetensors alone, and no code of the folder is run.

    Raises ModelError for a folder that can't be read, a length out of range, and nothing to freeze.

        build = tauten.PretrainedEncoder("models/minilm", length=64, frozen=("embeddings",))
        tauten.search("reviews.csv", text="review", target="label", model=build)
    """

    setting: dict[str, Value] = {"learning_rate": 5e-5, "batch_size": 32}  # noqa: RUF012 - read only

    def __init__(self, folder: str | Path, *, length: int | None = None, frozen: Sequence[str] = ()) -> None:
        if find_spec("transformers") is None:
            raise ModelError(
                f"{str(folder)!r} is read by the package transformers, which is missing: run pip install "
                "'tauten[transformers]'."
            )
        self.folder, self.frozen = str(folder), tuple(frozen)
        self._config = self._read("AutoConfig")
        if self._config.is_encoder_decoder or getattr(self._config, "is_decoder", False):
            raise self._refused("it holds a network that writes texts; give an encoder, such as BERT's")
        tokenizer = self._read("AutoTokenizer")
        self._pad = int(tokenizer.pad_token_id or 0)
        self._before, self._after = _frame(tokenizer)
        self.reader = self._reader(tokenizer, length)
        self._unknown = int(tokenizer.unk_token_id if tokenizer.unk_token_id is not None else self._pad)
        names = [name for name, _ in self._encoder.named_parameters()]
        for start in self.frozen:
            if not any(name.startswith(start) for name in names):
                raise ModelError(f"frozen holds {start!r} and no parameter begins so; the first is {names[0]!r}.")

    def __call__(self, layout: TextLayout, outputs: int) -> "TextEncoder":
        """A network for rows of this layout with so many outputs."""
        kept = self._classifier if outputs == self._config.num_labels and not layout.features else None
        encoder = copy.deepcopy(kept or self._encoder)
        for name, parameter in encoder.named_parameters():
            own = name.removeprefix(f"{encoder.base_model_prefix}.")
            parameter.requires_grad_(not any(own.startswith(start) for start in self.frozen))
        head = None if kept is not None else _head(self._config.hidden_size + layout.features, outputs)
        return TextEncoder(encoder, head, self._before, self._after, self._pad, self._unknown)

    def _reader(self, tokenizer: Any, length: int | None) -> Reader:
        special = len(self._before) + len(self._after)
        most = min(int(tokenizer.model_max_length), int(getattr(self._config, "max_position_embeddings", MOST)))
        asked = min(MOST, most) if length is None else length
        if not special < asked <= most:
            raise ModelError(f"length is {length!r}; {self.folder!r} reads {special + 1} to {most} pieces.")
        pieces = asked - special

        def tokens(text: str, most: int) -> list[str]:
            found: list[str] = tokenizer.tokenize(text[: CHARACTERS * max(most, MOST)])
            return found[:most]

        numbers = {number: piece for piece, number in tokenizer.get_vocab().items()}
        # A number without a piece keeps its place.
        vocabulary = tuple(numbers.get(i, f"\x1f{i}") for i in range(max(numbers) + 1))
        return Reader(tokens, pieces, tokenizer.sep_token or tokenizer.eos_token or vocabulary[self._pad], vocabulary)

    @cached_property
    def _encoder(self) -> Any:
        network = self._weights("AutoModel")
        # Nothing reads what it pools: of a head of one's own it would be dead weight.
        if getattr(network, "pooler", None) is not None:
            network.pooler = None
        return network

    @cached_property
    def _classifier(self) -> Any | None:
        own = self._config.architectures or ()
        return self._weights(f"AutoModel{HEAD}") if any(name.endswith(HEAD) for name in own) else None

    def _weights(self, kind: str) -> Any:
        # Written out, attention's own dropout is a place like others; torch's fused one is closed to the recipe.
        how = {"use_safetensors": True, "attn_implementation": "eager", "output_loading_info": True}
        network, found = self._read(kind, **how)
        if missing := [name for name in found["missing_keys"] if "pooler" not in name]:
            raise self._refused(f"its weights lack {sorted(missing)[0]!r} and {len(missing) - 1:,} more")
        return network.float()

    def _read(self, kind: str, **options: Any) -> Any:
        import transformers

        if not Path(self.folder, "config.json").is_file():
            raise self._refused("it has no config.json")
        try:
            with quiet_transformers():
                reader = getattr(transformers, kind)
                return reader.from_pretrained(self.folder, local_files_only=True, trust_remote_code=False, **options)
        except UNREADABLE as error:
            raise self._refused(str(error).strip().splitlines()[0].rstrip(".")) from error

    def _refused(self, why: str) -> ModelError:
        return ModelError(
            f"{self.folder!r} can't be read as a pretrained encoder ({why}); give a folder that save_pretrained wrote, "
            "with config.json, model.safetensors and its tokenizer."
        )


class TextEncoder(nn.Module):
    """An encoder over ids of pieces, (B, L) as Tauten numbers them, and numbers of the other columns (B, d)."""

    def __init__(
        self,
        encoder: nn.Module,
        head: nn.Linear | None,
        before: Sequence[int],
        after: Sequence[int],
        pad: int,
        unknown: int,
    ) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head
        self._before, self._after, self._pad, self._unknown = tuple(before), tuple(after), pad, unknown

    def forward(self, ids: Tensor, numbers: Tensor | None = None) -> Tensor:
        """Outputs (B, K)."""
        pieces, there = self.framed(ids)
        out = self.encoder(input_ids=pieces, attention_mask=there.to(torch.int64))
        if self.head is None:
            own: Tensor = out.logits
            return own
        weight = there.unsqueeze(-1)
        mean = (out[0] * weight).sum(1) / weight.sum(1).clamp_min(1)
        return torch.as_tensor(self.head(mean if numbers is None else torch.cat((mean, numbers), 1)))

    def framed(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """The pieces (B, L + special ones) as the encoder numbers them, and where there are any.

        Special ones stand before the first and after the last piece; a place in between that holds none is hidden.
        """
        there = ids > 0
        own = torch.where(ids > BUCKETS, ids - 1 - BUCKETS, self._unknown)
        first, size = len(self._before), ids.shape[1]
        at = torch.arange(size + first + len(self._after), device=ids.device)
        end = first + (there * torch.arange(1, size + 1, device=ids.device)).amax(1, keepdim=True)
        pieces = torch.nn.functional.pad(torch.where(there, own, self._pad), (first, len(self._after)), value=self._pad)
        seen = torch.nn.functional.pad(there, (first, len(self._after)), value=False)
        frame = [(at == i, piece) for i, piece in enumerate(self._before)]
        frame += [(at == end + i, piece) for i, piece in enumerate(self._after)]
        for place, piece in frame:
            pieces, seen = torch.where(place, piece, pieces), seen | place
        return pieces, seen


def _frame(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special pieces before and after a text."""
    bare, whole = (tokenizer("a", add_special_tokens=special)["input_ids"] for special in (False, True))
    start = next(i for i in range(len(whole) + 1) if whole[i : i + len(bare)] == bare)
    return whole[:start], whole[start + len(bare) :]


def _head(inputs: int, outputs: int) -> nn.Linear:
    head = nn.Linear(inputs, outputs)
    nn.init.normal_(head.weight, std=SPREAD)
    nn.init.zeros_(head.bias)
    return head
