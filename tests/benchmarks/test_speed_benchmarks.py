"""What the benchmarks of speed compute, and that peers train what Tauten trains."""

import itertools
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import ours
import peers
import record
import scaling
import throughput
from pace import Contender, interleaved
from shapes import BATCH, IMAGES, SHAPES, Images, Shape

from tauten.engines.single import Single
from tauten.engines.stacked import Stacked
from tauten.member import Member
from tauten.options import Options
from tauten.testing import engine_for

SMALL, TINY = Shape(6, 32, 2, 3), Images(6, 8, 0, 3)


def test_operations_of_a_step_by_hand():
    forward = 6 * 32 + 32 * 32 + 32 * 3
    backward = (6 * 32) + 2 * (32 * 32) + 2 * (32 * 3)
    assert SMALL.flops == 2 * BATCH * (forward + backward)


@pytest.mark.parametrize("shape", [*SHAPES.values(), IMAGES], ids=[*SHAPES, "images"])
def test_operations_of_a_step_are_those_that_torch_counts(shape):
    model, x = peers.network(shape), torch.randn(BATCH, *shape.row)
    with FlopCounterMode(display=False) as counter:
        model(x).square().sum().backward()
    assert counter.get_total_flops() == shape.flops


def test_networks_are_called_as_in_the_tables():
    assert [shape.name for shape in SHAPES.values()] == ["64-128-128-10", "30-256-256-256-2", "64-512×4-10"]
    assert IMAGES.name == "28×28-16-32-64-10, 6 convolutions"


def test_peers_train_the_network_that_tauten_trains():
    recipe, source = ours.problem(SMALL)
    engine = engine_for(Member(0, recipe, 1), [source], Stacked(), 4)
    engine.admit([Member(0, recipe, 1)])
    own, peer = engine.extract(0), peers.network(SMALL)
    assert sum(w.numel() for w in own.w.values()) == sum(p.numel() for p in peer.parameters())
    assert len(source.train) == len(peers.data(SMALL)[0])


def test_a_convnet_has_one_size_for_everyone_and_is_what_a_search_begins_with():
    recipe, source = ours.problem(IMAGES)
    engine = engine_for(Member(0, recipe, 1), [source], Single(), 1)
    engine.admit([Member(0, recipe, 1)])
    own, peer = engine.extract(0), peers.network(IMAGES)
    assert sum(w.numel() for w in own.w.values()) == sum(p.numel() for p in peer.parameters())
    begun = Options(trials=3).setting_for(1000, "images")
    assert (IMAGES.width, IMAGES.depth) == (begun.width, begun.depth)


@pytest.mark.parametrize(
    ("visits", "work"),
    [
        (peers.lean(SMALL), 8),
        (peers.lean(TINY), 8),
        (peers.lean(TINY, "bf16"), 8),
        (peers.vmapped(TINY, 2), 16),
        (ours.population(TINY, 2, 1, False), 16),
        (peers.tutorial(SMALL), 8),
        (peers.vmapped(SMALL, 3), 24),
        (ours.population(SMALL, 3, 2, False), 24),
    ],
    ids=[
        "lean",
        "lean images",
        "lean images, bf16",
        "vmapped images",
        "population of images",
        "tutorial",
        "vmapped",
        "population",
    ],
)
def test_a_visit_is_an_epoch_of_every_member(visits, work):
    assert list(itertools.islice(visits, 2)) == [work, work]
    visits.close()


def test_contenders_take_turns_in_processes_of_their_own():
    rates = interleaved(
        {"one": Contender(itertools.repeat, (1.0,)), "two": Contender(itertools.repeat, (0.0,), 2)}, 2, 0
    )
    assert {name: len(own) for name, own in rates.items()} == {"one": 2, "two": 2}
    assert rates["two"] == [0.0, 0.0]


def test_an_exponent_is_that_of_the_upper_half():
    points = [{"size": n, "seconds": 5.0 + n**1.3 if n < 100 else n**1.3} for n in (1, 10, 100, 1_000, 10_000)]
    assert [p["size"] for p in scaling.upper(points)] == [100, 1_000, 10_000]
    assert scaling.exponent(points) == pytest.approx(1.3)


def test_steeper_than_linear_is_said():
    straight, steep = ([{"size": n, "seconds": n**power, "bytes": n} for n in (10, 100, 1_000)] for power in (1.0, 1.2))
    assert scaling._linear({"rows": straight}).startswith("Nothing grows faster than linearly")
    assert scaling._linear({"rows": straight, "folds": steep}).endswith("seconds over folds.")


def test_a_target_is_met_or_missed_by_medians():
    rates = {throughput.PEER: [100.0, 50.0, 101.0], "native": [900.0, 1.0, 901.0], "stacked": [99.0, 99.0, 99.0]}
    part = {"rates": rates, "flops": 1, "made": {"machine": {"cores": 4}}}
    lines = [line for line in throughput.verdicts({"small-064": part}) if SHAPES["small"].name in line]
    told = {line.split(" | ")[0].strip("| "): line.split(" | ")[3:] for line in lines}
    assert told[f"native ÷ {throughput.PEER}"] == ["9.00", "met |"]
    assert told[f"stacked ÷ {throughput.PEER}"] == ["0.99", "missed |"]
    assert told["native, one core: share of its peak"] == ["not measured", " |"]


def test_the_share_of_peak_is_that_of_each_core():
    rates = {"native": [80.0], "native, one core": [25.0], throughput.PEAKS["fp32"]: [1_000.0]}
    part = {"rates": rates, "flops": 30, "made": {"machine": {"cores": 4}}}
    assert throughput.share(part, "native") == pytest.approx(80 * 30 / 4 / 1_000)
    assert throughput.share(part, "native, one core") == pytest.approx(0.75)
    assert throughput.share(part, "stacked") is None


def test_finished_parts_are_not_run_again(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "FIGURES", tmp_path)
    record.save("race", "b", {"seconds": 1.5})
    assert record.load("race")["b"]["seconds"] == 1.5
    assert record.missing("race", ["a", "b", "c"]) == ["a", "c"]
    assert record.missing("race", ["a", "b", "c"], only="b,c", again=True) == ["b", "c"]
    made = record.load("race")["b"]["made"]
    assert set(made) == {"date", "commit", "machine", "versions"}
    assert made["versions"]["torch"] == torch.__version__
    assert "/" not in record.sentence([{"made": made}])
