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
from collections.abc import Callable

import torch

from tauten.declare import Choice, Hyperparameter
from tauten.engines.native import NativeEngine, able
from tauten.engines.single import Single
from tauten.engines.slots import Lift, SlotEngine
from tauten.engines.stacked import Stacked
from tauten.engines.vmapped import Vmapped
from tauten.errors import RecipeError
from tauten.member import Delivered, Group, Member
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.testing.problems import (
    CONVNET,
    KIM,
    NATIVE,
    SIZES,
    Kind,
    cases,
    distance,
    engine_for,
    engines,
    problem,
    same_bits,
    small_setting,
    trained,
    variants,
)  # fmt: skip


def off_is_identity(kind: Kind) -> None:
    """Law 1: at its off value a member's bits are those without it, also beside neighbours that hold infinities."""
    for i, (rows, inputs, outputs, width, depth) in enumerate(SIZES):
        for task, (data, net) in itertools.product(kind.tasks, cases(kind, odd=i > 0)):
            source = problem(rows, inputs, outputs, task, weighted=i > 0, data=data)
            setting = small_setting(width, depth, net=net)
            for technique in variants(kind):
                with_it = Recipe((technique,), setting)
                if kind.structural():
                    on, absent = (Group.of(Member(0, r, 1), source) for r in (with_it, Recipe((), setting)))
                    assert on != absent, f"{kind.name} is structural and must make a group of its own"
                    continue
                off = Recipe((kind.from_dict({**technique.to_dict(), **kind.off_values()}),), setting)
                for lift in engines(technique, net):
                    engine = engine_for(Member(0, off, 11), [source], lift)
                    engine.admit([Member(i, r, 10 + i) for i, r in ((2, with_it), (1, off), (3, with_it))])
                    engine.admit([Member(4, off, 11)])
                    _spoil(engine, 2, math.inf)
                    engine.run(12)
                    want = trained([Member(0, Recipe((), setting), 11)], source, lift, 12)[0]
                    where = f"{kind.name} off changes bits of {net} at {rows, inputs, outputs, width, depth}"
                    assert same_bits(engine.extract(1), want), where
                    assert same_bits(engine.extract(4), want), f"{where}, in the last slot"


def isolation(kind: Kind) -> None:
    """Law 2: a member trains beside changing neighbours exactly as alone."""
    for i, (rows, inputs, outputs, width, depth) in enumerate(SIZES):
        task = kind.tasks[i % len(kind.tasks)]
        for (data, net), technique in itertools.product(cases(kind, odd=i > 0), variants(kind)):
            source, setting = (
                problem(rows, inputs, outputs, task, weighted=i > 0, data=data),
                small_setting(width, depth, net=net),
            )
            recipe = Recipe((technique,), setting)
            plain = recipe if kind.structural() or kind.passes > 1 else Recipe((), setting)
            for lift in engines(technique, net):
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
                outside: list[object] = [
                    spec.low - 1e-3 - abs(spec.low),
                    spec.high * 2 + 1,
                    math.nan,
                    math.inf,
                    "x",
                    True,
                ]
                refused = [v for v in outside if v != spec.off]
            case Choice():
                for option in spec.options:
                    assert kind.from_dict({key: option}).to_dict()[key] == option
                refused = ["no such word", 17.5]
        for bad in refused:
            message = _message(kind, {key: bad})
            assert f"{kind.name}.{key}" in message, message
            assert repr(bad) in message, message
            assert spec.describe() in message, message
    assert "no 'nonsense'" in _message(kind, {"nonsense": 1})


def on_has_effect(kind: Kind) -> None:
    """Law 4: at the card's values it changes delivered weights, outputs or the stopping epoch."""
    rising = [1.0 + 0.1 * i for i in range(40)]
    for technique, (data, net) in itertools.product(variants(kind), cases(kind)):
        if "stop" in kind.hooks and technique.stop(rising).now:
            continue
        task = kind.tasks[0]
        source, setting = problem(40, 6, 3, task, data=data), small_setting(16, 2, net=net)
        outputs = []
        for recipe in (Recipe((technique,), setting), Recipe((), setting)):
            engine = engine_for(Member(0, recipe, 3), [source], engines(technique, net)[0])
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
    rows = torch.arange(300)
    shuffled = torch.randperm(300, generator=torch.Generator().manual_seed(1))
    asked = [(data, net, t, lift) for data, net in cases(kind) for t in variants(kind) for lift in engines(t, net)]
    for data, net, technique, lift in asked:
        source = problem(300, 7, 3, kind.tasks[0], data=data)
        recipe = Recipe((technique,), small_setting(13, 2, batch_size=32, net=net))
        engine = engine_for(Member(0, recipe, 3), [source], lift)
        engine.admit([Member(0, recipe, 3), Member(1, recipe, 4)])
        engine.run(6)
        first = engine.evaluate({0: rows})[0]
        assert torch.equal(first, engine.evaluate({0: rows, 1: rows[:5]})[0]), f"{kind.name}: evaluation draws"
        assert torch.equal(first[shuffled], engine.evaluate({0: shuffled})[0]), f"{kind.name}: rows depend on others"
        assert torch.equal(first[17:19], engine.evaluate({0: rows[17:19]})[0]), f"{kind.name}: rows depend on others"
        before = engine.extract(1)
        assert same_bits(before, engine.extract(1)), f"{kind.name}: extraction changes the member"


def a_sick_member_is_alone(kind: Kind) -> None:
    """Law 8: divergence of one member leaves the others' bits unchanged."""
    for (data, net), technique in itertools.product(cases(kind), variants(kind)):
        source = problem(30, 5, 3, kind.tasks[0], data=data)
        recipe = Recipe((technique,), small_setting(9, 2, net=net))
        sick = recipe.with_setting(learning_rate=100.0, activation="relu")
        for lift in engines(technique, net):
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
        # A convnet by sgd alone: in a filter's gradient pixels cancel, and what Adam divides by it shows the rounding.
        shapes = cases(kind, odd=optimizer == "adamw")
        for task, technique, (data, net) in itertools.product(kind.tasks, variants(kind), shapes):
            source = problem(23, 5, 3, task, weighted=weighted, data=data)
            depth = 1 if net in (CONVNET, KIM) else 2
            setting = small_setting(7, depth, optimizer, learning_rate=rate, activation="tanh", net=net)
            recipe = Recipe((technique,), setting)
            members = [Member(i, recipe, 40 + i) for i in range(3)]
            for steps, tolerance in ((1, 2e-6), (5, 2e-4)):
                want = trained(members, source, Stacked(), steps)
                for name, lift in lifts.items():
                    if name == NATIVE and (net != "mlp" or not able(recipe)):
                        continue
                    got = trained(members, source, lift(), steps, slots=5)
                    for id in want:
                        apart = distance(want[id].w | want[id].buffers, got[id].w | got[id].buffers)
                        where = f"{kind.name}, {task}, {data}, {net}, {name}, {optimizer}, {steps} steps"
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

__all__ = [
    "LAWS",
    "NATIVE",
    "Kind",
    "a_sick_member_is_alone",
    "bounds",
    "distance",
    "engine_for",
    "evaluation_is_a_function",
    "every_engine_agrees",
    "isolation",
    "off_is_identity",
    "on_has_effect",
    "problem",
    "round_trip",
    "same_bits",
    "small_setting",
    "trained",
]  # fmt: skip
