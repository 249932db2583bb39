"""The table of metrics against DuckDB SQL on Complete Journey, and against loops over users and days."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import commlife as cl
from commlife import testing
from commlife.testing.strategies import log_of

AS_OF = "2018-01-01"


@pytest.fixture(scope="module")
def journey():
    return cl.datasets.load_complete_journey(engine="pyarrow", fuel_units="recorded")


@pytest.fixture(scope="module")
def months(journey):
    return cl.business_metrics(journey, as_of=AS_OF, washout="28D")


@pytest.fixture(scope="module")
def lines():
    """The package's raw lines in DuckDB, with local days by DuckDB's own time zones."""
    link = duckdb.connect()
    link.execute("set timezone = 'UTC'")
    link.register("raw", cl.datasets.complete_journey_frames("transactions")["transactions"])
    link.execute(
        """
        create table line as
        with told as (select *, timezone('America/New_York', transaction_timestamp::timestamp::timestamptz) t from raw)
        select household_id u, basket_id o, t, round(sales_value * 100)::bigint c,
               round((sales_value + retail_disc + coupon_match_disc) * 100)::bigint l, quantity q, product_id i, store_id g
        from told where t < timestamp '2018-01-01'
        """
    )
    link.execute(
        """
        create table ord as
        select u, o, min(t) t, min(t)::date d, date_trunc('month', min(t)) p, sum(c) c, sum(q) q from line group by u, o
        having sum(c) > 0 or (sum(c) = 0 and min(c) >= 0)
        """
    )
    return link


def test_money_of_complete_journey_equals_sql_to_the_last_cent(months, lines):
    wanted = lines.sql(
        """
        select date_trunc('month', t) p, sum(c) filter (c > 0) paid, coalesce(-sum(c) filter (c < 0), 0) refunds,
               sum(l) filter (c > 0) listed from line group by 1 order by 1
        """
    ).df()
    table = months.to_frame()
    assert len(table) == 12
    assert table["complete"].all()
    for name in ("paid", "refunds"):
        assert (table[name] * 100).round().astype(int).tolist() == wanted[name].astype(int).tolist()
    assert (table["gmv"] == table["paid"]).all()
    assert table["net"].tolist() == ((wanted["paid"] - wanted["refunds"]).astype(int) / 100).tolist()
    np.testing.assert_array_equal(table["price_realisation"], (wanted["paid"] / wanted["listed"]).astype(float))


def test_orders_and_payers_of_complete_journey_equal_sql(months, lines):
    wanted = lines.sql(
        """
        with users as (select p, u, count(*) n, sum(c) c, sum(q) q from ord group by all),
             firsts as (select u, date_trunc('month', min(t)) p, min(d) d from ord group by u)
        select users.p, sum(n)::double orders, count(*)::double payers, sum(c)::double / 100 order_net,
               sum(q)::double units, avg((n > 1)::int) repurchase_rate, sum(c)::double / 100 / count(*) arppu,
               (select count(*) from firsts f where f.p = users.p and f.d >= date '2017-01-29')::double new_payers,
               (select count(*) from firsts f where f.p <= users.p)::double known_users
        from users group by users.p order by 1
        """
    ).df()
    table = months.to_frame()
    for name in ("orders", "payers", "units", "new_payers", "known_users"):
        assert table[name].tolist() == wanted[name].tolist(), name
    for name in ("order_net", "repurchase_rate", "arppu"):
        np.testing.assert_allclose(table[name], wanted[name], rtol=1e-14)
    np.testing.assert_allclose(table["aov"], wanted["order_net"] / wanted["orders"], rtol=1e-14)
    np.testing.assert_allclose(table["arpu"], wanted["order_net"] / wanted["known_users"], rtol=1e-14)
    np.testing.assert_allclose(table["payer_reach"], wanted["payers"] / wanted["known_users"], rtol=1e-14)


def test_units_per_order_is_that_of_the_baskets(journey):
    asked = cl.business_metrics(journey, as_of=AS_OF, metrics=["units", "units_per_order", "orders"], n_boot=0)
    by_baskets = cl.units_per_order(journey, as_of=AS_OF)
    assert asked["units"].sum() == by_baskets["units"].iloc[0]
    assert asked["orders"].sum() == by_baskets["orders"].iloc[0]


def test_active_users_of_complete_journey_equal_sql(months, lines):
    wanted = lines.sql(
        """
        with ends as (select distinct p, (p + interval 1 month)::date e from ord)
        select ends.p, count(distinct u) filter (d >= e - 7)::double wau, count(distinct u)::double mau,
               count(distinct (u, d))::double days30
        from ends join ord on d < e and (d >= e - 30) group by ends.p, e order by 1
        """
    ).df()
    daily = lines.sql(
        "select p, count(*)::double n from (select distinct p, u, d from ord) group by p order by p"
    ).df()["n"]
    table = months.to_frame()
    days = table["period"].dt.days_in_month.to_numpy()
    np.testing.assert_array_equal(table["dau"], daily.to_numpy() / days)
    np.testing.assert_array_equal(table["wau"], wanted["wau"])
    np.testing.assert_array_equal(table["mau"], wanted["mau"])
    np.testing.assert_array_equal(table["stickiness"], wanted["days30"] / (30 * wanted["mau"]))


def test_reach_of_products_by_community_equals_sql(journey, lines):
    asked = cl.business_metrics(
        journey, as_of=AS_OF, by="community", period="quarter", metrics=["product_reach"], reach_users=3
    )
    wanted = lines.sql(
        """
        with bought as (select date_trunc('quarter', t) period, g community, i, u from line group by all having sum(c) > 0),
             items as (select period, community, i, count(*) n from bought group by all)
        select period, community, count(*) filter (n >= 3) k from items group by all
        """
    ).df()
    offered = lines.sql(
        """
        select p period, count(distinct i) n
        from (select date_trunc('quarter', t) p, i, u, g from line group by all having sum(c) > 0) group by p
        """
    ).df()
    told = asked.rates.merge(wanted, on=["period", "community"], how="left").merge(offered, on="period")
    assert told["numerator"].tolist() == told["k"].fillna(0).tolist()
    assert told["denominator"].tolist() == told["n"].tolist()
    assert (told["interval"] == "wilson").all()


def test_a_wholesale_bootstrap_agrees_with_textbook_draws_of_users(months, lines):
    """Users drawn with replacement by NumPy: the ends of both intervals lie within a tenth of their width."""
    users = lines.sql(
        "select u, count(*) n, sum(c)::double / 100 c from ord where p = timestamp '2017-03-01' group by u order by u"
    ).df()
    rng = np.random.default_rng(5)
    drawn = rng.integers(0, len(users), (2_000, len(users)))
    n, c = users["n"].to_numpy(), users["c"].to_numpy()
    rows = months.rates[months.rates["period"] == "2017-03-01"].set_index("metric")
    for name, ratios in {
        "aov": c[drawn].sum(axis=1) / n[drawn].sum(axis=1),
        "arppu": c[drawn].mean(axis=1),
        "orders_per_payer": n[drawn].mean(axis=1),
    }.items():
        low, high = np.quantile(ratios, [0.025, 0.975])
        width = high - low
        assert abs(rows.loc[name, "low"] - low) < 0.1 * width, name
        assert abs(rows.loc[name, "high"] - high) < 0.1 * width, name
        assert rows.loc[name, "low"] < rows.loc[name, "value"] < rows.loc[name, "high"]


@settings(max_examples=settings.default.max_examples // 2)
@given(testing.order_frames(days=80), st.sampled_from(["7D", "week", "month", "1D", "45D"]), st.booleans())
def test_activity_equals_a_loop_over_days(frame, period, grouped):
    """Windows that overlap, periods shorter and longer than a window, users in several groups."""
    log = log_of(frame.assign(community=frame["item_id"]))
    names = ["dau", "wau", "mau", "stickiness"]
    by = "community" if grouped else None
    asked = cl.business_metrics(log, as_of="2025-03-25", period=period, metrics=names, by=by, n_boot=0)
    orders = frame.groupby(["user_id", "order_id"], as_index=False).agg(
        at=("ordered_at", "min"), net=("amount", "sum"), least=("amount", "min")
    )
    first = frame.sort_values(["ordered_at", "item_id"]).groupby(["user_id", "order_id"])["item_id"].first()
    orders = orders.merge(first.rename("group").reset_index(), on=["user_id", "order_id"])
    net = orders["net"].round(2)
    orders = orders[(net > 0) | ((net == 0) & (orders["least"] >= 0))]
    orders["day"] = orders["at"].dt.normalize()
    began = frame["ordered_at"].min().normalize()
    for row in asked.table[asked.table["complete"]].itertuples():
        step = {"week": pd.Timedelta(days=7), "month": pd.offsets.MonthBegin(1)}.get(period) or pd.Timedelta(period)
        end = row.period + step
        mine = orders if by is None else orders[orders["group"] == row.community]
        inside = mine[(mine["day"] >= row.period) & (mine["day"] < end)]
        assert row.dau == pytest.approx(
            len(inside[["user_id", "day"]].drop_duplicates()) / (end - row.period).days, rel=1e-12
        )
        for name, width in (("wau", 7), ("mau", 30)):
            since = end - pd.Timedelta(days=width)
            held = mine[(mine["day"] >= since) & (mine["day"] < end)]
            if since < began:
                assert np.isnan(getattr(row, name))
            else:
                assert getattr(row, name) == held["user_id"].nunique()
