"""Allocation at scale, against HiGHS where that still runs. Prints CPU seconds, certified gaps and peak memory.

Run: python bench/bench_coupons.py [users ...]

Measured on a 2-core x86-64 machine under load (values and costs in float32; peak of the whole process, data included):

====================================  ========  =======  =======
users x 5 coupons                     CPU s     gap      peak MB
====================================  ========  =======  =======
1,000,000, one budget                  0.78     1.8e-10    350
1,000,000, 5,000 caps                  2.47     5.7e-05    433
10,000,000, one budget                10.9      1.8e-11  1,762
10,000,000, 50,000 caps               35.3      5.8e-05  2,321
====================================  ========  =======  =======

Of the 350 MB 242 are the interpreter and the making of the data: in a process that only reads its values and costs the
peak at one million users is 296 MB (float32) or 334 MB (float64), and 340 MB with 5,000 caps.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import numpy as np
import scipy.sparse as sp
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from commlife.coupons import allocate
from commlife.effects import hash_share, qini

FACE = np.array([3, 5, 8, 12, 20], dtype=np.float32)


def market(users: int, seed: int = 0):
    """Values and costs of five coupons: redemption grows with the face value, some users are sleeping dogs."""
    rng = np.random.default_rng(seed)
    base = rng.gamma(1.2, 0.08, users).astype(np.float32)
    sense = rng.gamma(2, 0.03, users).astype(np.float32)
    order = rng.lognormal(3.2, 0.5, users).astype(np.float32)
    dogs = rng.random(users) < 0.15
    value, cost = np.empty((users, 5), np.float32), np.empty((users, 5), np.float32)
    for j, face in enumerate(FACE):
        noise = np.exp(rng.normal(0, 0.2, users)).astype(np.float32)
        chance = np.minimum(base + sense * face**0.6 * noise, 0.95)
        cost[:, j] = chance * face + 0.05
        value[:, j] = (chance - base) * order * 0.9 + rng.normal(0, 0.4, users) - 3 * dogs
    return value, cost


def fifth(value, cost) -> float:
    """A fifth of what everybody's most valuable coupon would cost."""
    best = value.argmax(axis=1)
    rows = np.arange(len(value))
    return 0.2 * float(np.where(value[rows, best] > 0, cost[rows, best], 0).sum(dtype=float))


def cpu(call):
    """Result and CPU seconds of the best of three."""
    best, result = np.inf, None
    for _ in range(3):
        start = time.process_time()
        result = call()
        best = min(best, time.process_time() - start)
    return result, best


def highs(value, cost, budget, *, whole: bool) -> float:
    users, coupons = value.shape
    rows = sp.vstack([sp.kron(sp.eye(users), np.ones((1, coupons))), sp.csr_matrix(cost.ravel()[None])]).tocsr()
    limits = np.append(np.ones(users), budget)
    if not whole:
        return -linprog(-value.ravel(), A_ub=rows, b_ub=limits, bounds=(0, 1), method="highs").fun
    found = milp(
        -value.ravel(),
        constraints=LinearConstraint(rows, -np.inf, limits),
        integrality=np.ones(value.size),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 1e-6, "time_limit": 30},
    )
    return -found.fun


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def single(users: int) -> None:
    """One size in its own process, so that peak memory is its own."""
    value, cost = market(users)
    budget = fifth(value, cost)
    before = peak_megabytes()
    plan, seconds = cpu(lambda: allocate(value, cost, budget))
    print(
        f"{users:>10,} users, one budget        {seconds:7.3f} s CPU   gap {plan.gap:.1e}   "
        f"peak {peak_megabytes():.0f} MB ({before:.0f} before)"
    )
    groups = max(users // 200, 2)
    group = np.random.default_rng(1).integers(0, groups, users)
    best = np.where(value.max(axis=1) > 0, cost[np.arange(users), value.argmax(axis=1)], 0)
    wish = np.bincount(group, best, groups) * np.random.default_rng(2).uniform(0.05, 0.5, groups)
    caps = dict(enumerate(wish.tolist()))
    plan, seconds = cpu(lambda: allocate(value, cost, budget, group=group, group_caps=caps))
    what, peak = f"{users:>10,} users, {groups:>6,} caps", peak_megabytes()
    print(f"{what}        {seconds:7.3f} s CPU   gap {plan.gap:.1e}   peak {peak:.0f} MB")


def against_highs() -> None:
    value, cost = (matrix.astype(float) for matrix in market(1_000))
    budget = fifth(value, cost)
    plan, ours = cpu(lambda: allocate(value, cost, budget))
    start = time.process_time()
    relaxed = highs(value, cost, budget, whole=False)
    lp = time.process_time() - start
    start = time.process_time()
    exact = highs(value, cost, budget, whole=True)
    mip = time.process_time() - start
    print(f"     1,000 users: ours {ours:.4f} s, HiGHS LP {lp / ours:.0f} times that, MILP {mip / ours:.0f} times")
    print(f"     bound - LP optimum {plan.upper_bound - relaxed:+.1e}, value / MILP - 1 {plan.value / exact - 1:+.1e}")


def measuring() -> None:
    rng = np.random.default_rng(0)
    users = 1_000_000
    outcome, treatment, score = rng.random(users) < 0.1, rng.random(users) < 0.5, rng.random(users)
    print(f"{users:>10,} users: qini {cpu(lambda: qini(outcome, treatment, score))[1]:.2f} s CPU")
    print(f"{users:>10,} users: hash_share {cpu(lambda: hash_share(np.arange(users), salt='x'))[1]:.2f} s CPU")


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "--one":
        single(int(float(sys.argv[2])))
    else:
        against_highs()
        for size in sys.argv[1:] or ["1e5", "1e6"]:
            subprocess.run([sys.executable, __file__, "--one", size], check=True)
        measuring()
