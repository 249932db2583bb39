"""Price elasticity: planted slopes found, matrices instead of formulas, and what is refused."""

from __future__ import annotations

import warnings

import duckdb
import numpy as np
import pandas as pd
import pytest

import commlife as cl
from commlife.metrics import price_elasticity
from commlife.metrics.elasticity import slope_hc3, slope_within

AS_OF = "2026-01-05"


def sales(slopes, *, weeks=52, noise=0.1, seed=0, category="c", spread=0.15):
    """A line a week and item: a growing town whose units follow price**slope."""
    rng = np.random.default_rng(seed)
    week = np.arange(weeks)
    rows = []
    for sku, slope in slopes.items():
        price = np.round(5 * np.exp(rng.normal(0, spread, weeks)), 2)
        units = 400 * (price / 5) ** slope * np.exp(rng.normal(0, noise, weeks))
        for w, p, q in zip(week, price, units, strict=True):
            paid = round(p * q, 2)
            rows.append(
                (
                    f"u{w}",
                    w * 1000 + len(rows),
                    pd.Timestamp("2025-01-06") + pd.Timedelta(days=7 * int(w)),
                    paid,
                    q,
                    sku,
                    category,
                )
            )
    return pd.DataFrame(
        rows, columns=["user_id", "order_id", "ordered_at", "amount", "quantity", "item_id", "category"]
    )


def log_of(native):
    names = ["user_id", "order_id", "ordered_at", "amount", "quantity", "item_id", "category"]
    return cl.OrderLog.from_frame(native, **{name: name for name in names})


def test_a_planted_slope_is_found_and_engines_agree(engine):
    frame = sales({"tea": -1.8, "rice": -0.4})
    found = price_elasticity(log_of(engine(frame)), as_of=AS_OF)
    table = found.table.set_index("item_id")
    for sku, truth in (("tea", -1.8), ("rice", -0.4)):
        assert abs(table.loc[sku, "elasticity"] - truth) < min(0.3, 4 * table.loc[sku, "standard_error"])
    wanted = price_elasticity(log_of(frame), as_of=AS_OF)
    pd.testing.assert_frame_equal(found.table, wanted.table, check_exact=False, rtol=1e-9)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """HC3 t intervals where the scatter grows with the price, 400 items: 95% less three standard errors is 91.7%."""
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        x = rng.normal(0, 0.2, 30)
        y = -1.5 * x + rng.normal(0, 0.1 + 0.8 * np.abs(x))
        slope, error = slope_hc3(x, y)
        held += abs(slope + 1.5) <= 2.048 * error  # t of 28 degrees
    assert held / 400 > 0.917


def test_slopes_equal_their_matrices():
    rng = np.random.default_rng(1)
    x, y, group = rng.normal(size=60), rng.normal(size=60), np.repeat(np.arange(6), 10)
    X = np.column_stack([np.ones(60), x])
    inverse = np.linalg.inv(X.T @ X)
    beta = inverse @ X.T @ y
    left = (y - X @ beta) / (1 - np.einsum("ij,jk,ik->i", X, inverse, X))
    wanted = inverse @ (X.T * left**2) @ X @ inverse
    assert slope_hc3(x, y) == pytest.approx((beta[1], np.sqrt(wanted[1, 1])), rel=1e-10)
    D = np.column_stack([x, np.eye(6)[group]])
    inverse = np.linalg.inv(D.T @ D)
    beta = inverse @ D.T @ y
    scores = np.stack([D[group == g].T @ (y - D @ beta)[group == g] for g in range(6)])
    wanted = inverse @ (scores.T @ scores) @ inverse * (6 / 5) * (59 / 58)
    assert slope_within(x, y, group) == pytest.approx((beta[0], np.sqrt(wanted[0, 0])), rel=1e-10)


@pytest.mark.filterwarnings("ignore::commlife.errors.ModelWarning")
def test_complete_journey_against_sql_and_least_squares():
    journey = cl.datasets.load_complete_journey(engine="pyarrow", fuel_units="recorded")
    found = price_elasticity(journey, as_of="2018-01-01", min_periods=40, min_price_spread=0.1)
    assert len(found) > 50
    link = duckdb.connect()
    link.execute("set timezone = 'UTC'")
    link.register("raw", cl.datasets.complete_journey_frames("transactions")["transactions"])
    items = found.table["item_id"].head(3).tolist()
    points = link.execute(
        """
        with told as (select product_id i, household_id u, basket_id o, sales_value v, quantity q,
                        timezone('America/New_York', transaction_timestamp::timestamp::timestamptz) t from raw),
             line as (select *, date_trunc('week', t) w from told where t < timestamp '2018-01-01'),
             ord as (select u, date_trunc('week', min(t)) w from line group by u, o having sum(round(v * 100)) > 0
                        or (sum(round(v * 100)) = 0 and min(v) >= 0)),
             traffic as (select w, count(distinct u) n from ord group by w)
        select i, w, sum(v) / sum(q) price, sum(q) / any_value(n) units
        from line join traffic using (w)
        where list_contains(?, i) and v > 0 and q > 0 and w >= timestamp '2017-01-02' group by i, w
        """,
        [items],
    ).df()
    for item in items:
        mine = points[points["i"] == item]
        slope = np.polyfit(np.log(mine["price"]), np.log(mine["units"]), 1)[0]
        row = found.table.set_index("item_id").loc[item]
        assert row["periods"] == len(mine)
        assert row["elasticity"] == pytest.approx(slope, rel=1e-8)


