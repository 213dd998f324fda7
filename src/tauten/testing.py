"""The laws, for every technique: Tauten's own tests run them, and so can the author of another.

    import pytest
    from tauten.testing import LAWS

    @pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
    def test_law(law):
        law(MyTechnique)

A law raises AssertionError where it is broken. Law 7 ("it is right": agreement with an independent reference) can't
be written once for all; it stands in each technique's own test.
"""

import itertools
import math
from collections.abc import Callable, Sequence

import torch

from tauten.declare import Choice, Hyperparameter
from tauten.engines.native import NativeEngine, able
from tauten.engines.single import Single
from tauten.engines.slots import Lift, Resident, SlotEngine
from tauten.engines.stacked import Stacked
from tauten.engines.vmapped import Vmapped
from tauten.errors import RecipeError
from tauten.member import Delivered, Group, Member, Source, one_hot
from tauten.nets.built_in import built_in
from tauten.nets.mlp import MLP
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import Technique
from tauten.tensors import Tree

Inputs = int | tuple[int, ...]
SIZES: tuple[tuple[int, Inputs, int, int, int], ...] = (
    (23, 5, 3, 7, 2), (48, 16, 2, 16, 1), (37, 13, 5, 21, 3), (21, (2, 6, 5), 3, 11, 1)
)  # fmt: skip
"""(rows, inputs, outputs, width, depth): odd ones and a round one, and images, which the convnet trains on."""
Kind = type[Technique]


def problem(rows: int, inputs: Inputs, outputs: int, task: str, seed: int = 0, weighted: bool = False) -> Source:
    """A small random problem; the first four fifths of its rows are trained on. Some rows' weights are 0."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, *(inputs if isinstance(inputs, tuple) else (inputs,)), generator=g)
    if task == "classification":
        y = one_hot(torch.randint(outputs, (rows,), generator=g), outputs)
    elif task == "multilabel":
        y = torch.randint(2, (rows, outputs), generator=g).to(torch.float32)
    else:
        y = torch.randn(rows, outputs, generator=g)
    weights = torch.rand(rows, generator=g).sub(0.2).clamp(min=0) * 3 if weighted else None
    return Source(x, y, torch.arange(rows * 4 // 5), task, weights)


def small_setting(width: int, depth: int, optimizer: str = "adamw", **values: object) -> Setting:
    """A setting for the laws: a few rows a batch, a few steps."""
    base = {"optimizer": optimizer, "width": width, "depth": depth, "batch_size": 8, "epochs": 4}
    return Setting.from_dict({**base, "learning_rate": 0.01, **values})


NATIVE = "native"
"""Stands for the native engine where the others are named by their lift."""


def engine_for(
    first: Member, sources: Sequence[Source], lift: Lift | str, capacity: int = 8
) -> SlotEngine | NativeEngine:
    """An engine for the group of a member, on the built-in network."""
    recipe, source = first.recipe, sources[first.source]
    structure = [t for t in recipe.techniques if t.structural()]
    net = built_in(source.inputs.shape[1:], source.targets.shape[1], recipe.setting, structure)
    group, data = Group.of(first, source), Resident(sources)
    if isinstance(lift, str):
        assert isinstance(net, MLP), "the native engine trains tables"
        return NativeEngine(group, net, data)
    return SlotEngine(group, net, data, lift, capacity)


def engines(technique: Technique, source: Source) -> list[Lift | str]:
    """The engines on which every law must hold: stacked, and native where it can; for images one at a time."""
    if source.inputs.ndim > 2:
        return [Single()]
    return [Stacked(), *([NATIVE] if able(Recipe((technique,))) else [])]


def trained(
    members: Sequence[Member], source: Source, lift: Lift | str, steps: int, slots: int = 8
) -> dict[int, Delivered]:
    """What members of one group deliver after so many steps together."""
    engine = engine_for(members[0], [source], lift, slots)
    engine.admit(members)
    engine.run(steps)
    return {m.id: engine.extract(m.id) for m in members}


def same_bits(a: Delivered, b: Delivered) -> bool:
    """Equality to the bit over weights and buffers; NaN equals NaN."""
    return all(
        x.keys() == y.keys() and all(torch.equal(x[k].nan_to_num(7e7), y[k].nan_to_num(7e7)) for k in x)
        for x, y in ((a.w, b.w), (a.buffers, b.buffers))
    )


def distance(a: Tree, b: Tree) -> float:
    """Largest absolute difference over all leaves."""
    return max(float((a[k] - b[k]).abs().max()) for k in a)


def variants(kind: Kind) -> list[Technique]:
    """The technique at its card's values, and once for every other choice."""
    others = (
        (key, option) for key, spec in kind.choices().items() for option in spec.options if option != spec.default
    )
    return [kind(), *(kind.from_dict({key: option}) for key, option in others)]


