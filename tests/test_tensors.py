"""Operations on a stack: what is picked is exact, products are products, and where their values lie in memory."""

import math

import pytest
import torch

from tauten.tensors import pick, product

FAR = [1.5, math.inf, math.nan, -0.0]


@pytest.mark.parametrize("on", [[True, True, True], [False, False, False], [True, False, True]])
def test_pick_is_exact_and_lets_nothing_leak(on):
    a, b = torch.randn(3, 5, 4), torch.tensor(FAR).expand(3, 5, 4)
    for one, other in ((a, b), (b, a)):
        got = pick(torch.tensor(on), one, other)
        for i, answer in enumerate(on):
            want = one[i] if answer else other[i]
            assert torch.equal(got[i].view(torch.int32), want.contiguous().view(torch.int32))
            assert torch.equal(pick(torch.tensor(answer), one[i], other[i]).view(torch.int32), got[i].view(torch.int32))


def test_pick_has_the_gradient_of_what_was_picked():
    on = torch.tensor([True, False, True])
    a, b = (torch.randn(3, 4, requires_grad=True) for _ in range(2))
    gradients = torch.autograd.grad((pick(on, a, b) * 7).sum(), [a, b])
    assert torch.equal(gradients[0], torch.tensor([[7.0] * 4, [0.0] * 4, [7.0] * 4]))
    assert torch.equal(gradients[1], 7 - gradients[0])


def test_vmapped_picks_are_those_of_the_stack():
    on, a, b = torch.tensor([True, False]), torch.randn(2, 4), torch.randn(2, 4)
    assert torch.equal(torch.func.vmap(pick)(on, a, b), pick(on, a, b))


@pytest.mark.parametrize("members", [(), (3,)])
def test_a_product_and_its_gradients_are_those_of_matmul_and_lie_well(members):
    g = torch.Generator().manual_seed(0)
    h, w, pull = (torch.randn(*members, *shape, generator=g) for shape in ((7, 5), (5, 6), (7, 6)))
    h, w = h.requires_grad_(), w.requires_grad_()
    out, want = product(h, w), h @ w
    torch.testing.assert_close(out, want)
    ours, theirs = (torch.autograd.grad((y * pull).sum(), [h, w]) for y in (out, want))
    for mine, its in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, its)
    assert out.mT.is_contiguous()
    assert ours[0].mT.is_contiguous()
    assert ours[1].is_contiguous()


def test_products_are_mapped_and_differentiated_twice():
    g = torch.Generator().manual_seed(0)
    h, w = torch.randn(3, 7, 5, generator=g), torch.randn(3, 5, 6, generator=g)

    def sharpness(multiply):
        loss = lambda w, h: multiply(h, w).square().sum()  # noqa: E731
        return torch.func.vmap(torch.func.grad(lambda w, h: torch.func.grad(loss)(w, h).square().sum()))(w, h)

    torch.testing.assert_close(sharpness(product), sharpness(torch.matmul))
