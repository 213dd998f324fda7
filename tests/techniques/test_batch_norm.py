import torch
from torch import nn

from tauten.techniques.batch_norm import BatchNorm

ROWS, WIDTH, MOMENTA = 23, 13, [0.1, 0.5, 1.0]


def test_it_is_torchs_in_training_and_evaluation_over_several_steps():
    """A stack of three members, each with its own momentum, scale and shift, against three `nn.BatchNorm1d`."""
    g = torch.Generator().manual_seed(0)
    members = len(MOMENTA)
    stack = BatchNorm().with_values({"momentum": torch.tensor(MOMENTA)})
    own = {k: torch.randn(members, WIDTH, generator=g).requires_grad_() for k in BatchNorm().parameters(WIDTH)}
    buffers = {k: v.expand(members, WIDTH) for k, v in BatchNorm().buffers(WIDTH).items()}
    references = [nn.BatchNorm1d(WIDTH, momentum=m) for m in MOMENTA]
    for i, reference in enumerate(references):
        with torch.no_grad():
            reference.weight.copy_(own["scale"][i])
            reference.bias.copy_(own["shift"][i])
    for step in range(6):
        h = (torch.randn(members, ROWS, WIDTH, generator=g) * (step + 1) + step).requires_grad_()
        pull = torch.randn(members, ROWS, WIDTH, generator=g)
        out, buffers = stack.normalize(h, own, buffers, True)
        ours = torch.autograd.grad((out * pull).sum(), [h, own["scale"], own["shift"]])
        buffers = {k: v.detach() for k, v in buffers.items()}
        seen = torch.randn(members, 3, WIDTH, generator=g)
        evaluated, same = stack.normalize(seen, own, buffers, False)
        assert all(torch.equal(same[k], buffers[k]) for k in buffers)
        for i, reference in enumerate(references):
            reference.train()
            x = h[i].detach().requires_grad_()
            want = reference(x)
            grads = torch.autograd.grad((want * pull[i]).sum(), [x, reference.weight, reference.bias])
            torch.testing.assert_close(out[i], want, rtol=1e-5, atol=1e-5)
            for mine, its in zip(ours, grads, strict=True):
                torch.testing.assert_close(mine[i], its, rtol=1e-4, atol=2e-5)
            torch.testing.assert_close(buffers["mean"][i], reference.running_mean, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(buffers["variance"][i], reference.running_var, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(evaluated[i], reference.eval()(seen[i]), rtol=1e-5, atol=1e-5)


def test_one_member_without_a_stack():
    h = torch.randn(ROWS, WIDTH, generator=torch.Generator().manual_seed(1))
    technique, reference = BatchNorm(momentum=0.3), nn.BatchNorm1d(WIDTH, momentum=0.3)
    out, buffers = technique.normalize(h, technique.parameters(WIDTH), technique.buffers(WIDTH), True)
    torch.testing.assert_close(out, reference(h).detach())
    torch.testing.assert_close(buffers["variance"], reference.running_var)


def test_a_batch_of_one_row_stays_finite():
    technique = BatchNorm()
    out, buffers = technique.normalize(torch.full((1, 4), 3.0), technique.parameters(4), technique.buffers(4), True)
    # What is left of x − mean is rounding, divided by √ε; torch.nn.BatchNorm does not give 0 either.
    assert out.abs().max() < 1e-3
    assert all(torch.isfinite(v).all() for v in buffers.values())
