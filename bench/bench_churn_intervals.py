"""Intervals of driver tables against refits: how often the interval of one fit holds the effect of a fit to other users.

Run: OMP_NUM_THREADS=1 python bench/bench_churn_intervals.py [worlds] [users]. Each world draws new users with one true
driver, a decoy that follows it (correlation .9, no effect of its own) and four features that say nothing; every fit's
interval is held against every other fit's effect. Nominal: 95%; in brackets, what other worlds might have said (95%,
resampled over worlds). Features that the trees never use have no spread.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import commlife as cl
from commlife.churn import HostFeatures, SilenceModel

PERIODS = 10


def expit(z: np.ndarray) -> np.ndarray:
    """Logistic function."""
    return 1 / (1 + np.exp(-z))


def make_world(seed: int, users: int) -> tuple[cl.OrderLog, HostFeatures, object]:
    """A log in which each period's silence follows a driver that is new each period."""
    rng = np.random.default_rng(seed)
    driver = rng.normal(size=(users, PERIODS))
    decoy = 0.9 * driver + np.sqrt(1 - 0.81) * rng.normal(size=driver.shape)
    ordered = np.ones((users, PERIODS + 1), dtype=bool)
    ordered[:, 1:] = rng.random(driver.shape) > expit(-0.5 + 1.5 * driver)
    user, period = np.nonzero(ordered)
    start = pd.Timestamp("2025-01-06")
    day = period * 28 + rng.integers(0, 28, len(user))
    frame = pd.DataFrame(
        {"u": user, "at": start + pd.to_timedelta(day, unit="D"), "paid": np.round(rng.gamma(2, 10, len(user)), 2) + 1}
    )
    owner, when = np.indices(driver.shape)
    known = start + pd.to_timedelta(when.ravel() * 28 + 27, unit="D")
    history = pd.DataFrame({"user_id": owner.ravel(), "known": known, "driver": driver.ravel(), "decoy": decoy.ravel()})
    log = cl.OrderLog.from_frame(frame, user_id="u", ordered_at="at", amount="paid", observed_from="2025-01-06")
    host = HostFeatures.from_history(history, known_at="known")
    return log, host, (start + pd.Timedelta(days=28 * (PERIODS + 1))).date()


def held(effect: np.ndarray, low: np.ndarray, high: np.ndarray, worlds: np.ndarray) -> float:
    """Share of pairs of different worlds in which the interval of one holds the effect of the other."""
    effect, low, high = effect[worlds], low[worlds], high[worlds]
    inside = (effect[None] >= low[:, None]) & (effect[None] <= high[:, None])
    apart = worlds[None] != worlds[:, None]
    return float(inside[apart].mean()) if apart.any() else float("nan")


def main() -> None:
    worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    users = int(sys.argv[2]) if len(sys.argv) > 2 else 1_500
    spec = SilenceModel(
        active_within="84D", step="28D", snapshots=3, resamples=5,
        features=("recency_days", "orders", "spend", "gap_mean"),
    )  # fmt: skip
    rows = []
    for seed in range(worlds):
        log, host, as_of = make_world(seed, users)
        table = spec.fit(log, as_of=as_of, host=host).drivers()
        rows.append(table[(table["level"] == "feature") | (table["driver"] == "driver")].assign(world=seed))
    truth = float(expit(np.array(-0.5 + 1.5 * 1.2816)) - expit(np.array(-0.5 - 1.5 * 1.2816)))
    print(f"{worlds} worlds of {users:,} users; true effect of the driver {truth:.3f}, of the decoy 0")
    for (level, name), mine in pd.concat(rows).groupby(["level", "driver"]):
        effect, low, high = (mine[column].to_numpy() for column in ("effect_pp", "effect_low", "effect_high"))
        share = held(effect, low, high, np.arange(len(effect)))
        # Worlds are few, and each is in many pairs: what other worlds might have said.
        drawn = np.random.default_rng(0).integers(0, len(effect), (1_000, len(effect)))
        least, most = np.nanquantile([held(effect, low, high, chosen) for chosen in drawn], [0.025, 0.975])
        print(
            f"{level:8} {name:14} mean effect {effect.mean():+.3f}  spread over worlds {effect.std(ddof=1):.3f}  "
            f"other fits held {share:.1%} [{least:.1%}, {most:.1%}]  first in {(mine['rank'] == 1).mean():.0%}"
        )


if __name__ == "__main__":
    main()
