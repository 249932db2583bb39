"""Sell-through and days of stock: a shelf simulated day by day, and faulty stock frames."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

mpl.use("Agg")

import matplotlib.pyplot as plt

import commlife as cl
from commlife.metrics import days_of_stock, sell_through

START = pd.Timestamp("2025-01-06")


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


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


def two_weeks():
    """Tea sold 8 of 28, then 2 of 20; jam 4 of 5, then nothing of 1; rye was counted once and never again."""
    lines = [("tea", "2025-01-06", 8.0), ("jam", "2025-01-07", 4.0), ("tea", "2025-01-14", 2.0)]
    frame = pd.DataFrame(lines, columns=["item_id", "ordered_at", "quantity"]).assign(user_id="u", amount=1.0)
    log = cl.OrderLog.from_frame(frame, **{name: name for name in frame.columns})
    counted = [("tea", 6, 10), ("tea", 13, 20), ("tea", 20, 18), ("jam", 6, 5), ("jam", 13, 1), ("jam", 20, 1)]
    rows = [(item, f"2025-01-{day:02d}", units) for item, day, units in [*counted, ("rye", 6, 3)]]
    return log, pd.DataFrame(rows, columns=["item_id", "day", "on_hand"])


def names_from_the_top(ax):
    return [label.get_text() for label in ax.get_yticklabels()][::-1]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_picture_of_sell_through_puts_what_sells_worst_at_the_top(lang):
    log, stock = two_weeks()
    told = sell_through(log, stock, as_of="2025-01-20")
    ax = told.plot(lang=lang)
    assert names_from_the_top(ax) == ["jam", "tea"]
    ring, dots = (np.asarray(found.get_offsets())[:, 0].tolist() for found in ax.collections[-2:])
    assert dots == pytest.approx([10.0, 0.0])
    assert ring == pytest.approx([100 * 8 / 28, 80.0])
    assert (
        ax.get_title(loc="left")
        == {
            "en": "2 of 2 items sold less than half of their stock; of 1 more the stock is not known",
            "zh": "2 个商品中有 2 个售出不足库存的一半；另有 1 个库存不明",
        }[lang]
    )
    assert names_from_the_top(told.plot(top=1, lang=lang)) == ["jam"]
    assert len(sell_through(log, stock, as_of="2025-01-20", last=1).plot(lang=lang).collections) == 2


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_picture_of_days_of_stock_puts_what_runs_out_first_at_the_top(lang):
    log, stock = two_weeks()
    stock.loc[(stock["item_id"] == "jam") & (stock["day"] == "2025-01-20"), "on_hand"] = 0
    left = days_of_stock(log, stock, as_of="2025-01-20", over=14)
    ax = left.plot(lang=lang)
    assert names_from_the_top(ax) == ["jam", "tea"]
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([18 / (10 / 14), 0.0])
    assert [text.get_text() for text in ax.texts] == ["25.2", {"en": "gone", "zh": "已售空"}[lang]]
    assert (
        ax.get_title(loc="left")
        == {
            "en": "1 of 2 items last less than a week; 1 more did not sell",
            "zh": "2 个商品中有 1 个不够卖一周；另有 1 个没有销售",
        }[lang]
    )
    assert left.plot(ax=ax) is ax
    still = days_of_stock(log, stock[stock["item_id"] == "rye"], as_of="2025-01-20").plot(lang=lang)
    assert still.get_title(loc="left") == {"en": "Nothing sold: no pace to go by", "zh": "没有销售，无从估计速度"}[lang]
    for wrong in ({"lang": "fr"}, {"top": 0}):
        with pytest.raises(cl.ConfigError):
            left.plot(**wrong)
