"""Law 2 over random populations: a member trains among changing neighbours exactly as alone, to the bit."""

import dataclasses

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from tauten.builder import Builder
from tauten.declare import Hyperparameter
from tauten.engines.slots import Resident, SlotEngine
from tauten.engines.stacked import Stacked
from tauten.engines.vmapped import Vmapped
from tauten.member import Group, Member
from tauten.nets.module import ModuleNet
from tauten.partners import misfit
from tauten.population import Population
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.technique import techniques
from tauten.testing import engine_for, problem, same_bits, small_setting, trained

KINDS = techniques()
SLOTS = 6
SETTINGS = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def values(kind, layers, fixed=()):
    """Values of a technique, anywhere in its bounds; choices are its defaults unless `fixed` gives others."""
    drawn = {}
    for key, spec in kind.specs().items():
        if isinstance(spec, Hyperparameter):
            low, high = spec.range
            number = st.integers(int(low), int(high)) if spec.integer else st.floats(low, high)
            if spec.per_layer and layers:
                number = number | st.lists(number, min_size=layers, max_size=layers).map(tuple)
            drawn[key] = number if spec.off is None else st.just(spec.off) | number
        else:
            drawn[key] = st.just(dict(fixed).get(key, spec.default))
    return st.fixed_dictionaries(drawn).map(kind.from_dict)


def of_one_group(kinds, layers, common):
    """Techniques of a member: those in `common` (name to choices) always, the other given kinds perhaps."""
    parts = [
        values(kind, layers, common[kind.name].items()) if kind.name in common else st.none() | values(kind, layers)
        for kind in kinds
    ]
    return st.tuples(*parts).map(lambda chosen: tuple(t for t in chosen if t is not None))


@st.composite
def populations(draw, members, structural=True, depth=None):
    """(source, members of one group): random sizes, recipes, seeds, and rates up to such as diverge."""
    task = draw(st.sampled_from(["classification", "regression"]))
    rows, inputs = draw(st.integers(5, 70)), draw(st.integers(1, 40))
    outputs = draw(st.integers(2, 9) if task == "classification" else st.integers(1, 4))
    data = draw(st.sampled_from(["tables", "images"])) if structural else "tables"
    source = problem(rows, inputs, outputs, task, seed=draw(st.integers(0, 99)), data=data)
    setting = Setting(
        optimizer=draw(st.sampled_from(["adamw", "sgd"])),
        width=draw(st.integers(1, 40)),
        depth=draw(st.integers(0, 4)) if depth is None else depth,
        batch_size=draw(st.integers(2, 40)),
        activation=draw(st.sampled_from(["relu", "gelu", "silu", "tanh"])),
        skip=draw(st.booleans()),
        epochs=3,
        net="mlp",
    )
    fitting = [k for k in KINDS.values() if not misfit(k, task, data) and (structural or not k.structural())]
    kinds = draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=4, unique=True))
    common = {}
    for kind in kinds:
        choices = {key: draw(st.sampled_from(spec.options)) for key, spec in kind.choices().items()}
        if kind.structural() or kind.passes > 1 or any(v != kind.choices()[k].default for k, v in choices.items()):
            common[kind.name] = choices
    made = []
    for id in range(members):
        own = dataclasses.replace(
            setting,
            learning_rate=draw(st.sampled_from([0.001, 0.01, 0.1, 50.0])),
            schedule=draw(st.sampled_from(["constant", "cosine", "warm_cosine"])),
            momentum=draw(st.sampled_from([0.0, 0.9])),
        )
        recipe = Recipe(draw(of_one_group(kinds, setting.depth, common)), own)
        made.append(Member(id, recipe, draw(st.integers(0, 2**63 - 1)), epochs=3))
    assert len({Group.of(m, source) for m in made}) == 1
    return source, made


@st.composite
def schedules(draw, members):
    """What happens to an engine, as (who comes, who goes, steps); a member comes once, and one always stays."""
    happening, waiting, inside = [], list(range(members)), []
    for _ in range(draw(st.integers(1, 4))):
        count = draw(st.integers(0 if inside else 1, min(len(waiting), SLOTS - len(inside)))) if waiting else 0
        come, waiting = waiting[:count], waiting[count:]
        inside += come
        go = [i for i in inside[1:] if draw(st.booleans())]
        inside = [i for i in inside if i not in go]
        happening.append((come, go, draw(st.integers(1, 3))))
    return happening


def follow(engine, members, schedule):
    """Play a schedule; how many steps each member that is still there has taken."""
    taken = {}
    for come, go, steps in schedule:
        engine.admit([members[i] for i in come])
        taken.update(dict.fromkeys(come, 0))
        engine.evict(go)
        for i in go:
            del taken[i]
        engine.run(steps)
        taken = {i: n + steps for i, n in taken.items()}
    return taken


