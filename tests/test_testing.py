"""The laws can fail: techniques that are broken on purpose break the law they should."""

import pytest
import torch

from tauten.declare import Hyperparameter
from tauten.technique import _REGISTRY as REGISTRY
from tauten.technique import Technique, hyperparameter, techniques
from tauten.tensors import lead
from tauten.testing import LAWS


def strength(**options):
    return hyperparameter(**{"low": 0.01, "high": 0.9, "default": 0.3, "off": 0.0, **options})


def shared_stream():
    class SharedStream(Technique, name="broken_stream"):
        """Draws from torch's own stream, which all members share."""

        p: float = strength()

        def activation(self, h, r):
            return torch.where(torch.rand(h.shape) < lead(self.p, h), 0.0, h)

    return SharedStream


def never_off():
    class NeverOff(Technique, name="broken_off"):
        """Adds a rest where it should be off."""

        p: float = strength()

        def weights(self, new, old, here):
            return {k: v * (1 - 1e-3 - lead(self.p * 0.01, v)) for k, v in new.items()}

    return NeverOff


def leaking():
    class Leaking(Technique, name="broken_leak"):
        """Off is 0 times a sum over all members: a neighbour's infinity leaks as NaN."""

        p: float = strength()

        def gradient(self, g, w, here):
            return {k: v + lead(self.p, v) * w[k].sum() ** 2 * 1e-3 for k, v in g.items()}

    return Leaking


def idle():
    class Idle(Technique, name="broken_idle"):
        """Clips at a norm that no gradient reaches: it does nothing."""

        p: float = strength()

        def gradient(self, g, w, here):
            return {k: v.clamp(-1e30, 1e30) for k, v in g.items()}

    return Idle


def drawing_at_inference():
    class DrawingAtInference(Technique, name="broken_inference"):
        """Noise also when evaluated."""

        p: float = strength()

        def inference(self, h):
            return h + lead(self.p, h) * torch.rand_like(h)

    return DrawingAtInference


def looking_at_others():
    class LookingAtOthers(Technique, name="broken_rows"):
        """Centres by the rows that happen to be evaluated together."""

        p: float = strength()

        def inference(self, h):
            return h - lead(self.p, h) * h.mean(-2, keepdim=True)

    return LookingAtOthers


def coupled():
    class Coupled(Technique, name="broken_norm"):
        """Clips by one norm over the whole stack, as clip_grad_norm_ would."""

        p: float = strength()

        def gradient(self, g, w, here):
            norm = torch.sqrt(sum(v.square().sum() for v in g.values()))
            return {k: torch.where(lead(self.p, v) > 0, v * lead(self.p, v) / norm, v) for k, v in g.items()}

    return Coupled


def unbounded():
    class AnyNumber(Hyperparameter):
        def check(self, key, value):
            return value

    class Unbounded(Technique, name="broken_bounds"):
        """Takes any value."""

        p: float = strength()

        def activation(self, h, r):
            return h * (1 - lead(self.p, h))

        @classmethod
        def specs(cls):
            return {"p": AnyNumber(0.01, 0.9, 0.3, off=0.0)}

    return Unbounded


def forgetful():
    class Forgetful(Technique, name="broken_file"):
        """Leaves its value out of the file."""

        p: float = strength(default=0.5)

        def activation(self, h, r):
            return h * (1 - lead(self.p, h))

        def to_dict(self):
            return {}

    return Forgetful


def for_stacks_only():
    class ForStacksOnly(Technique, name="broken_rank"):
        """Takes the first axis for the member axis, which a single member has not."""

        p: float = strength()

        def weights(self, new, old, here):
            return {k: v - torch.where(lead(self.p, v) > 0, 0.1 * v.mean(0, keepdim=True), 0.0) for k, v in new.items()}

    return ForStacksOnly


BROKEN = [
    (shared_stream, "2 isolation"),
    (never_off, "1 off is identity"),
    (leaking, "1 off is identity"),
    (leaking, "8 a sick member is alone"),
    (idle, "4 on has effect"),
    (drawing_at_inference, "6 evaluation is a function"),
    (looking_at_others, "6 evaluation is a function"),
    (coupled, "2 isolation"),
    (coupled, "8 a sick member is alone"),
    (unbounded, "3 bounds"),
    (forgetful, "5 round trip"),
    (for_stacks_only, "9 every engine agrees"),
]


@pytest.fixture(autouse=True)
def registry():
    techniques()
    before = dict(REGISTRY)
    yield
    for name in REGISTRY.keys() - before.keys():
        REGISTRY.pop(name)


@pytest.mark.parametrize(("make", "law"), BROKEN, ids=lambda v: v if isinstance(v, str) else v.__name__)
def test_a_broken_technique_breaks_its_law(make, law):
    torch.manual_seed(0)
    with pytest.raises(AssertionError):
        LAWS[law](make())


def test_every_law_is_seen_to_fail():
    assert {law for _, law in BROKEN} == set(LAWS)


def test_a_sound_technique_keeps_them_all():
    class Sound(Technique, name="sound"):
        """Shrinks what a hidden unit says, by each member's own share."""

        p: float = strength()

        def activation(self, h, r):
            return h * (1 - lead(self.p, h))

    for law in LAWS.values():
        law(Sound)
