"""Muon: steps of convolutions by the orthogonal matrix nearest to their momentum, all other parameters by AdamW."""

import torch

QUINTIC = (3.4445, -4.7750, 2.0315)  # brings singular values from 0.01…1 near 1 in five turns
TURNS = 5


class Muon(torch.optim.AdamW):
    """AdamW, except in groups with a ``momentum``, whose tensors are stepped as matrices (first axis, all others).

    Parameters
    ----------
    params : list of groups; those with ``momentum`` hold tensors of two axes or more, and their learning rate is the
        size of a step over that of an orthogonal matrix [-]
    settings : of AdamW

    References
    ----------
    K. Jordan et al., Muon: An optimizer for hidden layers in neural networks (2024).
    """

    @torch.no_grad()
    def step(self, closure=None):
        """One step; returns what ``closure`` does."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if "momentum" in group:
                for tensor in group["params"]:
                    if tensor.grad is not None:
                        self.step_matrix(tensor, group)
                        tensor.grad = None  # AdamW passes it over
        super().step()
        return loss

    def step_matrix(self, tensor, group):
        """Nesterov's momentum of a tensor, made orthogonal."""
        state = self.state[tensor]
        if not state:
            state.update(step=torch.tensor(0.0), momentum=torch.zeros_like(tensor))  # AdamW reads no state without a step
        state["step"] += 1
        state["momentum"].mul_(group["momentum"]).add_(tensor.grad)
        ahead = tensor.grad + group["momentum"] * state["momentum"]
        rows = ahead.flatten(1)
        stretch = max(1, rows.shape[0] / rows.shape[1]) ** 0.5
        tensor.mul_(1 - group["lr"] * group["weight_decay"])
        tensor.add_(orthogonal(rows).reshape(tensor.shape), alpha=-group["lr"] * stretch)


def orthogonal(matrix):
    """A matrix (M, N) of the same singular vectors, its singular values within about 0.7…1.2, by Newton and Schulz."""
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonal(matrix.T).T
    a, b, c = QUINTIC
    matrix = matrix / matrix.norm().clamp_min(1e-12)
    for _ in range(TURNS):
        square = matrix @ matrix.T
        matrix = a * matrix + (b * square + c * square @ square) @ matrix
    return matrix
