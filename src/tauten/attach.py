"""A recipe in your own loop: techniques grafted onto an ordinary `nn.Module`, real `torch.optim`, three calls a step.

    run = recipe.attach(model, task="classification", classes=10, steps_per_epoch=len(loader), seed=0)
    for epoch in range(run.epochs):
        for x, y in loader:
            run.loss(x, y).backward()
            run.step()
        if run.stop(validation_loss(run)):
            break
    run.deliver()

The module stays yours: its file is not touched, and after `deliver` it is an ordinary module with ordinary weights.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from tauten.draws import Draws
from tauten.engines.step import Scene, advance, autograd, averaged, changed, deliver
from tauten.errors import DataError, ModelError, OptionError, RecipeError, UsageError
from tauten.nets.base import Pass
from tauten.nets.graft import Ends, Grafted, as_targets, check_technique
from tauten.nets.module import check_module
from tauten.optim import BETA2, EPSILON
from tauten.partners import in_order, misfit
from tauten.recipe import Recipe
from tauten.technique import TASKS, Technique
from tauten.tensors import Tree


def attach(
    recipe: Recipe,
    model: nn.Module,
    *,
    task: str,
    classes: int | None = None,
    steps_per_epoch: int | None = None,
    seed: int = 0,
    targets: Tensor | None = None,
    pixels: Ends | None = None,
    words: int | None = None,
) -> "Attached":
    """Apply a recipe to `model` in a loop of your own; `recipe.attach(model, …)` is the same.

    `task` is "classification" (then `classes` is needed), "multilabel" (labels that exclude nobody, `classes` of them)
    or "regression" (standardize the targets, as the search does). `steps_per_epoch`, usually `len(loader)`, is needed
    by a schedule that falls; `targets`, those of all rows trained on, by a technique that learns from them;
    `pixels`, black and white in your images (numbers, or one a channel), by an augmentation of your own; `words`, the
    number of ids, where x holds texts as ids of words (B, L), 0 for no word: special pieces count as words there, so
    let the module put them on. What replaces words by others, such as synonyms, is for a search only. With the same
    start weights, batches and `seed`, the weights are those of a population's member.

    The module's own dropout layers (`nn.Dropout`, timm's DropPath …) are the places where dropout and the like act, at
    the recipe's rates, not their own; in a module without, every hidden activation (`nn.ReLU`, `F.gelu` …). Batch norm
    is not grafted: a module that holds a batch norm layer satisfies the recipe's `batch_norm`, with its own momentum.
    A form that also acts at inference, such as classic dropout's, is refused: its scale would live in a hook, which
    `state_dict` does not save, so a copy of the weights would predict wrongly without a word. The inverted form is
    equal in expectation.

    A batch norm layer whose parameters are all frozen stays in evaluation mode, as in a search.

    Raises RecipeError, ModelError or OptionError for what can't be attached, before any training.

    >>> from tauten.recipe import Recipe
    >>> from tauten.techniques.dropout import Dropout
    >>> model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    >>> run = Recipe((Dropout(p=0.2),)).attach(model, task="classification", classes=3)
    >>> loss = run.loss(torch.ones(8, 4), torch.zeros(8, dtype=torch.int64))
    >>> loss.backward()
    >>> run.step()
    >>> run.deliver()(torch.ones(2, 4)).shape
    torch.Size([2, 3])
    """
    if task not in TASKS:
        raise OptionError(f"task is {task!r}; it must be {', '.join(map(repr, TASKS[:-1]))} or {TASKS[-1]!r}.")
    if task != "regression" and (not isinstance(classes, int) or classes < 2):
        raise OptionError(f"classes is {classes!r}; {task} needs the number of classes, 2 or more.")
    if recipe.setting.schedule != "constant" and steps_per_epoch is None:
        raise OptionError(f"the schedule {recipe.setting.schedule!r} needs steps_per_epoch; give len(loader).")
    if steps_per_epoch is not None and steps_per_epoch < 1:
        raise OptionError(f"steps_per_epoch is {steps_per_epoch!r}; it must be 1 or more.")
    if words is not None and words < 2:
        raise OptionError(f"words is {words!r}; it must be the number of ids, 0 for no word included, 2 or more.")
    if not 0 <= seed < 2**63:
        raise OptionError(f"seed is {seed!r}; it must be a whole number from 0 to 2**63 - 1.")
    check_module(model)
    for t in recipe.techniques:
        if task not in t.tasks:
            raise RecipeError(f"{t.name} {misfit(type(t), task, t.data[0])}; take recipe.without({t.name!r}).")
        if not t.is_off:
            check_technique(t, model, targets, pixels)
    known = None if targets is None else as_targets(targets, task, classes, "targets")
    return Attached(recipe, model, task, classes, steps_per_epoch or 1, seed, known, pixels, words)


class Attached:
    """A recipe at work on a module; made by `attach`. `optimizer` is an ordinary `torch.optim` one."""

    def __init__(
        self,
        recipe: Recipe,
        model: nn.Module,
        task: str,
        classes: int | None,
        steps_per_epoch: int,
        seed: int,
        targets: Tensor | None,
        pixels: Ends | None,
        words: int | None,
    ) -> None:
        self.model, self.epochs = model, recipe.setting.epochs
        self._setting, self._task, self._classes, self._seed = recipe.setting, task, classes, seed
        self._length, self._targets, self._pixels = self.epochs * steps_per_epoch, targets, pixels
        self._net = Grafted(model, words)
        self._parameters = {k: p for k, p in model.named_parameters() if p.requires_grad}
        self.optimizer = self._optimizer()
        on = [t for t in recipe.techniques if not t.is_off]
        self._stopping = [t for t in on if "stop" in t.hooks]
        self._chosen = in_order(t for t in on if t.hooks != {"stop"})
        self._techniques: tuple[Technique, ...] | None = None
        self._own: dict[str, Tree] = {}
        self._step = 0
        self._scene: Scene | None = None
        self._history: list[float] = []
        self._best: tuple[Tree, Tree] | None = None
        self._finished = False
        self._finite = torch.tensor(True)

    @property
    def sick(self) -> bool:
        """True once a loss was NaN or infinite; the loss itself is passed on as it is."""
        return not bool(self._finite)

    def loss(self, x: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """The loss of a batch, 0-d, to call `backward()` on: data techniques, forward pass, loss techniques.

        x (B, …); y (B,) class codes, (B, K) class probabilities or labels, or (B,) or (B, K) regression targets; weight
        (B,) factors of the rows' losses, of mean 1 over all rows. Puts the module into training mode. DataError for
        targets that don't fit, ModelError for outputs that don't.
        """
        if self._finished:
            raise UsageError("loss() came after deliver(), which ended this run; attach the recipe again to go on.")
        if not torch.is_grad_enabled():
            raise UsageError("loss() is for training and gradients are off; use run.evaluate(x) for validation.")
        if self._scene is not None and any(p.grad is not None for p in self._parameters.values()):
            raise UsageError("loss() came again before step(); one batch is one step, so call run.step() after each.")
        if not isinstance(x, Tensor) or not isinstance(y, Tensor):
            raise DataError(f"loss() was given {type(x).__name__} and {type(y).__name__}; x and y must be tensors.")
        if y.ndim == 0 or x.ndim == 0 or len(x) != len(y):
            raise DataError(f"x has shape {tuple(x.shape)} and y {tuple(y.shape)}; both need one row an example.")
        if weight is not None and weight.shape != x.shape[:1]:
            raise DataError(f"weight has shape {tuple(weight.shape)} and x {tuple(x.shape)}; give one for each row.")
        y, x = as_targets(y, self._task, self._classes, "y"), self._net.rows(x)
        techniques = self._started(x)
        step = torch.tensor(self._step, device=x.device)
        draws = Draws(torch.tensor(self._seed, dtype=torch.int64, device=x.device), step, "step")
        x, y, weight = changed(techniques, draws, x, y, weight)
        before = {k: v.clone() for k, v in self.model.named_buffers()}
        lr = torch.tensor(self._setting.rate_at(self._step / self._length), device=x.device)
        scene = Scene(self._net, self._task, techniques, draws, before, x, y, lr, weight)
        out = self._net.live(x, Pass(techniques, draws))
        if out.shape != y.shape:
            raise ModelError(
                f"the module gives outputs of shape {tuple(out.shape)} and the targets need {tuple(y.shape)}; "
                "change its last layer."
            )
        loss = scene.loss(out, {**self._parameters})
        self._finite = self._finite.to(loss.device) & loss.detach().isfinite()
        self._scene = scene
        return loss

    def step(self) -> None:
        """Apply the gradient: gradient techniques, the optimizer at the schedule's rate, weight techniques, averages.

        Clears the gradients. SAM takes its second gradient here, on the same batch with the same masks.
        """
        scene, live = self._scene, self._parameters
        if scene is None:
            raise UsageError("step() came before loss(); the order is run.loss(x, y).backward(), then run.step().")
        if all(p.grad is None for p in live.values()):
            raise UsageError("step() found no gradients; call backward() on what run.loss(x, y) returns first.")
        w = {k: p.detach() for k, p in live.items()}
        g = {k: torch.zeros_like(p) if p.grad is None else p.grad for k, p in live.items()}
        for name, gradient in scene.gradient(g, w, autograd).items():
            live[name].grad = gradient
        moves = any(t.hooks & {"weights", "update"} for t in scene.techniques)
        old = _copy(w) if moves else w
        for group in self.optimizer.param_groups:
            group["lr"] = self._setting.rate_at(self._step / self._length)
        self.optimizer.step()
        if moves:
            new = scene.weights(_copy(w), old, self._preconditioner())
            state = {"techniques": self._own, "step": torch.tensor(self._step, device=scene.x.device)}
            self._own, new, buffers = advance(scene.techniques, state, new, _copy(dict(self.model.named_buffers())))
            self._put(new, buffers)
        self.optimizer.zero_grad()
        self._step, self._scene = self._step + 1, None

    @contextmanager
    def delivered(self) -> Iterator[nn.Module]:
        """The module as it would be delivered now, in evaluation mode; afterwards training goes on where it was.

        For validation of your own: `with run.delivered() as model: score = validate(model)`.
        """
        mode = self.model.training
        live = [_copy(tree) for tree in self._live()] if self._averages else []
        if live:
            self._put(*self._now())
        try:
            yield self.model.eval()
        finally:
            if live:
                self._put(*live)
            self.model.train(mode)

    def evaluate(self, x: Tensor) -> Tensor:
        """Outputs (B, K) of what would be delivered now, without gradients; draws nothing."""
        with self.delivered() as model, torch.no_grad():
            out: Tensor = model(x)
            return out

    def stop(self, loss: float | Tensor) -> bool:
        """Whether to stop, given this epoch's validation loss; the weights of the best epoch are kept.

        Take the loss from `evaluate` or `delivered`, so that it is that of the weights that are kept. Without a
        stopping technique in the recipe the answer is False and `deliver` takes the last weights.
        """
        self._history.append(float(torch.as_tensor(loss).detach()))
        answers = [t.stop(self._history) for t in self._stopping]
        if any(answer.best_epoch == len(self._history) for answer in answers):
            w, buffers = self._now()
            self._best = _copy(w), _copy(buffers)
        return any(answer.now for answer in answers)

    def deliver(self) -> nn.Module:
        """Load the best or averaged weights into the module and give it back in evaluation mode; ends the run."""
        if self._stopping and not self._history:
            name = self._stopping[0].name
            warnings.warn(
                f"{name} had no effect: call run.stop(validation loss) after each epoch, or take "
                f"recipe.without({name!r}).",
                stacklevel=2,
            )
        if not self._finished:
            self._put(*(self._best or self._now()))
            self._finished, self._scene, self._best = True, None, None
            self.optimizer.zero_grad()
        return self.model.eval()

    def _optimizer(self) -> torch.optim.Optimizer:
        parameters, setting = list(self._parameters.values()), self._setting
        if setting.optimizer == "sgd":
            return torch.optim.SGD(parameters, setting.learning_rate, setting.momentum)
        # Decay is a technique, so adam and adamw are the same step.
        return torch.optim.Adam(parameters, setting.learning_rate, weight_decay=0.0)

    def _preconditioner(self) -> Tree:
        if self._setting.optimizer == "sgd":
            return {k: torch.tensor(1 - self._setting.momentum, device=p.device) for k, p in self._parameters.items()}
        own = {k: self.optimizer.state[p] for k, p in self._parameters.items()}
        return {k: s["exp_avg_sq"].sqrt() / math.sqrt(1 - BETA2 ** float(s["step"])) + EPSILON for k, s in own.items()}

    def _started(self, x: Tensor) -> tuple[Technique, ...]:
        """The techniques with their values as tensors; needs one batch, since only a pass shows the activations."""
        if self._techniques is None:
            self._techniques = self._net.bind(self._chosen, x, self._targets, self._pixels)
            tree = averaged(*self._live())
            self._own = {t.name: t.init(_copy(tree)) for t in self._techniques if "init" in t.hooks}
            self.optimizer.zero_grad()
        return self._techniques

    def _live(self) -> tuple[Tree, Tree]:
        return {k: p.detach() for k, p in self._parameters.items()}, dict(self.model.named_buffers())

    def _now(self) -> tuple[Tree, Tree]:
        w, buffers = self._live()
        return deliver(self._techniques or (), {"w": w, "buffers": buffers, "techniques": self._own})

    @property
    def _averages(self) -> bool:
        """Whether what is delivered differs from the live weights; after `deliver` the module itself holds it."""
        return not self._finished and any("deliver" in t.hooks for t in self._techniques or ())

    @torch.no_grad()
    def _put(self, w: Tree, buffers: Tree) -> None:
        for live, given in zip(self._live(), (w, buffers), strict=True):
            for name, tensor in given.items():
                live[name].copy_(tensor)


def _copy(tree: Tree) -> Tree:
    return {name: tensor.clone() for name, tensor in tree.items()}
