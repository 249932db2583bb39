"""Cohort tables: published triangles, independent SQL, laws, engines, and bad input."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

import duckdb
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import commlife as cl
from commlife.cohorts import CohortQuestion, CohortTable, cohort_table
from commlife.cohorts.question import MEASURES
from commlife.datasets import complete_journey_frames, load_cdnow, load_complete_journey

mpl.use("Agg")

PLAIN = ("retention", "unbounded", "streak", "churn", "recall", "repurchase", "orders", "frequency", "revenue", "aov")
SHARES = ("retention", "unbounded", "streak", "churn", "recall", "repurchase")
NAMES = {"user_id": "user", "order_id": "order", "ordered_at": "at", "amount": "paid"}


@pytest.fixture(scope="module")
def cdnow() -> cl.OrderLog:
    found = importlib.util.find_spec("lifetimes")
    assert found is not None
    assert found.submodule_search_locations
    return load_cdnow(Path(next(iter(found.submodule_search_locations))) / "datasets" / "CDNOW_sample.txt")


def export(seed: int = 0, n: int = 500, users: int = 60) -> pd.DataFrame:
    """Orders of several lines with refunds, free orders, and attributes that differ within an order."""
    rng = np.random.default_rng(seed)
    order = np.sort(rng.integers(0, n // 2, n))
    user = rng.integers(0, users, n)[order]
    return pd.DataFrame(
        {
            "user": user,
            "order": order,
            "at": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 120 * 24, n)[order], unit="h"),
            "paid": np.where(rng.random(n) < 0.1, 0, rng.integers(-900, 5000, n)) / 100,
            "estate": np.array(["east", "west", None], dtype=object)[user % 3],
            "way": np.array(["app", "chat"])[rng.integers(0, 2, n)],
            "coupon": np.array(["five", None, None], dtype=object)[rng.integers(0, 3, n)],
        }
    )


def make_log(frame: pd.DataFrame, **settings) -> cl.OrderLog:
    return cl.OrderLog.from_frame(frame, **NAMES, community="estate", channel="way", coupon_id="coupon", **settings)


# -- known answers ------------------------------------------------------------------------------------------------------


def test_cdnow_triangle(cdnow):
    """January 1997: 781, 124, 95, 70; February: 857, 134, 110; March: 719, 87, 84 (three packages agree)."""
    table = cohort_table(cdnow, as_of="1998-07-01", period="month")
    users = table.wide("users")
    assert users.index.astype(str).tolist() == ["1997-01-01", "1997-02-01", "1997-03-01"]
    assert users.columns.tolist() == list(range(18))
    assert users.iloc[0, :4].tolist() == [781, 124, 95, 70]
    assert users.iloc[1, :3].tolist() == [857, 134, 110]
    assert users.iloc[2, :3].tolist() == [719, 87, 84]
    assert table.wide("rate").iloc[0, 1] == 124 / 781
    assert np.isnan(users.iloc[1, 17])
    assert np.isnan(users.iloc[2, 16])
    assert users.notna().sum(axis=1).tolist() == [18, 17, 16]


def test_columns_and_intervals(cdnow):
    frame = cohort_table(cdnow, as_of="1998-07-01").to_frame()
    assert frame.columns.tolist() == ["cohort", "age", "users", "size", "rate", "low", "high"]
    assert str(frame["cohort"].dtype) == "datetime64[us]"
    assert ((frame["low"] <= frame["rate"]) & (frame["rate"] <= frame["high"])).all()
    # Newcombe's formula by hand for 124 of 781.
    row = frame.iloc[1]
    assert (row["low"], row["high"]) == pytest.approx((0.134818, 0.186064), abs=1e-6)


@pytest.mark.parametrize("as_of", ["1997-03-15", "1997-04-01", "1997-03-02"])
def test_an_incomplete_month_is_null_and_not_zero(cdnow, as_of):
    users = cohort_table(cdnow, as_of=as_of).wide("users")
    march_is_over = as_of == "1997-04-01"
    assert users.iloc[0].tolist()[:2] == [781, 124]
    assert users.notna().to_numpy().sum() == (6 if march_is_over else 3)
    assert len(users) == 3  # the cohort that is still filling up is shown, with nulls


def test_pooled_means_are_weighted_by_size(cdnow):
    table = cohort_table(cdnow, as_of="1998-07-01")
    pooled = table.pooled().set_index("age")
    assert pooled.loc[1, "rate"] == (124 + 134 + 87) / (781 + 857 + 719)
    assert pooled.loc[17, "cohorts"] == 1
    assert pooled.loc[17, "rate"] == table.wide("rate").iloc[0, 17]


def test_the_value_curve_closes_on_all_money(cdnow):
    curve = cohort_table(cdnow, as_of="1998-07-01", measure="cumulative_revenue").to_frame()
    last = curve.groupby("cohort")["value"].last()
    spent = pd.DataFrame(cdnow.to_native())["amount"].sum()
    assert last.sum() == pytest.approx(spent, abs=1e-6)


def test_observed_until_bounds_what_is_complete():
    frame = export()
    frame = frame[frame["at"] < "2025-03-10"]
    log = make_log(frame, observed_until="2025-03-10")
    users = cohort_table(log, as_of="2025-05-01", period="month").wide("users")
    assert users.notna().sum(axis=1).tolist()[:2] == [2, 1]
    assert np.isnan(users.to_numpy()[0, 2:]).all()


def test_complete_journey_meets_sql():
    """Every household, period and department-free cell once more, from the package's own file, in DuckDB's SQL."""
    lines = complete_journey_frames(["transactions"])["transactions"]  # noqa: F841  (DuckDB reads it by its name)
    wanted = (
        duckdb.connect()
        .execute("""
        WITH l AS (SELECT household_id AS u, basket_id AS o, store_id AS s, CAST(round(sales_value * 100) AS BIGINT) AS minor,
                   timezone('America/New_York', timezone('UTC', CAST(transaction_timestamp AS TIMESTAMP))) AS t FROM lines),
        orders AS (SELECT u, o, min(t) AS t, sum(minor) AS net, min(minor) AS least FROM l GROUP BY u, o),
        counting AS (SELECT u, date_diff('day', DATE '1970-01-01', CAST(t AS DATE)) AS d FROM orders
                     WHERE (net > 0 OR (net = 0 AND least >= 0)) AND t < TIMESTAMP '2017-11-16'),
        w AS (SELECT DISTINCT u, (d + 3) // 7 AS w FROM counting),
        f AS (SELECT u, min(d) AS first, (min(d) + 3) // 7 AS c FROM counting GROUP BY u HAVING first >= 17167 + 28)
        SELECT c, w - c AS age, count(*) AS users FROM w JOIN f USING (u) WHERE w < (17486 + 3) // 7 GROUP BY ALL
    """)
        .df()
    )
    log = load_complete_journey()
    assert log.first_day == "2017-01-01"
    table = cohort_table(log, as_of="2017-11-16", period="week", washout="28D")
    cells = table.to_frame().dropna(subset=["users"])
    cells["c"] = (cells["cohort"].to_numpy().astype("datetime64[D]").astype("int64") + 3) // 7
    both = cells.merge(wanted, on=["c", "age"], how="left", suffixes=("", "_sql")).fillna({"users_sql": 0})
    assert len(cells) > 300
    assert both["users"].tolist() == both["users_sql"].tolist()
    assert cells["users"].sum() == wanted["users"].sum()
    assert table.existing_users > 1_291


def test_complete_journey_meets_sql_in_every_measure():
    """Users, orders, money, returns and leaks of every cohort and week once more, from the package's file, in SQL."""
    lines = complete_journey_frames(["transactions"])["transactions"]  # noqa: F841  (DuckDB reads it by its name)
    sql = duckdb.connect()
    sql.execute("""
        CREATE TABLE orders AS
        WITH l AS (SELECT household_id AS u, basket_id AS o, CAST(round(sales_value * 100) AS BIGINT) AS minor,
                   timezone('America/New_York', timezone('UTC', CAST(transaction_timestamp AS TIMESTAMP))) AS t FROM lines)
        SELECT u, o, (date_diff('day', DATE '1970-01-01', CAST(min(t) AS DATE)) + 3) // 7 AS w, sum(minor) AS net,
               sum(minor) > 0 OR (sum(minor) = 0 AND min(minor) >= 0) AS counts
        FROM l WHERE t < TIMESTAMP '2017-07-03' GROUP BY u, o;
        CREATE TABLE firsts AS SELECT u, min(w) AS c FROM orders WHERE counts GROUP BY u;
        CREATE TABLE sizes AS SELECT c, count(*) AS size FROM firsts GROUP BY c;
        CREATE TABLE weeks AS SELECT u, w, count(*) AS n, sum(net) AS net FROM orders WHERE counts GROUP BY u, w;
        CREATE TABLE grid AS SELECT c, size, unnest(range(0, (SELECT max(w) FROM orders) - c + 1)) AS age FROM sizes;
    """)
    sql.execute("""
        CREATE TABLE active AS
        SELECT c, weeks.w - c AS age, count(*) AS users, sum(weeks.n) AS orders, sum(weeks.net) AS net,
               count(*) FILTER (weeks.n >= 2) AS twice, count(earlier.u) AS kept
        FROM weeks JOIN firsts USING (u) LEFT JOIN weeks AS earlier ON earlier.u = weeks.u AND earlier.w = weeks.w - 1
        GROUP BY ALL;
        CREATE TABLE money AS
        SELECT c, greatest(w - c, 0) AS age, sum(net) AS spent FROM orders JOIN firsts USING (u) GROUP BY ALL;
        CREATE TABLE last AS SELECT c, w - c AS age, count(*) AS gone
        FROM (SELECT u, c, max(w) AS w FROM weeks JOIN firsts USING (u) GROUP BY u, c) GROUP BY ALL;
    """)
    wanted = sql.sql("""
        SELECT c, age, size, coalesce(users, 0) AS users, coalesce(orders, 0) AS orders, coalesce(net, 0) AS net,
               coalesce(twice, 0) AS twice, coalesce(kept, 0) AS kept, coalesce(spent, 0) AS spent,
               sum(coalesce(spent, 0)) OVER (PARTITION BY c ORDER BY age) AS cumulated,
               sum(coalesce(gone, 0)) OVER (PARTITION BY c ORDER BY age DESC) AS still,
               lag(coalesce(users, 0)) OVER (PARTITION BY c ORDER BY age) AS before
        FROM grid LEFT JOIN active USING (c, age) LEFT JOIN money USING (c, age) LEFT JOIN last USING (c, age)
        ORDER BY c, age
    """).df()
    log = load_complete_journey()
    expected = {
        "retention": ("users", "size", 1), "unbounded": ("still", "size", 1), "repurchase": ("twice", "users", 1),
        "churn": ("leak", "before", 1), "recall": ("back", "away", 1), "orders": ("orders", "size", 1),
        "frequency": ("orders", "users", 1), "revenue": ("spent", "size", 100),
        "cumulative_revenue": ("cumulated", "size", 100), "aov": ("net", "orders", 100),
    }  # fmt: skip
    wanted["leak"], wanted["back"] = wanted["before"] - wanted["kept"], wanted["users"] - wanted["kept"]
    wanted["away"] = wanted["size"] - wanted["before"]
    for measure, (top, bottom, unit) in expected.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cl.LeftTruncatedWarning)
            cells = cohort_table(log, as_of="2017-07-03", period="week", measure=measure).to_frame()
        found = cells["users" if measure in SHARES else "value"].to_numpy()
        first = (wanted["age"] == 0).to_numpy() & (measure in ("churn", "recall"))
        assert len(cells) == len(wanted), measure
        given = (
            np.where(first, 0.0, np.nan_to_num(found)),
            np.where(first, 0.0, np.nan_to_num(cells["size"].to_numpy())),
        )
        assert given[0] == pytest.approx(np.where(first, 0.0, wanted[top] / unit), abs=1e-6), measure
        assert given[1].tolist() == np.where(first, 0.0, wanted[bottom].fillna(0)).tolist(), measure


# -- a slow second opinion on every measure -------------------------------------------------------------------------------


def slow_table(frame: pd.DataFrame, measure: str, as_of: str, by: str | None) -> dict[tuple, tuple[float, float]]:
    """Numerator and denominator of each complete month cell from sets of users, one user at a time."""
    frame = frame[frame["at"] < as_of]
    orders = (
        frame.groupby(["user", "order"])
        .agg(at=("at", "min"), net=("paid", "sum"), least=("paid", "min"), estate=("estate", "first"))
        .reset_index()
    )
    orders["net"] = orders["net"].round(2)
    orders["month"] = orders["at"].dt.year * 12 + orders["at"].dt.month
    counting = orders[(orders["net"] > 0) | ((orders["net"] == 0) & (orders["least"] >= 0))]
    last = pd.Timestamp(as_of).year * 12 + pd.Timestamp(as_of).month - 1
    cells: dict[tuple, list[float]] = {}
    for user, mine in counting.groupby("user"):
        months = set(mine["month"])
        start = min(months)
        group = mine.sort_values("at")["estate"].iloc[0] if by else None
        for month in range(start, last + 1):
            here = mine[mine["month"] == month]
            inside = {m for m in months if m <= last}
            earlier = month - 1 in months
            money = orders[(orders["user"] == user) & (orders["month"] == month)]["net"].sum()
            if month == start:
                money += orders[(orders["user"] == user) & (orders["month"] < start)]["net"].sum()
            top, bottom = {
                "retention": (month in months, 1),
                "unbounded": (max(inside) >= month, 1),
                "streak": (all(m in months for m in range(start, month + 1)), 1),
                "churn": (earlier and month not in months, earlier),
                "recall": (not earlier and month in months, not earlier),
                "repurchase": (len(here) >= 2, month in months),
                "orders": (len(here), 1),
                "frequency": (len(here), month in months),
                "revenue": (money, 1),
                "aov": (here["net"].sum(), len(here)),
            }[measure]
            if measure in ("churn", "recall") and month == start:
                continue
            cell = cells.setdefault((group, start, month - start), [0.0, 0.0])
            cell[0] += top
            cell[1] += bottom
    return {key: tuple(cell) for key, cell in cells.items()}


@pytest.mark.parametrize("by", [None, "community"])
@pytest.mark.parametrize("measure", PLAIN)
def test_measures_meet_a_slow_second_opinion(measure, by):
    frame = export(seed=3, n=160, users=20)
    frame["estate"] = frame["estate"].fillna("none")
    cells = cohort_table(make_log(frame), as_of="2025-04-20", measure=measure, by=by).to_frame()
    cells = cells[cells["size"].notna()]
    cohort = cells["cohort"].dt.year * 12 + cells["cohort"].dt.month
    top = cells["users" if measure in SHARES else "value"]
    group = cells["community"] if by else [None] * len(cells)
    given = {(g, c, a): (t, s) for g, c, a, t, s in zip(group, cohort, cells["age"], top, cells["size"], strict=True)}
    wanted = slow_table(frame, measure, "2025-04-20", by)
    assert given.keys() == wanted.keys()
    for key, pair in wanted.items():
        assert given[key] == pytest.approx(pair, abs=1e-6)


def test_brackets_and_windows():
    """a: days 0, 8, 20; b: days 0 and 30; c begins at day 25."""
    rows = [("a", 0), ("a", 8), ("a", 20), ("b", 0), ("b", 30), ("c", 25)]
    frame = pd.DataFrame({"user": [u for u, _ in rows], "paid": 1.0})
    frame["at"] = pd.Timestamp("2025-01-06") + pd.to_timedelta([d for _, d in rows], unit="D")
    log = cl.OrderLog.from_frame(frame, user_id="user", ordered_at="at", amount="paid")
    brackets = cohort_table(log, as_of="2025-02-10", period="week", measure="bracket", brackets=[0, 1, 3, 5])
    assert brackets.wide("users").iloc[0].tolist() == [2, 1, 1]
    assert brackets.wide("users").iloc[1].tolist()[:1] == [1]
    assert np.isnan(brackets.wide("users").iloc[1].to_numpy()[1:]).all()
    # The last edge is the first age that no longer counts: b's second order at age 4 does not.
    ends = cohort_table(log, as_of="2025-02-10", period="week", measure="bracket", brackets=[0, 1, 4])
    assert ends.wide("users").iloc[0].tolist() == [2, 1]
    windows = cohort_table(log, as_of="2025-02-10", period="week", measure="rolling", window="10D").wide("users")
    # The last member of the first week can come on its 7th day: the third window of ten days ends 36 days in, not 35.
    assert windows.iloc[0].tolist()[:2] == [2, 0]
    assert np.isnan(windows.iloc[0, 2:]).all()
    longer = cohort_table(log, as_of="2025-02-11", period="week", measure="rolling", window="10D").wide("users")
    assert longer.iloc[0].tolist()[:3] == [2, 0, 1]
    assert np.isnan(windows.iloc[1]).all()


def test_everybody_active_is_a_cohort_of_its_period(cdnow):
    table = cohort_table(cdnow, as_of="1998-07-01", cohort="active").wide("users")
    assert table.iloc[2, :2].tolist() == [948, 171]  # growth accounting: 948 active in March, 171 retained in April
    assert table.columns.max() == 12
    assert cohort_table(cdnow, as_of="1998-07-01", cohort="active", max_age=2).wide("users").shape[1] == 3


def test_max_age_bounds_the_ages_and_may_be_0(cdnow):
    whole = cohort_table(cdnow, as_of="1998-07-01").wide("users")
    for most in (0, 3):
        bounded = cohort_table(cdnow, as_of="1998-07-01", max_age=most).wide("users")
        assert bounded.columns.tolist() == list(range(most + 1))
        pd.testing.assert_frame_equal(bounded, whole[bounded.columns])
    with pytest.raises(cl.ConfigError, match="max_age"):
        cohort_table(cdnow, as_of="1998-07-01", max_age=-1)


def test_active_cohorts_by_group_sum_to_all():
    log = make_log(export())
    whole = cohort_table(log, as_of="2025-05-01", cohort="active").wide("users")
    parts = cohort_table(log, as_of="2025-05-01", cohort="active", by="community").wide("users")
    assert parts.groupby(level="cohort").sum(min_count=1).fillna(-1).equals(whole.fillna(-1))


# -- cohorts that are no dates ----------------------------------------------------------------------------------------------


def test_an_attribute_as_cohort_pools_its_complete_cells():
    log = make_log(export())
    by = cohort_table(log, as_of="2025-04-20", by="channel").pooled()
    own = cohort_table(log, as_of="2025-04-20", cohort="channel").to_frame()
    own = own[own["size"].notna()].reset_index(drop=True)
    by = by[by["size"].notna()].reset_index(drop=True)
    assert own["cohort"].tolist() == by["channel"].tolist()
    assert own[["age", "users", "size", "rate", "low", "high"]].equals(
        by[["age", "users", "size", "rate", "low", "high"]]
    )


def test_a_hosts_own_cohorts(engine):
    frame = export()
    log = cl.OrderLog.from_frame(engine(frame.drop(columns=["estate", "coupon"])), **NAMES)
    users = np.sort(frame["user"].unique())
    labels = pd.DataFrame({"user_id": users, "cohort": np.where(users % 2, "odd", "even")})
    table = cohort_table(log, as_of="2025-04-01", cohort=labels)
    whole = cohort_table(log, as_of="2025-04-01").pooled()
    assert table.wide("users").index.tolist() == ["even", "odd"]
    assert table.pooled()["users"].tolist() == whole["users"].tolist()
    half = cohort_table(log, as_of="2025-04-01", cohort=labels[labels["cohort"] == "odd"])
    assert half.wide("users").loc["odd"].tolist() == table.wide("users").loc["odd"].tolist()


def test_subsidised_against_organic():
    frame = pd.DataFrame(
        {"user": [1, 1, 2, 3], "order": [1, 1, 2, 3], "at": ["2025-01-02"] * 4, "paid": [5.0] * 4,
         "estate": "e", "way": "w", "coupon": [None, "five", None, None]}
    )  # fmt: skip
    table = cohort_table(make_log(frame), as_of="2025-02-01", by="subsidised")
    assert table.to_frame()[["subsidised", "users"]].to_numpy().tolist() == [["organic", 2.0], ["subsidised", 1.0]]


# -- who is new -----------------------------------------------------------------------------------------------------------


def test_existing_users_are_left_out():
    frame = pd.DataFrame({"user": ["old", "new", "old"], "paid": 1.0, "at": ["2025-01-02", "2025-02-10", "2025-02-11"]})
    log = cl.OrderLog.from_frame(frame, user_id="user", ordered_at="at", amount="paid")
    table = cohort_table(log, as_of="2025-03-01", washout="28D")
    assert table.existing_users == 1
    assert table.wide("users").to_numpy().tolist() == [[1.0]]
    with pytest.raises(cl.InsufficientDataError, match="existing"):
        cohort_table(log, as_of="2025-02-01", washout="28D")


def test_the_host_knows_when_a_life_began():
    frame = pd.DataFrame(
        {"user": ["old", "new"], "paid": 1.0, "at": ["2025-01-02"] * 2, "since": ["2020-01-01", "2025-01-02"]}
    )
    log = cl.OrderLog.from_frame(frame, user_id="user", ordered_at="at", amount="paid", first_ordered_at="since")
    assert cohort_table(log, as_of="2025-02-01").existing_users == 1
    later = cl.OrderLog.from_frame(
        frame.assign(at=["2025-01-02", "2025-01-09"]),
        user_id="user",
        ordered_at="at",
        amount="paid",
        observed_from="2025-01-05",
    )
    assert cohort_table(later, as_of="2025-02-01").existing_users == 1


def test_a_log_that_begins_in_the_middle_of_lives_is_told():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user": np.repeat(np.arange(300), 5), "paid": 1.0})
    frame["at"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 60, 1500), unit="D")
    log = cl.OrderLog.from_frame(frame, user_id="user", ordered_at="at", amount="paid")
    with pytest.warns(cl.LeftTruncatedWarning) as caught:
        cohort_table(log, as_of="2025-03-01")
    assert caught[0].filename == __file__
    cohort_table(log, as_of="2025-03-01", washout="14D")
    cohort_table(log, as_of="2025-03-01", cohort="active")


