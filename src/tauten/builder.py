"""Which network and which engine train a recipe on a kind of data."""

import sys
from collections.abc import Callable

from torch import nn

from tauten.engines.native import able, bf16
from tauten.engines.single import Single
from tauten.engines.slots import Lift
from tauten.engines.stacked import Stacked
from tauten.engines.vmapped import Vmapped, mappable
from tauten.errors import OptionError, RecipeError
from tauten.member import Group, Member, Source
from tauten.native.library import describe
from tauten.nets.base import Net
from tauten.nets.built_in import built_in, convolves
from tauten.nets.convnet import ConvNet
from tauten.nets.mlp import MLP
from tauten.nets.module import ModuleNet
from tauten.nets.textnet import Kim
from tauten.partners import check_fit
from tauten.recipe import Recipe
from tauten.setting import Setting

BLOCK_WEIGHTS, BLOCK_SLOTS = (2**20, 2**23), 32
"""Weights of a torch block, about, and the most slots it has: enough that its operations are long, since threads take
turns in Python between them; few enough to stay near the cache."""
SHIFT_WEIGHTS = 2**27
"""Of a module of one's own, that a shift of the race holds at once: with gradients and the optimizer's state 2 GiB."""


def size_of(net: Net) -> int:
    """Weights of one member."""
    return sum(leaf.numel() for leaf in net.init([0])[0].values())


class Builder:
    """Makes the network and the engine of a group: a built-in one, or the user's module.

    `native=False` trains on torch engines only. `precision` is that of the native engine's matrix products and the
    convnet's convolutions in training: `fp32`, `bf16` where the processor has instructions for it, or `auto`, bf16
    where it can be. All else is fp32.
    """

    def __init__(
        self,
        source: Source,
        module: Callable[..., nn.Module] | None = None,
        *,
        native: bool = True,
        precision: str = "fp32",
    ) -> None:
        self._native = native and module is None and source.loss is None and source.layout is None
        able_bf16 = self._native and bf16()
        if precision == "bf16" and not able_bf16:
            raise OptionError(
                f"precision is {precision!r}, which needs a built-in network with a built-in loss, the native "
                "engine and a processor with AVX512-BF16; take fp32."
            )
        self.precision = ("bf16" if able_bf16 else "fp32") if precision == "auto" else precision
        self._source, self._outputs = source, source.targets.shape[1]
        self._sizes: dict[Group, int] = {}
        self.data, self.layout = source.data, source.layout
        self.module = (
            ModuleNet(module, source.inputs[:2], layout=source.layout, outputs=self._outputs) if module else None
        )
        if self.module and self.module.outputs != self._outputs:
            raise OptionError(
                f"the module gives {self.module.outputs} outputs and {self._outputs} are needed; change its last layer."
            )

    def check(self, recipe: Recipe) -> None:
        """RecipeError where the recipe can't act on this network or on this data."""
        check_fit(recipe.techniques, self._source.task, self.data, self.layout)
        for t in recipe.techniques:
            if self.module and not t.grafts():
                raise RecipeError(f"{t.name} can't be grafted onto a module; put it into the module itself.")

    def net(self, recipe: Recipe) -> Net:
        """A network for one engine."""
        if self.module:
            return self.module.fresh()
        structure = [t for t in recipe.techniques if t.structural()]
        inputs = self._source.seen(recipe.setting).shape[1:]
        return built_in(inputs, self._outputs, recipe.setting, structure, self.precision, self._source.layout)

    def network(self, recipe: Recipe) -> str:
        """What its network is called: a built-in one as a setting names it, or `module`."""
        return "module" if self.module else type(self.net(recipe)).__name__.lower()

    def engine(self, recipe: Recipe) -> str:
        """Who trains it, as a person reads it."""
        net = self.net(recipe)
        if isinstance(net, MLP):
            return describe()
        return f"torch, {'one at a time' if self.alone(recipe) else 'stacked'}"

    def alone(self, recipe: Recipe) -> bool:
        """Whether torch trains its members one at a time, so that company speeds up nobody."""
        return isinstance(self.lift(self.net(recipe), recipe.setting.batch_size), Single)

    def size(self, recipe: Recipe) -> int:
        """Weights of its network, padding included: what a gradient evaluation costs goes by them."""
        key = Group.of(Member(0, recipe, 0), self._source)
        return self._sizes.get(key) or self._sizes.setdefault(key, size_of(self.net(recipe)))

    def work(self, recipe: Recipe, source: Source, epochs: int) -> int:
        """What a training costs: its gradient evaluations, each by the weights of the network."""
        group = Group.of(Member(0, recipe, 0), source)
        return group.epoch_steps * group.passes * epochs * self.size(recipe)

    @property
    def words(self) -> bool:
        """Whether it is a built-in network that reads words."""
        return self.layout is not None and self.module is None

    @property
    def fast(self) -> bool:
        """Whether plain training, and so most recipes, goes member by member: natively, or as convnets."""
        return self.native(Recipe(())) or (self.module is None and convolves(Setting(), self._source.inputs.shape[1:]))

    def native(self, recipe: Recipe) -> bool:
        """Whether the native engine trains it: decided by capability, never by a stopwatch."""
        return not convolves(recipe.setting, self._source.inputs.shape[1:]) and self._native and able(recipe)

    @property
    def room(self) -> int:
        """The most members of a shift of the race, where the weights of a network bound them; at least one."""
        return max(1, SHIFT_WEIGHTS // self.module.weights) if self.module else sys.maxsize

    def block(self, net: Net, members: int, threads: int) -> int:
        """Slots of a block for so many members of one network: an even share for each thread, within limits."""
        low, high = (max(1, min(BLOCK_SLOTS, weights // size_of(net))) for weights in BLOCK_WEIGHTS)
        low = 1 if isinstance(net, ConvNet | Kim) else low
        return min(max(-(-members // threads), low), high)

    def lift(self, net: Net, batch: int) -> Lift:
        """How the training step is carried over members, by what the network can do and by the size of a step."""
        # A convolution fills a core, and a grouped one is slower and rounds otherwise among other members.
        if isinstance(net, ConvNet | Kim):
            return Single()
        if self.module is None and self._source.loss is None:
            return Stacked()
        able = (self.module is None or self.module.stacks(batch)) and mappable(self._source.loss, self._outputs)
        return Vmapped() if able else Single()
