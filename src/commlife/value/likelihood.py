"""The likelihood of many histories: each is the sum of two paths, computed for pairs and looked up for histories."""

from __future__ import annotations

from typing import Any

import numpy as np

from commlife.value.estimation import Terms
from commlife.value.histories import Histories, Index
from commlife.value.kernels import Kernel, Parameters, Path

__all__ = ["log_likelihood_of", "of_strata", "slopes_by_stratum"]

Array = np.ndarray[Any, np.dtype[np.float64]]


def log_likelihood_of(
    kernel: Kernel, histories: Histories, p: Parameters, scale: float, *, second: bool = False
) -> Terms:
    """Log-likelihood and its derivatives by the log parameters, times divided by ``scale`` days.

    Args:
        kernel: The model.
        histories: The users' histories.
        p: The parameters, the same for all.
        scale: Unit of the time parameters, in days.
        second: Whether second derivatives are wanted too (None where the kernel has none written out).
    """
    here, gone, total, share = _paths(kernel, histories, p, p, scale, second=second)
    here_weight = histories.counts * share
    of_here = np.bincount(histories.here, here_weight, here.value.size)
    of_gone = np.bincount(histories.gone, histories.counts - here_weight, gone.value.size)
    # einsum and not @: the threads of a BLAS cost more here than they bring, and their sums depend on their number.
    gradient = np.einsum("ij,j->i", here.gradient, of_here) + np.einsum("ij,j->i", gone.gradient, of_gone)
    value = float(np.einsum("i,i->", histories.counts, total))
    if here.curvature is None or gone.curvature is None:
        return value, gradient, None
    # Which of the paths it was is not known: the spread of the slopes between them flattens the top.
    n = len(p)
    apart = here.gradient.take(histories.here, axis=1) - gone.gradient.take(histories.gone, axis=1)
    hessian = np.empty((n, n))
    for i, row in enumerate(apart * (here_weight * (1.0 - share))):
        for j in range(i, n):
            hessian[i, j] = hessian[j, i] = np.einsum("n,n->", row, apart[j])
    for curvature, weight in ((here.curvature, of_here), (gone.curvature, of_gone)):
        for (i, j), rows in curvature.items():
            bent = float(np.einsum("i,i->", rows, weight))
            hessian[i, j] += bent
            if i != j:
                hessian[j, i] += bent
    return value, gradient, hessian


def slopes_by_stratum(kernel: Kernel, histories: Histories, p: Array, scale: float) -> tuple[Array, Array]:
    """Log-likelihood and its gradient by the log parameters, one value (and column) a stratum.

    Args:
        kernel: The model.
        histories: The users' histories, in strata.
        p: Parameters of each stratum, shape (4, n_strata).
        scale: Unit of the time parameters, in days.
    """
    here, gone, total, share = _paths(
        kernel, histories, of_strata(p, histories.here_stratum), of_strata(p, histories.gone_stratum), scale
    )
    n = p.shape[1]
    value = np.zeros(n)
    value += np.bincount(histories.here_stratum[histories.here], histories.counts * total, n)
    gradient = np.empty_like(p)
    of_here = np.bincount(histories.here, histories.counts * share, here.value.size)
    of_gone = np.bincount(histories.gone, histories.counts * (1.0 - share), gone.value.size)
    for j in range(p.shape[0]):
        gradient[j] = np.bincount(histories.here_stratum, here.gradient[j] * of_here, n)
        gradient[j] += np.bincount(histories.gone_stratum, gone.gradient[j] * of_gone, n)
    return value, gradient


def of_strata(p: Array, stratum: Index) -> list[Array]:
    """Parameters of each row: numbers where there is one stratum, else looked up."""
    if p.shape[1] == 1:
        return list(p[:, 0])
    return [row[stratum] for row in p]


def _paths(
    kernel: Kernel,
    histories: Histories,
    of_here: Parameters,
    of_gone: Parameters,
    scale: float,
    *,
    second: bool = False,
) -> tuple[Path, Path, Array, Array]:
    """Both paths, the log of their sum a history, and the share of *here* in it."""
    here = kernel.here(of_here, histories.here_x, histories.here_T / scale, second=second)
    gone = kernel.gone(of_gone, histories.gone_x, histories.gone_t / scale, second=second)
    one, other = here.value.take(histories.here), gone.value.take(histories.gone)
    with np.errstate(over="ignore"):
        odds = np.exp(other - one)
    if np.isinf(odds).any():  # the paths lie more than 300 orders of magnitude apart
        total = np.logaddexp(one, other)
        share = np.exp(one - total)
    else:
        share = 1.0 / (1.0 + odds)
        total = one - np.log(share)
    return here, gone, total, share
