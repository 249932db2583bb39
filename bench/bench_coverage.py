"""How often 95% intervals hold the truth: many samples of simulated users, in moments and in whole days.

Run: python bench/bench_coverage.py [--samples 400] [--users 2500]

For each parameter: share of samples whose interval (normal on the log scale, from the observed information) holds the
truth, and mean and spread of the standardised errors, which are 0 and 1 where the intervals are right. ``plain`` is the
share for intervals that are normal on the scale of the parameter itself, ``rounded up`` what happens to the first if a
simulation rounds times up to days: a bias of half a day, which is the simulation's and not the model's.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np

from commlife.value import (
    BetaGeo,
    GammaGamma,
    ModifiedBetaGeo,
    ParetoNBD,
    profile_log_likelihood,
    simulate_summary,
)

TRUTH: dict[str, dict[str, float]] = {
    "BetaGeo": {"r": 0.6, "alpha": 5.0, "a": 0.8, "b": 2.4},
    "ModifiedBetaGeo": {"r": 0.6, "alpha": 6.0, "a": 0.9, "b": 1.6},
    "ParetoNBD": {"r": 0.6, "alpha": 8.0, "s": 0.8, "beta": 12.0},
}
SPECS: tuple[Any, ...] = (BetaGeo(), ModifiedBetaGeo(), ParetoNBD())
GRAINS = ("moments", "whole days", "rounded up")


def purchases(spec: Any, grain: str, samples: int, users: int) -> None:
    name = type(spec).__name__
    truth = TRUTH[name]
    z, plain, held = [], [], []
    start = time.process_time()
    for seed in range(samples):
        summary = simulate_summary(
            name, truth, n_users=users, T="365D", first_within="90D", whole_days=grain == "whole days", seed=seed
        )
        if grain == "rounded up":
            summary[["t_x", "T"]] = np.ceil(summary[["t_x", "T"]])
        fitted = spec.fit(summary, time_unit="7D")
        logs = np.log([fitted.params[p] / truth[p] for p in truth])
        z.append(logs / np.sqrt(np.diag(fitted.log_covariance)))
        plain.append([(fitted.params[p] - truth[p]) / fitted.standard_errors[p] for p in truth])
        if grain == "whole days" and name != "ParetoNBD":
            tops = [profile_log_likelihood(fitted, summary, **{p: truth[p]}) for p in truth]
            held.append(2 * (fitted.log_likelihood - np.array(tops)) < 3.8415)
    if held:
        shares = dict(zip(truth, np.mean(held, axis=0).round(3).tolist(), strict=True))
        print(f"{name}, {grain}, profile likelihood: {shares}")
    show(f"{name}, {grain}", list(truth), np.array(z), np.array(plain), time.process_time() - start)


def spend(samples: int, users: int) -> None:
    import pandas as pd

    truth = {"p": 6.25, "q": 3.74, "v": 15.44}
    z, plain = [], []
    start = time.process_time()
    for seed in range(samples):
        rng = np.random.default_rng(seed)
        x = 1 + rng.poisson(2.0, users)
        m = rng.gamma(truth["p"] * x) / x / rng.gamma(truth["q"], 1 / truth["v"], users)
        fitted = GammaGamma().fit(pd.DataFrame({"user_id": range(users), "x": x, "t_x": x, "T": x + 9, "m_x": m}))
        logs = np.log([fitted.params[p] / truth[p] for p in truth])
        z.append(logs / np.sqrt(np.diag(fitted.log_covariance)))
        plain.append([(fitted.params[p] - truth[p]) / fitted.standard_errors[p] for p in truth])
    show("GammaGamma", list(truth), np.array(z), np.array(plain), time.process_time() - start)


def show(label: str, names: list[str], z: np.ndarray, plain: np.ndarray, seconds: float) -> None:
    print(f"{label} ({len(z)} samples, {seconds:.0f} s)")
    for i, name in enumerate(names):
        inside, own = np.mean(np.abs(z[:, i]) < 1.96), np.mean(np.abs(plain[:, i]) < 1.96)
        error = f"standardised error {z[:, i].mean():+.2f}, spread {z[:, i].std():.2f}"
        print(f"    {name:<6} {inside:.3f} (plain {own:.3f})   {error}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--users", type=int, default=2500)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    reach = 2 * (0.0475 / given.samples) ** 0.5
    print(f"95% intervals, {given.users:,} users a sample; two standard errors of a share: {reach:.3f}")
    for spec in SPECS:
        for grain in GRAINS:
            purchases(spec, grain, given.samples, given.users)
    spend(given.samples, given.users)


if __name__ == "__main__":
    main()
