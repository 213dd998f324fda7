"""The delivered model: weights, preprocessing and recipe together; safetensors and JSON, never pickle."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tauten.conformal import half_width
from tauten.data import Encoder, Learnt, TargetScale, TextPreprocessor, VectorPreprocessor, learnt_from_json
from tauten.errors import OptionError, RunError
from tauten.member import Delivered
from tauten.nets.base import Net, Pass
from tauten.nets.built_in import built_in
from tauten.nets.encoder import PretrainedEncoder
from tauten.nets.module import ModuleNet
from tauten.partners import in_order
from tauten.recipe import OWN, Recipe
from tauten.technique import Technique, techniques
from tauten.tensors import one_thread
from tauten.text.layout import TextLayout

FORMAT = "tauten model 1"
ROWS = 128
"""Rows of an evaluation batch; the last is filled up, so a row's bits don't depend on how many are asked for."""


def _evaluation(techniques: Sequence[Technique]) -> Pass:
    return Pass(techniques, None)


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A trained network that takes rows as the person has them.

    Shapes: X is a table (n, columns), or an array (n, …), as given to search. `predict` gives class names or numbers
    (n,), or zeros and ones of labels or numbers (n, K) where there are several `targets`; `predict_proba` probabilities
    (n, K) in the order of `classes`, or of the labels. `residuals` (m,) are what prediction intervals are made of:
    sizes of out-of-fold errors of a regression, as `conformal.quantiles` keeps them.
    """

    recipe: Recipe
    delivered: Delivered
    preprocessor: Learnt
    scale: TargetScale | None
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    build: Callable[..., nn.Module] | None = None
    residuals: npt.NDArray[np.float64] | None = None

    def outputs(self, X: Any) -> Tensor:
        """Raw network outputs (n, K) for a table: logits, or standardized numbers."""
        return self.forward(torch.from_numpy(self.preprocessor.transform(X)))

    def forward(self, x: Tensor, passing: Callable[[Sequence[Technique]], Pass] = _evaluation) -> Tensor:
        """Raw network outputs (n, K) for preprocessed inputs (n, …); `passing` makes the pass of each batch."""
        net = self.net(x)
        w, buffers = (net.padded(tree) for tree in (self.delivered.w, self.delivered.buffers))
        techniques = [t.alone(net.layers, x.device) for t in in_order(self.recipe.techniques)]
        parts = []
        with torch.no_grad(), one_thread() if self.module is None else nullcontext():
            for rows in torch.split(x, ROWS):
                full = rows[torch.arange(ROWS) % len(rows)]
                parts.append(net.forward(w, buffers, full, passing(techniques))[0][: len(rows)])
        return torch.cat(parts)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Classes as text (n,), labels as 0 and 1 (n, K), or numbers (n,), of several targets (n, K)."""
        out = self.outputs(X)
        if self.classes:
            names: npt.NDArray[np.str_] = np.array(self.classes)[out.argmax(-1).numpy()]
            return names
        if self.scale is None:
            return (out > 0).long().numpy()
        return self.scale.restore((out if len(self.targets) > 1 else out.squeeze(-1)).double().numpy())

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Class probabilities (n, K), or each label's; RunError in regression."""
        if self.scale is not None:
            raise RunError("a regression model has no class probabilities; call predict.")
        out = self.outputs(X).double()
        return np.asarray(torch.softmax(out, -1) if self.classes else torch.sigmoid(out))

    def predict_interval(self, X: Any, level: float = 0.9) -> npt.NDArray[np.float64]:
        """(n, 2): from where to where a share `level` of such rows' targets lies (see `tauten.conformal`).

        OptionError for a level out of range, or where no residuals were kept: in classification, with weights, with
        several targets.
        """
        if self.residuals is None:
            raise OptionError(
                "prediction intervals are for a regression of one target without weights; leave the interval out."
            )
        half = half_width(self.residuals, level)
        return np.stack([(middle := self.predict(X)) - half, middle + half], 1)

    def module(self, X: Any) -> nn.Module:
        """Your own network with the delivered weights, ready for inference; X gives the shape of its input.

        RunError where the built-in network was searched.
        """
        if self.build is None:
            raise RunError("the built-in network was searched, not a module of your own; call predict.")
        net = self._wrapped(self.build, torch.from_numpy(self.preprocessor.transform(X)))
        return net.load(self.delivered.w, self.delivered.buffers)

    def save(self, folder: str | Path) -> None:
        """Write model.safetensors: tensors, and everything else as JSON in its metadata."""
        from safetensors.torch import save_file

        about = {
            "format": FORMAT,
            "recipe": self.recipe.to_dict(),
            "preprocessor": self.preprocessor.to_json(),
            "scale": self.scale.to_json() if self.scale else None,
            "classes": self.classes,
            "targets": self.targets,
            "module": self.build is not None,
        }
        named = {f"w.{k}": v for k, v in self.delivered.w.items()}
        named |= {f"buffers.{k}": v for k, v in self.delivered.buffers.items()}
        named |= {} if self.residuals is None else {"residuals": torch.from_numpy(self.residuals)}
        tensors = {k: v.contiguous() for k, v in named.items()}
        save_file(tensors, Path(folder) / "model.safetensors", {"tauten": json.dumps(about)})

    @classmethod
    def load(cls, folder: str | Path, build: Callable[..., nn.Module] | None = None, embed: str | None = None) -> Self:
        """Read what `save` wrote; a model of the user's own module needs its `build` again, and one of sentence vectors
        the "file.py:function" that gives them, since a file of weights names no code."""
        from safetensors import SafetensorError, safe_open

        path = Path(folder) / "model.safetensors"
        try:
            with safe_open(path, "pt") as stored:
                about = json.loads((stored.metadata() or {})["tauten"])
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - not a mapping
        except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
            raise RunError(
                f"no model can be read from {str(path)!r} ({error.__class__.__name__}); give a run folder."
            ) from None
        if about["module"] and build is None:
            raise RunError(
                f"{str(path)!r} holds weights of a module of your own; pass the function that builds it, or --model."
            )
        preprocessor = learnt_from_json(about["preprocessor"])
        if isinstance(preprocessor, VectorPreprocessor):
            if embed is None:
                raise RunError(
                    f"{str(path)!r} holds a model that reads sentence vectors; pass embed, the FILE.py:FUNCTION of its "
                    "search, or --embed."
                )
            preprocessor = dataclasses.replace(preprocessor, encoder=Encoder.of(embed))
        if isinstance(preprocessor, TextPreprocessor) and preprocessor.reader is None:
            reader = build.reader if isinstance(build, PretrainedEncoder) else None
            if reader is None or reader.vocabulary != preprocessor.words:
                raise RunError(
                    f"{str(path)!r} holds a model that reads the pieces of words of a pretrained encoder, which is not "
                    "the model given; pass the same, such as --model FOLDER."
                )
            preprocessor = dataclasses.replace(preprocessor, reader=reader)
        w, buffers = ({k.removeprefix(p): v for k, v in tensors.items() if k.startswith(p)} for p in ("w.", "buffers."))
        return cls(
            _recipe(about["recipe"]),
            Delivered(w, buffers),
            preprocessor,
            TargetScale.from_json(about["scale"]) if about["scale"] else None,
            tuple(about["classes"]),
            tuple(about["targets"]),
            build,
            tensors["residuals"].numpy() if "residuals" in tensors else None,
        )

    def net(self, x: Tensor) -> Net:
        """The network without its weights, for preprocessed inputs (n, …)."""
        if self.build is not None:
            return self._wrapped(self.build, x)
        structure = [t for t in self.recipe.techniques if t.structural()]
        return built_in(x.shape[1:], self._outputs, self.recipe.setting, structure, layout=self._layout)

    def _wrapped(self, build: Callable[..., nn.Module], x: Tensor) -> ModuleNet:
        return ModuleNet(build, x[:2], check=False, layout=self._layout, outputs=self._outputs)

    @property
    def _outputs(self) -> int:
        return len(self.classes) or len(self.targets)

    @property
    def _layout(self) -> TextLayout | None:
        return self.preprocessor.layout if isinstance(self.preprocessor, TextPreprocessor) else None


def _recipe(stored: dict[str, Any]) -> Recipe:
    """The recipe, less what a person made of functions that aren't known here: those act in training alone."""
    here = {k: v for k, v in stored["techniques"].items() if OWN not in v or k in techniques()}
    return Recipe.from_dict({**stored, "techniques": here})
