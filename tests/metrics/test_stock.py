"""Sell-through and days of stock: a shelf simulated day by day, and faulty stock frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import commlife as cl
from commlife.metrics import days_of_stock, sell_through

START = pd.Timestamp("2025-01-06")


def shelf(demand, deliveries, opening=20):
    """A shelf day by day: what is asked for, what came in, what was there at each beginning; sales never exceed it."""
    lines, stock, here = [], [], opening
    for i, (want, came) in enumerate(zip(demand, deliveries, strict=True)):
        day = START + pd.Timedelta(days=i)
        stock.append((day, here, came))
        sold = min(want, here)
        if sold:
            lines.append(("u", len(lines), day, sold * 2.0, float(sold)))
        here = here - sold + came
    stock.append((START + pd.Timedelta(days=len(demand)), here, 0))
    lines.append(("u", 10**6, START, 1.0, 0.0))
    log = cl.OrderLog.from_frame(
        pd.DataFrame(lines, columns=["user_id", "order_id", "ordered_at", "amount", "quantity"]).assign(item_id="tea"),
        user_id="user_id", order_id="order_id", ordered_at="ordered_at", amount="amount", quantity="quantity", item_id="item_id",
    )  # fmt: skip
    return log, pd.DataFrame(stock, columns=["day", "on_hand", "received"]).assign(item_id="tea")


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 8)), min_size=21, max_size=21))
def test_a_simulated_shelf_balances(days):
    demand, deliveries = zip(*days, strict=True)
    log, stock = shelf(demand, deliveries)
    told = sell_through(log, stock, as_of="2025-01-27").to_frame()
    guessed = sell_through(log, stock.drop(columns="received"), as_of="2025-01-27").to_frame()
    assert len(told) == 3
    assert (told["unaccounted"] == 0).all()
    for name in ("sold", "opening", "closing", "received", "sell_through"):
        np.testing.assert_array_equal(told[name], guessed[name])
    rates = told["sell_through"].dropna()
    assert rates.between(0, 1).all()
    here = stock.set_index("day")["on_hand"]
    for row in told.itertuples():
        week = slice(row.period, row.period + pd.Timedelta(days=6))
        came = stock.set_index("day")["received"].loc[week].sum()
        wanted = here[row.period] + came
        left = here[row.period + pd.Timedelta(days=7)]
        assert row.sold == wanted - left
    pace = days_of_stock(log, stock, as_of="2025-01-27", over=21).to_frame().iloc[0]
    gone = ((stock["on_hand"] == 0) & (stock["day"] < "2025-01-27")).sum()
    assert pace["days_in_stock"] == 21 - gone
    if told["sold"].sum() and here.iloc[-1]:
        assert pace["days_of_stock"] == pytest.approx(here.iloc[-1] / (told["sold"].sum() / (21 - gone)))


def test_engines_agree_and_the_future_is_not_read(engine):
    log, stock = shelf([3, 0, 2, 5, 1, 0, 4] * 3, [2] * 21)
    lines = log.to_native()
    names = ["user_id", "order_id", "ordered_at", "amount", "quantity", "item_id"]
    later = lines.head(1).assign(ordered_at=pd.Timestamp("2025-01-20"), quantity=99.0)
    other = cl.OrderLog.from_frame(engine(pd.concat([lines, later])), **{name: name for name in names})
    more = pd.concat([stock, stock.tail(1).assign(day=pd.Timestamp("2025-03-01"), on_hand=0)])
    for call in (sell_through, days_of_stock):
        pd.testing.assert_frame_equal(
            call(other, engine(more), as_of="2025-01-20").table,
            call(log, stock, as_of="2025-01-20").table,
            check_dtype=False,
        )


def test_a_return_takes_units_off_and_unknown_stock_stays_null():
    frame = pd.DataFrame({"u": list("aab"), "o": [1, 2, 3], "sku": ["tea", "tea", "jam"], "n": [4.0, 1.0, 2.0],
                          "m": [8.0, -2.0, 4.0], "t": ["2025-01-06", "2025-01-07", "2025-01-08"]})  # fmt: skip
    log = cl.OrderLog.from_frame(
        frame, user_id="u", order_id="o", ordered_at="t", amount="m", quantity="n", item_id="sku"
    )
    stock = pd.DataFrame(
        {"item_id": ["tea", "jam", "rye"], "day": ["2025-01-13", "2025-01-06", "2025-01-13"], "on_hand": [3, 9, 0]}
    )
    table = sell_through(log, stock, as_of="2025-01-13").to_frame().set_index("item_id")
    assert (table.loc["tea", "sold"], table.loc["tea", "sell_through"]) == (3.0, 0.5)
    assert np.isnan(table.loc["jam", "sell_through"])
    assert np.isnan(table.loc["rye", "sell_through"])  # nothing was there
    left = days_of_stock(log, stock, as_of="2025-01-13").to_frame().set_index("item_id")
    assert left.loc["rye", "days_of_stock"] == 0.0
    assert left.loc["jam", "count_age_days"] == 7
    assert (left["days_in_stock"] == 7).all()  # the log saw no more of the 28 days


def test_faults_of_the_stock_frame_are_told_at_once():
    log, stock = shelf([1] * 7, [0] * 7)
    broken = stock.assign(on_hand=stock["on_hand"].astype(float)).astype({"day": object})
    broken.loc[0, "on_hand"] = np.inf
    broken.loc[1, "item_id"] = None
    broken.loc[2, "day"] = "soon"
    broken = pd.concat([broken, broken.tail(1)])
    with pytest.raises(cl.SchemaError) as told:
        sell_through(log, broken.assign(day=broken["day"].astype(str)), as_of="2025-01-13")
    assert set(told.value.faults["fault"]) == {"bad_quantity", "null_id", "unparseable_time", "duplicate_line"}
    with pytest.raises(cl.SchemaError, match="on_hand"):
        days_of_stock(log, stock.rename(columns={"on_hand": "onhand"}), as_of="2025-01-13")
    with pytest.raises(cl.ConfigError, match="nothing would be found"):
        days_of_stock(log, stock.assign(item_id=1), as_of="2025-01-13")
    with pytest.raises(cl.ConfigError) as told:
        sell_through(log, stock, as_of="x", period="y", last=0)
    assert all(word in str(told.value) for word in ("as_of", "'y'", "last"))
    with pytest.raises(cl.InsufficientDataError, match="complete"):
        sell_through(log, stock, as_of="2025-01-10")
    with pytest.raises(cl.InsufficientDataError, match="counted"):
        days_of_stock(log, stock, as_of="2025-01-02")
    result = days_of_stock(log, stock, as_of="2025-01-13")
    assert repr(result) == "StockTable(days_of_stock, 1 rows, as_of=2025-01-13)"
    assert "<table" in result._repr_html_()
    assert len(result) == 1