def test_small_cohorts_can_be_suppressed(cdnow):
    table = cohort_table(cdnow, as_of="1998-07-01", min_size=750)
    assert table.suppressed.to_numpy().tolist() == [[pd.Timestamp("1997-03-01"), 719.0]]
    assert table.wide("users").index.astype(str).tolist() == ["1997-01-01", "1997-02-01"]


# -- laws -------------------------------------------------------------------------------------------------------------------


EVERY = (
    *({"measure": measure} for measure in (*PLAIN, "cumulative_revenue")),
    {"measure": "rolling", "window": "10D"},
    {"measure": "bracket", "brackets": [1, 2, 4]},
)


def test_every_measure_is_under_the_laws():
    assert {asked["measure"] for asked in EVERY} == set(MEASURES)


@settings(max_examples=3)
@given(st.integers(0, 10_000), st.sampled_from(["7D", "week", "month"]))
def test_rows_names_columns_and_the_future_do_not_matter(seed, period):
    """For every measure: shuffled, relabelled, renamed and longer logs give the same table, and money scales."""
    frame = export(seed, n=100, users=15)
    rng = np.random.default_rng(seed)
    other = frame.assign(user=rng.permutation(15)[frame["user"]]).sample(frac=1.0, random_state=seed)
    later = pd.DataFrame(
        {"user": [0, 99], "order": [900, 901], "at": pd.Timestamp("2025-04-01"), "paid": 9.0, "way": "app"}
    )
    renamed = pd.concat([other, later], ignore_index=True).rename(
        columns={"user": "phone", "paid": "net", "at": "when"}
    )
    names = {**NAMES, "user_id": "phone", "amount": "net", "ordered_at": "when"}
    plain, dearer = make_log(frame), make_log(frame.assign(paid=frame["paid"] * 3))
    again = cl.OrderLog.from_frame(renamed, **names, community="estate", channel="way", coupon_id="coupon")
    for asked in EVERY:
        question = {"as_of": "2025-04-01", "period": period, "by": "channel", **asked}
        a, b, c = (cohort_table(each, **question).cells for each in (plain, again, dearer))
        pd.testing.assert_frame_equal(a, b)
        if asked["measure"] in ("revenue", "cumulative_revenue", "aov"):
            assert c["value"].to_numpy() == pytest.approx(3 * a["value"].to_numpy(), nan_ok=True)
        else:
            pd.testing.assert_frame_equal(a, c)


