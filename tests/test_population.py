import pytest
import torch
from torch import nn

from tauten.builder import Builder
from tauten.errors import OptionError, RecipeError
from tauten.member import Group, Member, Source, one_hot
from tauten.population import Population
from tauten.racing import slots
from tauten.recipe import Recipe
from tauten.setting import Setting
from tauten.techniques.batch_norm import BatchNorm
from tauten.techniques.dropout import Dropout
from tauten.techniques.early_stopping import EarlyStopping
from tauten.techniques.l2 import L2
from tauten.techniques.sam import SAM
from tauten.testing import problem, same_bits, small_setting

SOURCE = problem(50, 6, 3, "classification")  # 40 training rows: 5 steps an epoch at batches of 8
SETTING = small_setting(9, 2)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.last = nn.GRU(3, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x):
        return self.last(self.rnn(x.reshape(-1, 2, 3))[0][:, -1])


def member(id, *techniques, epochs=3, source=0, **setting):
    return Member(id, Recipe(techniques, SETTING).with_setting(**setting), seed=id, epochs=epochs, source=source)


CROWD = [
    member(0), member(1, Dropout()), member(2, L2(), epochs=2), member(3, BatchNorm()), member(4, SAM(), epochs=1),
    member(5, Dropout(form="classic")), member(6, optimizer="sgd"), member(7, width=20), member(8, EarlyStopping()),
]  # fmt: skip


def test_members_share_a_group_where_they_can_be_stacked():
    group = [Group.of(m, SOURCE) for m in CROWD]
    assert group[0] == group[1] == group[2] == group[8]
    assert len({group[i] for i in (0, 3, 4, 5, 6, 7)}) == 6


def test_progress_and_cost_are_counted():
    with Population(Builder(SOURCE), [SOURCE]) as crowd:
        crowd.enter(CROWD)
        assert len(crowd) == len(CROWD)
        first = crowd.advance()
        assert list(first) == list(range(9))
        assert {p.epoch for p in first.values()} == {1}
        assert [i for i, p in first.items() if p.done] == [4]
        assert crowd.gradient_evaluations == 5 * (8 + 2)  # SAM takes two a step
        crowd.leave([4, 0])
        assert len(crowd) == 7
        assert [i for i, p in crowd.advance().items() if p.done] == [2]
        assert crowd.gradient_evaluations == 5 * (8 + 2 + 7)


def test_training_learns():
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    source = Source(x, one_hot((x[:, 0] * x[:, 1] > 0).long(), 2), torch.arange(150), "classification")
    with Population(Builder(source), [source]) as crowd:
        crowd.enter([member(0, width=32, learning_rate=0.01, activation="relu", epochs=30)])
        losses = [crowd.advance()[0].loss for _ in range(30)]
        out = crowd.evaluate({0: torch.arange(150, 200)})[0]
    assert losses[-1] < 0.3 * losses[0]
    assert (out.argmax(-1) == source.targets[150:].argmax(-1)).float().mean() > 0.85


def test_complete_is_advancing_to_the_end():
    """Also for a member that is at its end already (4), without rows (5), and after some epochs."""
    rows = {m.id: torch.arange(40, 50) for m in CROWD if m.id != 5}
    ticks = []
    with Population(Builder(SOURCE), [SOURCE], threads=2, block=2) as crowd:
        crowd.enter(CROWD)
        crowd.advance()
        before = crowd.gradient_evaluations
        done = crowd.complete(rows, extract=[0, 2, 4], tick=ticks.append)
        assert len(crowd) == 0
    assert sum(ticks) == crowd.gradient_evaluations - before == 5 * (1 + 7 * 2)
    assert list(done) == list(range(9))
    with Population(Builder(SOURCE), [SOURCE]) as slow:
        slow.enter(CROWD)
        for _ in range(3):
            over = [i for i, p in slow.advance().items() if p.done]
            outputs = slow.evaluate({i: rows[i] for i in over if i in rows})
            for i in over:
                if i == 5:
                    assert done[i].outputs is None
                else:
                    assert torch.equal(done[i].outputs, outputs[i])
                if i in (0, 2, 4):
                    assert same_bits(done[i].delivered, slow.extract(i))
                else:
                    assert done[i].delivered is None
            slow.leave(over)
        assert len(slow) == 0


@pytest.mark.parametrize(
    ("width", "members", "threads", "slots"),
    [(16, 4, 4, 32), (16, 60, 4, 32), (16, 192, 4, 32), (900, 4, 4, 1), (900, 16, 4, 4), (900, 100, 4, 9)],
)
def test_blocks_are_large_for_small_networks_and_shared_out_over_threads(width, members, threads, slots):
    builder = Builder(SOURCE)
    net = builder.net(Recipe((), Setting(width=width)))
    assert builder.block(net, members, threads) == slots


def test_folds_train_and_predict_on_their_own_rows():
    x = SOURCE.inputs
    folds = [Source(x, SOURCE.targets, torch.arange(50)[torch.arange(50) % 5 != i], "classification") for i in (0, 1)]
    with Population(Builder(folds[0]), folds) as crowd:
        crowd.enter([member(0), Member(1, Recipe((), SETTING), seed=0, source=1), member(2, source=0)])
        crowd.advance()
        together = {i: crowd.extract(i) for i in (0, 1)}
    for fold in (0, 1):
        with Population(Builder(folds[fold]), [folds[fold]]) as alone:
            alone.enter([Member(0, Recipe((), SETTING), seed=0)])
            alone.advance()
            assert same_bits(together[fold], alone.extract(0))
    assert not same_bits(together[0], together[1])


def test_a_module_that_cannot_be_mapped_trains_one_at_a_time():
    with Population(Builder(SOURCE, Recurrent), [SOURCE]) as crowd:
        crowd.enter([member(0, L2()), member(1)])
        losses = [crowd.advance()[1].loss for _ in range(20)]
        crowd.leave([0])
        crowd.advance()
    assert losses[-1] < losses[0]


def test_torchs_own_threads_come_back():
    before = torch.get_num_threads()
    with Population(Builder(SOURCE), [SOURCE], threads=2):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_what_does_not_fit_the_network_is_refused():
    with pytest.raises(OptionError, match="the module gives 2 outputs and 3 are needed"):
        Builder(SOURCE, lambda: nn.Linear(6, 2))
    with (
        Population(Builder(SOURCE, lambda: nn.Linear(6, 3)), [SOURCE]) as crowd,
        pytest.raises(RecipeError, match="batch_norm can't be grafted onto a module"),
    ):
        crowd.enter([member(0, BatchNorm())])


def test_members_of_a_large_module_are_fewer_at_once_frozen_weights_counted():
    class Large(nn.Module):
        def __init__(self):
            super().__init__()
            self.out = nn.Linear(4, 2)
            self.kept = nn.Parameter(torch.zeros(2**23), requires_grad=False)

        def forward(self, x):
            return self.out(x)

    source = problem(20, 4, 2, "classification")
    assert slots(Builder(source, Large)) == 15, "of 2**23 weights and ten more not quite 16 are 2**27"
    assert slots(Builder(source, lambda: nn.Linear(4, 2))) == 32
