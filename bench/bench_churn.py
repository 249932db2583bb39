"""Churn at scale: 100,000 users from log to reasons in one run, and the cost of contributions against their limit.

Run: OMP_NUM_THREADS=1 python bench/bench_churn.py [users] [users to score]. CPU seconds (process_time); ratios within
the one run count. With a second number, a model of the first users scores so many others in one batch, with reasons for
the riskiest 5%.
"""

from __future__ import annotations

import resource
import sys
import time
import warnings

import numpy as np
import pandas as pd

import commlife as cl
from commlife.churn import SilenceModel


def make_frame(users: int, seed: int = 0, days: int = 300) -> pd.DataFrame:
    """Users with rates and lifetimes of their own; each row is an order."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(1.2, 1 / 20, users)
    born = rng.integers(0, days - 20, users)
    life = np.minimum(rng.exponential(200, users), days - born)
    count = 1 + rng.poisson(rate * life)
    user = np.repeat(np.arange(users), count)
    day = born[user] + rng.random(len(user)) * life[user]
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    day[first] = born
    return pd.DataFrame(
        {
            "user": user,
            "at": pd.Timestamp("2025-01-06") + pd.to_timedelta((day * 86_400).astype(np.int64), unit="s"),
            "paid": np.round(rng.gamma(2, 15, len(user)), 2) + 1,
            "estate": user % 200,
        }
    )


def megabytes() -> float:
    """Peak memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(name: str, work: object) -> object:
    """Run once; print CPU seconds and peak memory."""
    start = time.process_time()
    made = work()
    print(f"{name:<44} {time.process_time() - start:8.2f} s CPU   peak {megabytes():6.0f} MB")
    return made


def best(work: object, times: int = 3) -> float:
    """Least CPU seconds of several runs."""
    spent = []
    for _ in range(times):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def main() -> None:
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    as_of = "2025-11-02"
    frame = make_frame(users)
    names = {"user_id": "user", "ordered_at": "at", "amount": "paid", "community": "estate"}
    log = timed(f"log of {len(frame):,} orders", lambda: cl.OrderLog.from_frame(frame, **names))
    spec = SilenceModel(snapshots=3)
    panel = timed("panel: 3 fit, calibration, test, now", lambda: spec.panel.build(log, as_of=as_of))
    model = timed("fit, baselines, evaluation, 10 refits", lambda: spec.fit_panel(panel, log=log))
    print(f"  {model!r}")
    timed("driver table", model.drivers)
    at_risk = timed("reasons of the riskiest 5%", lambda: model.reasons(log, as_of=as_of, users=0.05))
    print(f"  {at_risk['user_id'].nunique():,} users")

    now = panel.of("now")[0]
    X = now.features[list(model.forest.names)].to_numpy()[:20_000]
    import xgboost

    data = xgboost.DMatrix(X.astype(np.float32), feature_names=list(model.forest.names), nthread=1)
    raw = best(lambda: model.forest.booster.predict(data, pred_contribs=True))
    ours = best(lambda: model.forest.contributions(X))
    print(f"contributions of {len(X):,} rows: ours {ours:.2f} s, booster alone {raw:.2f} s, ratio {ours / raw:.3f}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap

        explainer = shap.TreeExplainer(model.forest.booster)
        few = X[:5_000].astype(np.float32)
        theirs = best(lambda: explainer.shap_values(few))
        mine = best(lambda: model.forest.contributions(few))
        apart = np.abs(explainer.shap_values(few) - model.forest.contributions(few)[0]).max()
    print(
        f"  of {len(few):,} rows: shap.TreeExplainer {theirs:.2f} s, ours {mine:.2f} s; largest difference {apart:.1e}"
    )

    row = dict(zip(model.forest.names, X[0].tolist(), strict=True))
    model.explain_one(row)
    one = best(lambda: [model.explain_one(row) for _ in range(20)]) / 20
    print(f"explain_one, warm: {1000 * one:.2f} ms")
    score = best(lambda: model.calibration.probability(model.forest.margin(now.features)), times=2)
    print(f"score {len(now):,} users: {score:.2f} s, {1e6 * score / len(now):.1f} us a user")
    exact = timed("exact reasons of the riskiest 1%", lambda: model.reasons(log, as_of=as_of, users=0.01, mode="exact"))
    print(f"  {exact['user_id'].nunique():,} users")
    if len(sys.argv) > 2:
        score_many(model, int(sys.argv[2]), as_of)


def score_many(model: object, users: int, as_of: str) -> None:
    """One batch of many users: features, forecasts, reasons of the riskiest twentieth."""
    frame = make_frame(users, seed=1)
    names = {"user_id": "user", "ordered_at": "at", "amount": "paid", "community": "estate"}
    log = timed(f"log of {len(frame):,} orders", lambda: cl.OrderLog.from_frame(frame, **names))
    told = timed("forecasts", lambda: model.predict(log, as_of=as_of))
    print(f"  {len(told):,} active users")
    at_risk = timed("forecasts and reasons of the riskiest 5%", lambda: model.reasons(log, as_of=as_of, users=0.05))
    print(f"  {at_risk['user_id'].nunique():,} users")


if __name__ == "__main__":
    main()