@settings(max_examples=5)
@given(st.integers(0, 10_000))
def test_groups_sum_to_the_whole(seed):
    log = make_log(export(seed, n=150, users=20))
    whole = cohort_table(log, as_of="2025-04-20").cells.set_index(["cohort", "age"])
    parts = cohort_table(log, as_of="2025-04-20", by=["community", "channel"]).cells
    summed = parts.groupby(["cohort", "age"])[["users", "size"]].sum(min_count=1)
    pd.testing.assert_frame_equal(summed, whole[["users", "size"]])


ASKED = (*({**asked, "by": "community"} for asked in EVERY), {"by": ["channel", "subsidised"]}, {})


def test_engines_agree(engine):
    frame = export(seed=1, n=200)
    log, plain = make_log(engine(frame)), make_log(frame)
    for asked in ASKED:
        given, wanted = (
            cohort_table(each, as_of="2025-04-10", period="week", washout="7D", **asked) for each in (log, plain)
        )
        pd.testing.assert_frame_equal(given.cells, wanted.cells, check_dtype=False)
        assert given.existing_users == wanted.existing_users
    asked = {"as_of": "2025-04-10", "period": "month", "cohort": "active", "by": "channel"}
    given, wanted = (cohort_table(each, **asked) for each in (log, plain))
    pd.testing.assert_frame_equal(given.cells, wanted.cells, check_dtype=False)