def off_is_identity(kind: Kind) -> None:
    """Law 1: at its off value a member's bits are those without it, also beside neighbours that hold infinities."""
    for i, (rows, inputs, outputs, width, depth) in enumerate(SIZES):
        for task in kind.tasks:
            source = problem(rows, inputs, outputs, task, weighted=i > 0)
            setting = small_setting(width, depth)
            for technique in variants(kind):
                with_it = Recipe((technique,), setting)
                if kind.structural():
                    on, absent = (Group.of(Member(0, r, 1), source) for r in (with_it, Recipe((), setting)))
                    assert on != absent, f"{kind.name} is structural and must make a group of its own"
                    continue
                off = Recipe((kind.from_dict({**technique.to_dict(), **kind.off_values()}),), setting)
                for lift in engines(technique, source):
                    engine = engine_for(Member(0, off, 11), [source], lift)
                    engine.admit([Member(i, r, 10 + i) for i, r in ((2, with_it), (1, off), (3, with_it))])
                    engine.admit([Member(4, off, 11)])
                    _spoil(engine, 2, math.inf)
                    engine.run(12)
                    want = trained([Member(0, Recipe((), setting), 11)], source, lift, 12)[0]
                    where = f"{kind.name} off changes bits at {rows, inputs, outputs, width, depth}"
                    assert same_bits(engine.extract(1), want), where
                    assert same_bits(engine.extract(4), want), f"{where}, in the last slot"


def isolation(kind: Kind) -> None:
    """Law 2: a member trains beside changing neighbours exactly as alone."""
    for i, (rows, inputs, outputs, width, depth) in enumerate(SIZES):
        task = kind.tasks[i % len(kind.tasks)]
        source = problem(rows, inputs, outputs, task, weighted=i > 0)
        setting = small_setting(width, depth)
        for technique in variants(kind):
            recipe = Recipe((technique,), setting)
            plain = recipe if kind.structural() or kind.passes > 1 else Recipe((), setting)
            for lift in engines(technique, source):
                engine = engine_for(Member(0, recipe, 5), [source], lift)
                engine.admit([Member(0, plain, 21), Member(1, recipe, 5), Member(2, plain, 22)])
                engine.run(4)
                engine.evict([0])
                engine.admit([Member(3, recipe, 23), Member(4, recipe, 24), Member(5, plain, 25)])
                engine.run(3)
                engine.evict([2, 4])
                engine.run(2)
                want = trained([Member(9, recipe, 5)], source, lift, 9)[9]
                assert same_bits(engine.extract(1), want), f"{kind.name}: neighbours change bits"
                late = trained([Member(9, recipe, 23)], source, lift, 5)[9]
                assert same_bits(engine.extract(3), late), f"{kind.name}: a newcomer in a slot differs from one alone"


def bounds(kind: Kind) -> None:
    """Law 3: the bounds construct, outside raises a message with value and range, unknown keys are refused."""
    for key, spec in kind.specs().items():
        match spec:
            case Hyperparameter():
                for value in (spec.low, spec.high, spec.default, *(() if spec.off is None else (spec.off,))):
                    assert kind.from_dict({key: value}).to_dict()[key] == value
                below, above = spec.low - 1e-3 - abs(spec.low), spec.high * 2 + 1
                outside: list[object] = [below, above, math.nan, math.inf, "x", True]
                refused = [v for v in outside if v != spec.off]
            case Choice():
                for option in spec.options:
                    assert kind.from_dict({key: option}).to_dict()[key] == option
                refused = ["no such word", 17.5]
        for bad in refused:
            message = _message(kind, {key: bad})
            assert all(part in message for part in (f"{kind.name}.{key}", repr(bad), spec.describe())), message
    assert "no 'nonsense'" in _message(kind, {"nonsense": 1})


def on_has_effect(kind: Kind) -> None:
    """Law 4: at the card's values it changes delivered weights, outputs or the stopping epoch."""
    rising = [1.0 + 0.1 * i for i in range(40)]
    for technique in variants(kind):
        if "stop" in kind.hooks and technique.stop(rising).now:
            continue
        task = kind.tasks[0]
        source, setting = problem(40, 6, 3, task), small_setting(16, 2)
        outputs = []
        for recipe in (Recipe((technique,), setting), Recipe((), setting)):
            engine = engine_for(Member(0, recipe, 3), [source], Stacked())
            engine.admit([Member(0, recipe, 3)])
            engine.run(10)
            outputs.append(engine.evaluate({0: torch.arange(40)})[0])
        assert not torch.equal(outputs[0], outputs[1]), f"{kind.name} on does nothing"


def round_trip(kind: Kind) -> None:
    """Law 5: recipe → TOML → recipe is equal, at card values, bounds and off values."""
    for technique in variants(kind):
        recipe = Recipe((technique,), Setting(learning_rate=0.1 + 0.2), {"task": "classification", "rows": 7})
        assert Recipe.loads(recipe.dumps()) == recipe
    for key, spec in kind.hyperparameters().items():
        for value in (spec.low, spec.high, spec.low + (spec.high - spec.low) / 3):
            recipe = Recipe((kind.from_dict({key: int(value) if spec.integer else value}),))
            assert Recipe.loads(recipe.dumps()) == recipe