def test_growth_is_not_taken_for_a_price():
    """Prices fall while the town grows: units a payer tell no slope where there is none."""
    rng = np.random.default_rng(2)
    rows = []
    for w in range(52):
        price = round(5 - 0.03 * w + float(rng.normal(0, 0.2)), 2)
        for u in range(10 + 2 * w):
            rows.append(
                (
                    f"u{u}",
                    len(rows),
                    pd.Timestamp("2025-01-06") + pd.Timedelta(days=7 * w),
                    round(2 * price, 2),
                    2.0,
                    "tea",
                    "c",
                )
            )
    frame = pd.DataFrame(
        rows, columns=["user_id", "order_id", "ordered_at", "amount", "quantity", "item_id", "category"]
    )
    assert abs(price_elasticity(log_of(frame), as_of=AS_OF).table["elasticity"].iloc[0]) < 1e-9


def test_prices_that_hardly_move_are_refused_in_words():
    frame = pd.concat(
        [sales({"tea": -1.0}), sales({"salt": -3.0}, spread=0.003, seed=4), sales({"new": -1.0}, weeks=5, seed=5)]
    )
    with pytest.warns(cl.ModelWarning, match="2 of 3"):
        found = price_elasticity(log_of(frame), as_of=AS_OF)
    reasons = found.refused.set_index("item_id")["reason"]
    assert "hardly moved" in reasons["salt"]
    assert reasons["new"] == "sold in 5 periods, 12 are needed"
    with pytest.raises(cl.InsufficientDataError, match="hardly moved"):
        price_elasticity(log_of(sales({"salt": -3.0}, spread=0.003)), as_of=AS_OF)


def test_one_odd_period_alone_tells_nothing():
    frame = sales({"tea": -1.0}, weeks=8)
    frame["quantity"] = frame["amount"] / np.where(frame.index == 3, 9.0, 5.0)
    with pytest.raises(cl.InsufficientDataError, match="one period alone"):
        price_elasticity(log_of(frame), as_of=AS_OF, min_periods=8)


def test_a_category_is_fitted_within_its_items_and_needs_several():
    slopes = {f"sku{i}": -1.5 for i in range(8)}
    frame = sales(slopes, weeks=26)
    # Dear items sell less whatever their price does: between items that is no elasticity.
    frame["quantity"] *= frame["item_id"].str[-1].astype(int).add(1) ** 2
    frame["amount"] = (frame["amount"] * frame["item_id"].str[-1].astype(int).add(1)).round(2)
    found = price_elasticity(log_of(frame), as_of=AS_OF, level="category")
    row = found.table.iloc[0]
    assert row["low"] < -1.5 < row["high"]
    assert row["items"] == 8
    few = sales({"a": -1.0, "b": -1.0})
    with pytest.raises(cl.InsufficientDataError, match="2 of 2 items"):
        price_elasticity(log_of(few), as_of=AS_OF, level="category")


@pytest.mark.filterwarnings("ignore::commlife.errors.ModelWarning")
def test_rows_names_money_and_the_future_change_nothing():
    frame = sales({"tea": -1.8, "rice": -0.4, "salt": -1.0}, weeks=30)
    as_of = "2025-06-30"
    wanted = price_elasticity(log_of(frame), as_of=as_of).table.set_index("item_id")
    others = {
        "rows": frame.sample(frac=1, random_state=1),
        "users": frame.assign(user_id="x" + frame["user_id"]),
        "money": frame.assign(amount=frame["amount"] * 100),
        "future": pd.concat([frame, frame.assign(ordered_at=pd.Timestamp(as_of), quantity=1e6)]),
        "refunds": pd.concat([frame, frame.head(5).assign(amount=-1.0, order_id=-1)]),
    }
    for name, other in others.items():
        seen = price_elasticity(log_of(other), as_of=as_of).table.set_index("item_id")
        np.testing.assert_allclose(seen["elasticity"], wanted["elasticity"], rtol=1e-9, err_msg=name)
        np.testing.assert_allclose(seen["standard_error"], wanted["standard_error"], rtol=1e-7, err_msg=name)


def test_faults_are_told_at_once_and_it_is_shown():
    log = log_of(sales({"tea": -1.8}))
    with pytest.raises(cl.ConfigError) as told:
        price_elasticity(log, as_of="x", level="shop", period="y", min_periods=1, min_price_spread=0)
    assert all(word in str(told.value) for word in ("as_of", "'shop'", "'y'", "min_periods", "min_price_spread"))
    bare = cl.OrderLog.from_frame(
        pd.DataFrame({"u": ["a"], "t": ["2025-01-01"], "m": [1.0]}), user_id="u", ordered_at="t", amount="m"
    )
    with pytest.raises(cl.ConfigError, match="item_id, quantity"):
        price_elasticity(bare, as_of=AS_OF)
    found = price_elasticity(log, as_of=AS_OF)
    assert "not caused by it" in repr(found)
    assert "<table" in found._repr_html_()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "1 of 1" in found.plot().get_title(loc="left")
        assert found.plot(lang="zh").get_xlabel().startswith("弹性")