# -- what stands beside, what it looks like ---------------------------------------------------------------------------------


def test_covariates_stand_beside(cdnow):
    spend = pd.DataFrame({"cohort": ["1997-01-01", "1997-02-01"], "spend": [100.0, 200.0]})
    table = cohort_table(cdnow, as_of="1998-07-01", covariates=spend)
    beside = table.beside(ages=(1, 2))
    assert beside.columns.tolist() == ["cohort", "size", "rate_1", "rate_2", "spend"]
    assert beside["spend"].tolist()[:2] == [100.0, 200.0]
    assert np.isnan(beside["spend"].iloc[2])
    assert beside["size"].tolist() == [781, 857, 719]
    with pytest.raises(cl.ConfigError, match="ages"):
        table.beside(ages=(99,))
    assert cohort_table(cdnow, as_of="1998-07-01").beside().columns.tolist() == ["cohort", "size", "rate_1"]
    labelled = cohort_table(
        make_log(export()),
        as_of="2025-04-01",
        cohort="channel",
        covariates=pd.DataFrame({"cohort": ["app"], "rain": [3]}),
    )
    assert labelled.beside()["rain"].tolist()[0] == 3


@pytest.mark.parametrize(
    ("covariates", "message"),
    [
        ([1, 2], "pandas frame"),
        (pd.DataFrame({"day": [1]}), "needs the columns cohort"),
        (pd.DataFrame({"cohort": ["1997-01-01"] * 2, "x": [1, 2]}), "twice"),
        (pd.DataFrame({"cohort": ["helo"], "x": [1]}), "some are not"),
        (pd.DataFrame({"cohort": ["1997-01-01"], "size": [1]}), "own"),
    ],
)
def test_bad_covariates(cdnow, covariates, message):
    with pytest.raises(cl.ConfigError, match=message):
        cohort_table(cdnow, as_of="1998-07-01", covariates=covariates)


