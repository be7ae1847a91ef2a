"""Steps by orthogonal matrices: their closed form, and that they go where the gradient points."""

import copy

import pytest
import torch

from atomwork.models.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(8, 8), (6, 40), (40, 6), (1, 9)])
def test_singular_vectors_stay_and_singular_values_come_near_one(torch_rng, shape):
    matrix = torch.randn(shape, generator=torch_rng)
    u, values, v = torch.linalg.svd(matrix, full_matrices=False)
    turned = u.T @ orthogonal(matrix) @ v.T  # diagonal, in the matrix's own directions
    sure = values > 0.1 * values.max()
    assert torch.allclose(turned, torch.diag(turned.diagonal()), atol=1e-4)
    assert ((turned.diagonal()[sure] > 0.6) & (turned.diagonal()[sure] < 1.25)).all()


def test_the_size_of_a_step_is_the_learning_rate_whatever_the_gradient(torch_rng):
    for gain in (1e-3, 1e3):
        kernel = torch.nn.Parameter(torch.zeros(6, 4, 3, 3))
        kernel.grad = gain * torch.randn(kernel.shape, generator=torch_rng)
        Muon([{"params": [kernel], "momentum": 0.9, "lr": 0.1}]).step()
        values = torch.linalg.svdvals(kernel.detach().flatten(1))
        assert ((values > 0.06) & (values < 0.125)).all()


def test_without_momentum_it_is_adamw(torch_rng):
    start, gradient = torch.randn(3, 5, generator=torch_rng), torch.randn(3, 5, generator=torch_rng)
    results = []
    for kind in (Muon, torch.optim.AdamW):
        tensor = torch.nn.Parameter(start.clone())
        tensor.grad = gradient.clone()
        kind([{"params": [tensor], "lr": 0.01, "weight_decay": 0.1}]).step()
        results.append(tensor.detach())
    assert torch.equal(*results)


def test_both_groups_descend_and_the_state_can_be_carried_over(torch_rng):
    target = torch.randn(4, 7, generator=torch_rng)

    def parts():
        matrix, offset = torch.nn.Parameter(torch.zeros(4, 7)), torch.nn.Parameter(torch.zeros(7))
        groups = [{"params": [matrix], "momentum": 0.9, "lr": 0.02}, {"params": [offset], "lr": 0.02}]
        return matrix, offset, Muon(groups, weight_decay=0.0)

    def step(matrix, offset, optimizer):
        def closure():
            optimizer.zero_grad()
            loss = (matrix + offset - target).square().mean()
            loss.backward()
            return loss

        return optimizer.step(closure).item()

    matrix, offset, optimizer = parts()
    first = [step(matrix, offset, optimizer) for _ in range(60)]
    assert first[-1] < 0.3 * first[0]
    again = parts()
    again[2].load_state_dict(copy.deepcopy(optimizer.state_dict()))  # as from a file
    with torch.no_grad():
        again[0].copy_(matrix), again[1].copy_(offset)
    assert step(*again) == step(matrix, offset, optimizer)
    assert torch.equal(again[0], matrix)