def evaluation_is_a_function(kind: Kind) -> None:
    """Law 6: outputs depend on delivered weights, buffers and the row alone."""
    table, images = (problem(300, shape, 3, kind.tasks[0]) for shape in ((7,), (1, 6, 7)))
    setting, rows = small_setting(13, 2, batch_size=32), torch.arange(300)
    shuffled = torch.randperm(300, generator=torch.Generator().manual_seed(1))
    cases = [(source, t, lift) for source in (table, images) for t in variants(kind) for lift in engines(t, source)]
    for source, technique, lift in cases:
        recipe = Recipe((technique,), setting)
        engine = engine_for(Member(0, recipe, 3), [source], lift)
        engine.admit([Member(0, recipe, 3), Member(1, recipe, 4)])
        engine.run(6)
        first = engine.evaluate({0: rows})[0]
        assert torch.equal(first, engine.evaluate({0: rows, 1: rows[:5]})[0]), f"{kind.name}: evaluation draws"
        assert torch.equal(first[shuffled], engine.evaluate({0: shuffled})[0]), f"{kind.name}: rows depend on others"
        assert torch.equal(first[17:19], engine.evaluate({0: rows[17:19]})[0]), f"{kind.name}: rows depend on others"
        assert same_bits(engine.extract(1), engine.extract(1)), f"{kind.name}: extraction changes the member"


def a_sick_member_is_alone(kind: Kind) -> None:
    """Law 8: divergence of one member leaves the others' bits unchanged."""
    table, images = (problem(30, shape, 3, kind.tasks[0]) for shape in ((5,), (2, 5, 5)))
    for source, technique in itertools.product((table, images), variants(kind)):
        recipe = Recipe((technique,), small_setting(9, 2))
        sick = recipe.with_setting(learning_rate=100.0, activation="relu")
        for lift in engines(technique, source):
            engine = engine_for(Member(0, recipe, 3), [source], lift)
            engine.admit([Member(1, sick, 8), Member(0, recipe, 3), Member(2, sick, 9)])
            _spoil(engine, 1, math.nan)
            losses = engine.run(8)
            want = trained([Member(0, recipe, 3)], source, lift, 8)[0]
            assert same_bits(engine.extract(0), want), f"{kind.name}: a sick neighbour changes bits"
            assert not math.isfinite(losses[1]), f"{kind.name}: a sick member does not show"
            assert not all(v.isfinite().all() for v in engine.extract(1).w.values()), "the sick member should be sick"


def every_engine_agrees(kind: Kind) -> None:
    """Law 9: stacked, vmapped, one at a time and native: one step to 2e-6 of the update, five to 2e-4."""
    lifts: dict[str, Callable[[], Lift | str]] = {"vmapped": Vmapped, "single": Single, NATIVE: lambda: NATIVE}
    for optimizer, rate, weighted in (("sgd", 0.1, False), ("adamw", 0.003, True)):
        # Images by sgd alone: in a filter's gradient pixels cancel, and what Adam divides by it shows the rounding.
        shapes: list[tuple[Inputs, int]] = [(5, 2), ((2, 6, 5), 1)] if optimizer == "sgd" else [(5, 2)]
        for task, technique, (shape, depth) in itertools.product(kind.tasks, variants(kind), shapes):
            source = problem(23, shape, 3, task, weighted=weighted)
            recipe = Recipe((technique,), small_setting(7, depth, optimizer, learning_rate=rate, activation="tanh"))
            members = [Member(i, recipe, 40 + i) for i in range(3)]
            for steps, tolerance in ((1, 2e-6), (5, 2e-4)):
                want = trained(members, source, Stacked(), steps)
                for name, lift in lifts.items():
                    if name == NATIVE and (not able(recipe) or source.inputs.ndim > 2):
                        continue
                    got = trained(members, source, lift(), steps, slots=5)
                    for id in want:
                        apart = distance(want[id].w | want[id].buffers, got[id].w | got[id].buffers)
                        where = f"{kind.name}, {task}, {name}, {optimizer}, {steps} steps"
                        assert apart <= tolerance, f"{where}: {apart:.1e}"


def _spoil(engine: SlotEngine | NativeEngine, member: int, value: float) -> None:
    """Set a member's weights to NaN or infinity."""
    if isinstance(engine, NativeEngine):
        before = engine.extract(member, delivered=False)
        engine.insert(member, Delivered({k: torch.full_like(v, value) for k, v in before.w.items()}, before.buffers))
        return
    state, slot = engine._live(), torch.tensor([engine._slot(member)])
    state["w"] = {k: v.index_fill(0, slot, value) for k, v in state["w"].items()}


def _message(kind: Kind, values: dict[str, object]) -> str:
    try:
        kind.from_dict(values)
    except RecipeError as error:
        return str(error)
    raise AssertionError(f"{kind.name} accepts {values}")


LAWS: dict[str, Callable[[Kind], None]] = {
    "1 off is identity": off_is_identity,
    "2 isolation": isolation,
    "3 bounds": bounds,
    "4 on has effect": on_has_effect,
    "5 round trip": round_trip,
    "6 evaluation is a function": evaluation_is_a_function,
    "8 a sick member is alone": a_sick_member_is_alone,
    "9 every engine agrees": every_engine_agrees,
}
