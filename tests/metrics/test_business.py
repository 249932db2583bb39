"""Business metrics against an independent SQL computation, on every engine, and under the laws that hold for them."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings

import commlife as cl
from commlife import testing
from commlife.testing.strategies import log_of

ROWS = pd.DataFrame(
    [
        ("ann", 1, "2025-01-06", 10.0, 1.0, 2.0, "east", "done"),
        ("ann", 1, "2025-01-06", 5.0, 0.0, 1.0, "east", "done"),
        ("ann", 2, "2025-01-08", 7.0, 0.0, 1.0, "east", "done"),
        ("bob", 3, "2025-01-09", 20.0, 5.0, 1.0, "west", "done"),
        ("bob", 3, "2025-01-14", -20.0, 0.0, 0.0, "west", "done"),
        ("cat", 4, "2025-01-15", 8.0, 0.0, 4.0, "west", "done"),
        ("cat", 5, "2025-01-16", 30.0, 0.0, 3.0, "west", "open"),
        ("ann", 6, "2025-01-22", 1.0, 0.0, 1.0, "east", "done"),
    ],
    columns=["user_id", "order_id", "ordered_at", "amount", "discount", "quantity", "community", "status"],
)
NAMES = {name: name for name in ROWS.columns}
STATUS = {"done": "paid", "open": "placed"}


def test_a_small_world_by_hand(engine):
    log = cl.OrderLog.from_frame(engine(ROWS), **NAMES, status_map=STATUS)
    table = cl.business_metrics(log, as_of="2025-01-22", period="week").to_frame().set_index("period")
    week = table.loc["2025-01-06"]
    assert (week["gmv"], week["paid"], week["refunds"], week["net"]) == (42.0, 42.0, 0.0, 42.0)
    # Bob's order was refunded whole by the time of asking: it does not count any more, and he is no payer.
    assert (week["orders"], week["payers"], week["new_payers"]) == (2, 1, 1)
    assert (week["aov"], week["arppu"], week["repurchase_rate"]) == (11.0, 22.0, 1.0)
    assert week["units_per_order"] == 2.0
    assert week["price_realisation"] == 42 / 48
    second = table.loc["2025-01-13"]
    assert (second["gmv"], second["paid"], second["refunds"], second["net"]) == (38.0, 8.0, 20.0, -12.0)
    assert (second["refund_rate"], second["payment_rate"]) == (2.5, 8 / 38)
    third = table.loc["2025-01-20"]
    assert not third["complete"]
    assert np.isnan(third["orders"])


def test_groups_are_those_of_the_orders(engine):
    log = cl.OrderLog.from_frame(engine(ROWS), **NAMES, status_map=STATUS)
    table = cl.business_metrics(log, as_of="2025-01-20", period="week", by="community")
    assert table["community"].tolist() == ["east", "west", "east", "west"]
    assert table["orders"].tolist() == [2, 0, 0, 1]
    assert table["net"].tolist() == [22.0, 20.0, 0.0, -12.0]


def test_last_keeps_the_newest_complete_periods():
    log = cl.OrderLog.from_frame(ROWS, **NAMES, status_map=STATUS)
    assert len(cl.business_metrics(log, as_of="2025-01-20", period="7D", last=1)) == 1


def test_cdnow_equals_sql(shared):
    data = pd.read_parquet(shared / "cdnow_sample.parquet")
    log = cl.OrderLog.from_frame(data, user_id="customer_id", ordered_at="date", amount="dollar_value")
    table = cl.business_metrics(log, as_of="1998-07-01", period="month")
    wanted = duckdb.sql(
        """
        with each as (select customer_id u, date_trunc('month', date) p, dollar_value m,
                             min(date) over (partition by customer_id) f, date d, row_number() over
                             (partition by customer_id order by date) k from data),
             users as (select p, u, count(*) n, sum(m) m, max((k = 1)::int) new from each group by p, u)
        select p, sum(n)::double orders, count(*)::double payers, sum(m) net, sum(new)::double new_payers,
               avg((n > 1)::int) repurchase from users group by p order by p
        """
    ).df()
    assert table["orders"].tolist() == wanted["orders"].tolist()
    assert table["payers"].tolist() == wanted["payers"].tolist()
    assert table["new_payers"].tolist() == wanted["new_payers"].tolist()
    np.testing.assert_allclose(table["net"], wanted["net"], atol=0.005)
    np.testing.assert_allclose(table["repurchase_rate"], wanted["repurchase"], rtol=1e-12)


@settings(max_examples=settings.default.max_examples // 4)
@given(testing.order_frames(min_rows=2))
def test_groups_add_up(frame):
    log = log_of(pl.from_pandas(frame))
    whole = cl.business_metrics(log, as_of="2025-05-01", period="month").to_frame()
    parts = cl.business_metrics(log, as_of="2025-05-01", period="month", by="community").to_frame().groupby("period")
    for name in ("gmv", "paid", "refunds", "orders", "new_payers", "units", "order_net"):
        wanted = whole.set_index("period")[name].dropna()
        np.testing.assert_allclose(parts[name].sum().loc[wanted.index], wanted, atol=1e-9)


@settings(max_examples=settings.default.max_examples // 4)
@given(testing.order_frames())
def test_money_scales(frame):
    table, tenfold = (
        cl.business_metrics(log_of(pl.from_pandas(each)), as_of="2025-05-01", period="28D").to_frame()
        for each in (frame, frame.assign(amount=frame["amount"] * 10))
    )
    for name in ("net", "aov", "arppu"):
        np.testing.assert_allclose(tenfold[name], table[name] * 10, rtol=1e-12, atol=1e-9)
    for name in ("orders", "repurchase_rate", "refund_rate"):
        np.testing.assert_allclose(tenfold[name], table[name], rtol=1e-12)


def test_what_cannot_be_asked_is_refused():
    log = cl.OrderLog.from_frame(ROWS, **{k: v for k, v in NAMES.items() if k not in {"status", "community"}})
    with pytest.raises(cl.ConfigError, match="community"):
        cl.business_metrics(log, as_of="2025-02-01", by="community")
    with pytest.raises(cl.InsufficientDataError, match="2024-01-01"):
        cl.business_metrics(log, as_of="2024-01-01")
    with pytest.raises(cl.ConfigError, match="period"):
        cl.business_metrics(log, as_of="2025-02-01", period="fortnight")


@pytest.mark.parametrize("period", ["month", "quarter"])
def test_calendar_periods_are_equal_on_every_engine(engine, period):
    """Seen in ourselves: months by formula made DuckDB write millions of characters of SQL."""
    log = cl.OrderLog.from_frame(engine(ROWS), **NAMES, status_map=STATUS)
    wanted = cl.OrderLog.from_frame(ROWS, **NAMES, status_map=STATUS)
    asked = [cl.business_metrics(each, as_of="2025-05-01", period=period) for each in (log, wanted)]
    pd.testing.assert_frame_equal(asked[0].table, asked[1].table)
    pd.testing.assert_frame_equal(asked[0].rates, asked[1].rates)