@given(st.data())
@settings(SETTINGS, max_examples=100)
def test_a_member_of_the_stacked_engine_trains_as_alone(data):
    count = data.draw(st.integers(2, 7))
    source, members = data.draw(populations(count))
    engine = engine_for(members[0], [source], Stacked(), SLOTS)
    taken = follow(engine, members, data.draw(schedules(count)))
    outputs = engine.evaluate({i: torch.arange(1 + i) for i in taken})
    for i, steps in taken.items():
        alone = engine_for(members[i], [source], Stacked(), 1)
        alone.admit([members[i]])
        alone.run(steps)
        assert same_bits(engine.extract(i), alone.extract(i))
        want = alone.evaluate({i: torch.arange(len(source.inputs))})[i][: 1 + i]
        assert torch.equal(outputs[i].nan_to_num(7e7), want.nan_to_num(7e7))


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "tanh"])
@pytest.mark.parametrize("batch_size", [3, 5, 8])
def test_activations_round_alike_wherever_a_member_stands(activation, batch_size):
    """Odd rows at one padded width: found by the tests around, when silu's vector body and tail rounded differently."""
    source = problem(41, 5, 3, "classification")
    recipe = Recipe((), small_setting(7, 3, batch_size=batch_size, activation=activation))
    members = [Member(i, recipe, i) for i in range(3)]
    together = trained(members, source, Stacked(), 6)
    for member in members:
        assert same_bits(together[member.id], trained([member], source, Stacked(), 6)[member.id])


@given(st.data())
@settings(SETTINGS, max_examples=40)
def test_threads_and_blocks_of_a_population_change_no_bits(data):
    source, members = data.draw(populations(6))
    narrow = data.draw(st.integers(1, 20))
    members = [
        m if m.id % 3 else dataclasses.replace(m, recipe=m.recipe.with_setting(width=narrow, learning_rate=0.01))
        for m in members
    ]
    with Population(
        Builder(source), [source], threads=data.draw(st.integers(1, 3)), block=data.draw(st.integers(1, 5))
    ) as crowd:
        crowd.enter(members[:4])
        crowd.advance()
        crowd.leave(data.draw(st.lists(st.integers(0, 2), max_size=3, unique=True)))
        crowd.enter(members[4:])
        crowd.advance()
        outputs = crowd.evaluate({m.id: torch.arange(5) for m in members[3:]})
        for member in members[3:]:
            with Population(Builder(source), [source], block=1) as alone:
                alone.enter([member])
                for _ in range(2 if member.id < 4 else 1):
                    alone.advance()
                assert same_bits(crowd.extract(member.id), alone.extract(member.id))
                want = alone.evaluate({member.id: torch.arange(5)})[member.id]
                assert torch.equal(outputs[member.id].nan_to_num(7e7), want.nan_to_num(7e7))


def module(inputs, outputs, width, activation):
    """A user's network with batch norm and an activation."""

    def build():
        norm = nn.BatchNorm1d(width)
        return nn.Sequential(nn.Linear(inputs, width), norm, activation(), nn.Linear(width, outputs))

    return build


@given(st.data())
@settings(SETTINGS, max_examples=40)
def test_a_member_of_the_vmapped_engine_keeps_its_bits_in_its_slot(data):
    source, members = data.draw(populations(SLOTS, structural=False, depth=1))
    inputs, outputs = source.inputs.shape[1], source.targets.shape[1]
    activation = data.draw(st.sampled_from([nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh]))
    build = module(inputs, outputs, data.draw(st.integers(1, 40)), activation)

    def engine():
        net = ModuleNet(build, source.inputs[:2])
        return SlotEngine(Group.of(members[0], source), net, Resident([source]), Vmapped(), SLOTS)

    crowd = engine()
    crowd.admit(members[: SLOTS - 1])
    crowd.run(data.draw(st.integers(1, 3)))
    slot = data.draw(st.integers(0, SLOTS - 2))
    crowd.evict([slot])
    newcomer = members[-1]
    crowd.admit([newcomer])
    crowd.run(2)
    crowd.evict(data.draw(st.lists(st.sampled_from([i for i in range(SLOTS - 1) if i != slot]), unique=True)))
    crowd.run(1)

    alone = engine()
    alone.admit([*members[:slot], newcomer])
    alone.evict(range(slot))
    alone.run(3)
    assert same_bits(crowd.extract(newcomer.id), alone.extract(newcomer.id))
