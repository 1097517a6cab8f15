"""First-order linear recurrences, evaluated for many chunks of the sequence at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def linear_recurrence(
    decay: Tensor, update: Tensor, initial: Tensor | None = None, *, chunk: int = 64
) -> Tensor:
    """Solve ``h[t] = decay[t] * h[t - 1] + update[t]`` along the first axis.

    The sequence is cut into chunks; all chunks advance together, so that the number of
    steps taken in Python is about ``2 * chunk + length / chunk`` instead of ``length``.
    The backward pass is the same recurrence run from the end, written by hand: automatic
    differentiation of the loop would write one full-size gradient for every step.

    Parameters
    ----------
    decay : Tensor
        Shape (L, ...), real floating point.
    update : Tensor
        Same shape and dtype as `decay`.
    initial : Tensor, optional
        The state before the first step, shape (...); zeros when left out.
    chunk : int
        Steps in a chunk, at least 1.

    Returns
    -------
    Tensor
        All states, shape (L, ...). Differentiable once with respect to all three tensors.

    Raises
    ------
    ValueError
        If the shapes differ or `chunk` is not positive.
    """
    if decay.shape != update.shape:
        raise ValueError(
            f"decay {tuple(decay.shape)} and update {tuple(update.shape)} must have one shape."
        )
    if initial is None:
        initial = update.new_zeros(update.shape[1:])
    elif initial.shape != update.shape[1:]:
        raise ValueError(
            f"The initial state must have shape {tuple(update.shape[1:])}, "
            f"not {tuple(initial.shape)}."
        )
    if chunk < 1:
        raise ValueError(f"A chunk has at least one step, not {chunk}.")
    states: Tensor = _Recurrence.apply(  # type: ignore[no-untyped-call]
        decay, update, initial, chunk
    )
    return states


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, decay: Tensor, update: Tensor, initial: Tensor, chunk: int) -> Tensor:
        states = torch.empty(update.shape, dtype=update.dtype, device=update.device)
        _solve(decay, update, initial, states, chunk)
        ctx.save_for_backward(decay, initial, states)
        ctx.chunk = chunk
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        decay, initial, states = ctx.saved_tensors
        grad = grads[0]
        if not len(grad):
            return grad, grad, torch.zeros_like(initial), None
        # The adjoint obeys g[t] = grad[t] + decay[t + 1] * g[t + 1].
        adjoint = torch.empty(grad.shape, dtype=grad.dtype, device=grad.device)
        adjoint[-1] = grad[-1]
        _solve(decay[1:], grad[:-1], grad[-1], adjoint[:-1], ctx.chunk, reverse=True)
        grad_decay = torch.empty_like(adjoint)
        torch.mul(adjoint[:1], initial.unsqueeze(0), out=grad_decay[:1])
        torch.mul(adjoint[1:], states[:-1], out=grad_decay[1:])
        return grad_decay, adjoint, decay[0] * adjoint[0], None


def _solve(
    decay: Tensor,
    update: Tensor,
    initial: Tensor,
    states: Tensor,
    chunk: int,
    *,
    reverse: bool = False,
) -> None:
    """Fill `states` without recording gradients."""
    length = len(update)
    whole = length - length % chunk
    # Chunks of equal length advance together; the shorter rest at the end goes alone.
    parts = [(slice(0, whole), chunk), (slice(whole, length), length - whole)]
    state = initial
    for part, size in reversed(parts) if reverse else parts:
        if part.start < part.stop:
            state = _solve_chunks(
                torch.unflatten(decay[part], 0, (-1, size)),
                torch.unflatten(update[part], 0, (-1, size)),
                torch.unflatten(states[part], 0, (-1, size)),
                state,
                reverse=reverse,
            )


def _solve_chunks(
    decay: Tensor, update: Tensor, states: Tensor, initial: Tensor, *, reverse: bool
) -> Tensor:
    """Fill `states` (chunks, chunk, ...) and return the last state reached."""
    count, size = update.shape[:2]
    steps = range(size - 1, -1, -1) if reverse else range(size)
    order = range(count - 1, -1, -1) if reverse else range(count)
    entry = torch.empty_like(update[:, 0])  # the state that enters each chunk
    state = initial
    if count > 1:
        # First pass: what each chunk adds and how much of an entering state it keeps.
        added = torch.zeros_like(entry)
        kept = torch.ones_like(entry)
        for step in steps:
            torch.addcmul(update[:, step], decay[:, step], added, out=added)
            kept *= decay[:, step]
        for index in order:
            entry[index] = state
            state = torch.addcmul(added[index], kept[index], state)
    else:
        entry[0] = state
    # Second pass: the states themselves.
    running = entry
    for step in steps:
        running = torch.addcmul(update[:, step], decay[:, step], running, out=states[:, step])
    return states[order[-1], steps[-1]]