def test_pictures_and_words(cdnow):
    table = cohort_table(cdnow, as_of="1998-07-01")
    axes = table.plot()
    assert axes.get_title(loc="left") == "Retention by cohort and age"
    assert table.plot("users", ax=axes) is axes
    grouped = cohort_table(make_log(export()), as_of="2025-04-01", by="channel", measure="aov")
    assert grouped.plot(group="app").get_title(loc="left") == "Aov by cohort and age, app"
    with pytest.raises(cl.ConfigError, match="group is one of"):
        grouped.plot()
    with pytest.raises(cl.ConfigError, match="userz"):
        table.wide("userz")
    with pytest.raises(cl.ConfigError, match="value"):
        table.wide("value")
    assert "3 cohorts" in repr(table)
    assert "by channel" in repr(grouped)
    assert "<table" in table._repr_html_()
    labels = [text.get_text() for text in axes.texts]
    assert "16%" in labels
    assert not any("nan" in label for label in labels)
    long = cohort_table(make_log(export()), as_of="2025-05-01", period="1D", measure="orders")
    assert not long.plot().texts  # too many cells for numbers
    short = cohort_table(cdnow, as_of="1997-02-01")
    assert short.plot().get_title(loc="left") == "Retention by cohort and age"


def test_a_question_is_plain_data():
    question = CohortQuestion(as_of="2025-01-01", by="community", brackets=(1, 2), measure="bracket")
    assert CohortQuestion.from_json(question.to_json()) == question
    assert question.by == ("community",)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"period": "fortnight"}, "period"),
        ({"period": 7}, "period"),
        ({"measure": "retension"}, "^cohort_table: measure: one of retention, .*did you mean 'retention'"),
        ({"measure": 5}, "one of retention"),
        ({"by": "comunity"}, "Did you mean 'community'"),
        ({"by": ["community", "community"]}, "once"),
        ({"by": 5}, "by"),
        ({"cohort": "community", "by": "community"}, "already"),
        ({"cohort": "first"}, "Did you mean 'first_order'"),
        ({"cohort": "active", "measure": "aov"}, "active"),
        ({"cohort": "active", "washout": "7D"}, "washout"),
        ({"cohort": 5}, "seen int"),
        ({"cohort": pd.DataFrame({"user": [1]})}, "has the columns"),
        ({"cohort": pd.DataFrame({"user_id": [1, 1], "cohort": ["a", "b"]})}, "twice"),
        ({"cohort": pd.DataFrame({"user_id": [1, 2], "cohort": ["a", None]})}, "nulls"),
        ({"cohort": pd.DataFrame({"user_id": ["x"], "cohort": ["a"]})}, "whole numbers"),
        ({"washout": 28}, "washout"),
        ({"min_size": True}, "min_size"),
        ({"min_size": 0}, "min_size"),
        ({"max_age": 1.5}, "max_age"),
        ({"max_age": -1}, "max_age"),
        ({"window": "7D"}, "window"),
        ({"measure": "rolling"}, "window"),
        ({"measure": "bracket"}, "brackets"),
        ({"measure": "bracket", "brackets": [3]}, "rise"),
        ({"measure": "bracket", "brackets": [3, 1]}, "rise"),
        ({"measure": "bracket", "brackets": 3}, "brackets"),
        ({"as_of": "2025-02-30"}, "as_of"),
        ({"as_of": 20250101}, "as_of"),
        ({"by": "category"}, "category"),
    ],
)
def test_bad_arguments(wrong, message):
    with pytest.raises(cl.ConfigError, match=message):
        cohort_table(make_log(export()), **{"as_of": "2025-04-01", **wrong})


def test_a_group_cannot_be_named_as_the_mark_of_nulls():
    with pytest.raises(cl.ConfigError, match="private"):
        cohort_table(make_log(export().assign(way="\ue000")), as_of="2025-04-01", by="channel")


def test_bad_logs():
    with pytest.raises(cl.ConfigError, match="OrderLog"):
        cohort_table(export(), as_of="2025-04-01")
    with pytest.raises(cl.InsufficientDataError, match="holds none"):
        cohort_table(make_log(export()), as_of="2024-01-01")
    with pytest.raises(cl.InsufficientDataError, match="frame of cohorts"):
        cohort_table(make_log(export()), as_of="2025-04-01", cohort=pd.DataFrame({"user_id": [10**6], "cohort": ["a"]}))


def test_the_result_is_frozen(cdnow):
    table = cohort_table(cdnow, as_of="1998-07-01")
    assert isinstance(table, CohortTable)
    frame = table.to_frame()
    frame["users"] = -1.0
    assert table.cells["users"].iloc[0] == 781
    with pytest.raises(AttributeError):
        table.cells = None
