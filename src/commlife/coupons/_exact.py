"""The exact plan by HiGHS, for small cases: to check what the fast way makes, not to replace it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from commlife.errors import ConfigError, InsufficientDataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.coupons._relaxed import Caps
    from commlife.coupons._segments import Problem

__all__ = ["exact_plan"]

#: Cells (users x coupons) that are taken: more can run for hours.
MOST_CELLS = 50_000


def exact_plan(
    problem: Problem,
    budget: float,
    caps: Caps | None,
    channels: tuple[NDArray[np.intp], NDArray[np.int64]] | None,
) -> NDArray[np.int16]:
    """The best whole plan, by mixed-integer programming.

    Raises:
        ConfigError: If there are more than 50,000 cells.
        InsufficientDataError: If HiGHS finds none within two minutes.
    """
    from scipy import sparse
    from scipy.optimize import Bounds, LinearConstraint, milp

    users, coupons = problem.users, problem.coupons
    if users * coupons > MOST_CELLS:
        raise ConfigError(
            f'solver="exact" takes at most {MOST_CELLS:,} users times coupons; seen {users * coupons:,}. '
            'Use solver="fast": its gap is certified.'
        )
    value, cost = (matrix.T.ravel() for matrix in problem.columns(slice(None)))
    keep = np.flatnonzero(value > 0)
    user, coupon = keep // coupons, keep % coupons
    choice = np.full(users, -1, dtype=np.int16)
    if len(keep) == 0:
        return choice
    columns, ones = np.arange(len(keep)), np.ones(len(keep))
    rows = [sparse.csr_matrix((ones, (user, columns)), (users, len(keep))), sparse.csr_matrix(cost[keep][None])]
    limits = [np.ones(users), np.array([budget])]
    if caps is not None:
        capped = np.isfinite(caps.cap)
        rows.append(sparse.csr_matrix((cost[keep], (caps.group[user], columns)), (len(capped), len(keep)))[capped])
        limits.append(caps.cap[capped])
    if channels is not None:
        code, most = channels
        through = code[coupon] >= 0
        where = (code[coupon][through], columns[through])
        rows.append(sparse.csr_matrix((ones[through], where), (len(most), len(keep))))
        limits.append(most.astype(np.float64))
    found = milp(
        -value[keep],
        constraints=LinearConstraint(sparse.vstack(rows).tocsr(), -np.inf, np.concatenate(limits)),
        integrality=np.ones(len(keep), dtype=np.uint8),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 1e-9, "time_limit": 120},
    )
    if found.x is None:
        raise InsufficientDataError(f'solver="exact": HiGHS found no plan ({found.message}). Use solver="fast".')
    taken = found.x > 0.5
    choice[user[taken]] = coupon[taken]
    return choice
