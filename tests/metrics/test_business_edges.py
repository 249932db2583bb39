"""The table of metrics at its edges: the host's figures, events, hostile logs, laws, words and figures."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import commlife as cl
from commlife import testing
from commlife.metrics import METRICS
from commlife.testing.strategies import log_of

COLUMNS = [
    "user_id",
    "order_id",
    "ordered_at",
    "amount",
    "cost",
    "list_amount",
    "discount",
    "quantity",
    "community",
    "coupon_id",
]
ROWS = pd.DataFrame(
    [
        ("ann", 1, "2025-01-06", 8.0, 5.0, 10.0, 2.0, 2.0, "east", "c1"),
        ("ann", 1, "2025-01-06", 5.0, 2.0, 5.0, 0.0, 1.0, "east", None),
        ("bob", 2, "2025-01-07", 20.0, None, 25.0, 5.0, 1.0, "west", "c2"),
        ("bob", 2, "2025-01-09", -4.0, -1.0, None, 0.0, 1.0, "west", None),
        ("cat", 3, "2025-01-14", 9.0, 3.0, 9.0, 0.0, 3.0, None, None),
    ],
    columns=COLUMNS,
)


def world(rows=ROWS, engine=lambda frame: frame, **more):
    return cl.OrderLog.from_frame(engine(rows), **{name: name for name in rows.columns}, **more)


def ask(log, **more):
    return cl.business_metrics(log, **({"as_of": "2025-01-20", "period": "week"} | more))


def test_margin_coupons_and_discounts_by_hand(engine):
    week = ask(world(ROWS, engine)).table.iloc[0]
    assert (week["margin"], week["margin_rate"]) == (8 - 5 + 5 - 2 - 4 + 1, 3 / 9)
    assert (week["coupon_cost"], week["coupon_cost_rate"]) == (7.0, 7 / 33)
    assert (week["price_realisation"], week["discount_depth"]) == (33 / 40, 7 / 40)
    # The piece that came back is taken off, whichever sign its quantity carries.
    assert (week["units"], week["units_per_order"]) == (3.0, 1.5)
    assert (week["orders_per_payer"], week["arpu"], week["known_users"]) == (1.0, 14.5, 2.0)


def test_households_and_spend_of_communities(engine):
    spend = pd.DataFrame({"day": ["2025-01-06", "2025-01-12", "2025-01-13", "2025-01-20"], "amount": [3.0, 1.5, 2.0, 99.0],
                          "community": ["east", "east", "north", "east"]})  # fmt: skip
    asked = ask(world(ROWS, engine), by="community", households={"east": 4, "west": 5, "north": 8}, spend=engine(spend))
    first = asked.table[asked.table["period"] == "2025-01-06"].set_index("community")
    assert first.loc["east", ["households", "penetration", "spend", "cac"]].tolist() == [4.0, 0.25, 4.5, 4.5]
    assert first.loc["east", "roas"] == 13 / 4.5
    assert first.loc["east", "roi"] == (6 - 4.5) / 4.5
    # A community without an order has a penetration of 0, not none; without spend there is no return on it.
    assert first.loc["north", ["payers", "penetration"]].tolist() == [0.0, 0.0]
    assert np.isnan(first.loc["west", "roas"])
    whole = ask(world(), households={"east": 4, "west": 5, "north": 8}, metrics=["penetration"])
    assert whole.rates["denominator"].tolist() == [17.0, 17.0]
    assert whole.rates["interval"].tolist() == ["wilson", "wilson"]


def test_more_payers_than_households_have_no_wilson_interval():
    asked = ask(world(), households=1, metrics=["penetration"])
    assert asked["penetration"].iloc[0] == 2.0
    assert np.isnan(asked.rates["low"].iloc[0])


def test_events_make_users_active_and_known(engine):
    events = pd.DataFrame(
        [
            ("ann", "2025-01-07"),
            ("ann", "2025-01-07"),
            ("zoe", "2025-01-06"),
            ("zoe", "2025-01-15"),
            ("ann", "2025-01-20"),
            ("yan", "2025-03-01"),
        ],
        columns=["user_id", "time"],
    )
    names = ["dau", "wau", "known_users", "payers", "payer_reach"]
    for given_events in (events, engine(events)):
        table = ask(world(ROWS, engine), events=given_events, metrics=names).table
        assert table["known_users"].tolist() == [3.0, 4.0]
        assert table["wau"].tolist() == [3.0, 2.0]
        assert table["dau"].tolist() == [4 / 7, 2 / 7]  # ann 6th and 7th, bob, zoe; cat, zoe
        assert table["payer_reach"].tolist() == [2 / 3, 1 / 4]
    late = ask(world(), events=events.iloc[3:4], metrics=["dau"]).table
    assert np.isnan(late["dau"].iloc[0])  # before the events began nobody who only looked was seen


def test_events_with_a_zone_fall_on_local_days():
    """17:30 UTC on Sunday the 12th is Monday the 13th in Shanghai."""
    events = pd.DataFrame(
        {"user_id": ["zoe", "yan"], "time": pd.to_datetime(["2025-01-12 17:30", "2025-01-05 16:30"]).tz_localize("UTC")}
    )
    asked = ask(world(), events=events, metrics=["wau"])
    assert asked["wau"].tolist() == [3.0, 2.0]


def test_faulty_events_and_spend_are_told():
    with pytest.raises(cl.SchemaError, match="time"):
        ask(world(), events=pd.DataFrame({"user_id": ["a"], "at": ["2025-01-06"]}))
    with pytest.raises(cl.ConfigError, match="nobody would be found"):
        ask(world(), events=pd.DataFrame({"user_id": [1], "time": ["2025-01-06"]}))
    with pytest.raises(cl.SchemaError, match="no local day"):
        ask(world(), spend=pd.DataFrame({"day": ["soon"], "amount": [1.0]}))
    with pytest.raises(cl.SchemaError, match="no amounts"):
        ask(world(), spend=pd.DataFrame({"day": ["2025-01-06"], "amount": ["much"]}))
    with pytest.raises(cl.ConfigError, match="spend amounts"):
        ask(world(), spend=pd.DataFrame({"day": ["2025-01-06"], "amount": [1.001]}))


def test_all_faults_of_a_call_are_told_at_once():
    with pytest.raises(cl.ConfigError) as told:
        ask(world(), as_of="soon", period="fortnight", by="colour", last=0, metrics=["gmw"], washout="a week",
            households=-1, reach_users=0, n_boot=-5, seed=-1)  # fmt: skip
    words = (
        "as_of",
        "fortnight",
        "colour",
        "last",
        "Did you mean 'gmv'",
        "a duration",
        "households",
        "reach_users",
        "n_boot",
        "seed",
    )
    assert all(word in str(told.value) for word in words)
    for wrong in (
        {"households": 5, "by": "community"},
        {"households": {"e": 0}},
        {"metrics": "net"},
        {"metrics": []},
        {"by": 3},
    ):
        with pytest.raises(cl.ConfigError):
            ask(world(), **wrong)
    with pytest.raises(cl.ConfigError, match="OrderLog"):
        cl.business_metrics(ROWS, as_of="2025-01-20")


def test_what_the_log_lacks_is_absent_and_said_so():
    bare = world(ROWS[["user_id", "ordered_at", "amount"]])
    asked = ask(bare)
    reasons = asked.absent.set_index("metric")["reason"]
    assert reasons["units_per_order"] == "the log has no quantity"
    assert reasons["payment_rate"] == "the log has no status"
    assert reasons["coupon_cost"] == "the log has no discount; the log has no coupon_id"
    assert reasons["roi"] == "needs the argument spend; the log has no cost"
    assert set(asked.absent["metric"]) | set(asked.table.columns) == {*METRICS, "period", "complete"}
    assert set(asked.absent["metric"]).isdisjoint(asked.table.columns)
    with pytest.raises(cl.ConfigError, match=r"margin \(the log has no cost\)"):
        ask(bare, metrics=["net", "margin"])


def test_only_paid_lines_count_where_a_status_says_so(engine):
    rows = ROWS.assign(status=["done", "done", "open", "done", "void"])
    table = ask(world(rows, engine, status_map={"done": "paid", "open": "placed", "void": "cancelled"})).table
    assert table["gmv"].tolist() == [33.0, 9.0]
    assert table["paid"].tolist() == [13.0, 0.0]
    assert table["payment_rate"].tolist() == [13 / 33, 0.0]
    assert table["payers"].tolist() == [1.0, 0.0]


def test_a_user_with_nothing_but_refunds_is_no_payer_and_not_active():
    """Seen in a peer: a month with nothing but a refund counted as activity."""
    table = ask(world(ROWS.assign(amount=-ROWS["amount"].abs()))).table
    assert table[["orders", "payers", "new_payers", "known_users", "dau", "wau"]].to_numpy().sum() == 0
    assert table["net"].tolist() == [-37.0, -9.0]
    assert table[["aov", "arppu", "refund_rate", "repurchase_rate"]].isna().all(axis=None)


def test_rates_are_not_rounded_and_not_means_of_rates():
    """Seen in peers: 1/300 shown as 0; an unweighted mean over groups."""
    n = 300
    rows = pd.DataFrame({"user_id": [f"u{i}" for i in range(n)] + ["u0"], "ordered_at": "2025-01-06", "amount": 1.0,
                         "community": ["big"] * (n - 1) + ["small"] * 2})  # fmt: skip
    table = ask(world(rows), as_of="2025-01-13", metrics=["repurchase_rate", "aov"]).table
    assert table["repurchase_rate"].iloc[0] == 1 / 300


def test_the_newest_period_is_null_until_it_is_over():
    for as_of, complete in (("2025-01-19", [True, False]), ("2025-01-20", [True, True])):
        asked = ask(world(), as_of=as_of)
        assert asked["complete"].tolist() == complete
        values = asked.table.drop(columns=["period", "complete"])
        assert values[~asked.table["complete"]].isna().all(axis=None)
        told = asked.rates.merge(asked.table[["period", "complete"]], on="period")
        assert told.loc[~told["complete"], ["value", "numerator", "denominator", "low", "high"]].isna().all(axis=None)


def test_a_log_that_ends_early_says_nothing_of_later_weeks():
    asked = ask(world(observed_until="2025-01-16"), as_of="2025-02-03")
    assert asked["period"].tolist() == list(pd.to_datetime(["2025-01-06", "2025-01-13"]))
    assert asked["complete"].tolist() == [True, False]


def test_a_week_with_a_clock_change_has_seven_days(engine):
    """New York, 9 March 2025: the last hour of Sunday still belongs to its week."""
    at = pd.to_datetime(["2025-03-03 05:00", "2025-03-10 03:59", "2025-03-10 04:00"]).tz_localize("UTC")
    rows = pd.DataFrame({"user_id": ["a", "b", "c"], "ordered_at": at.as_unit("us"), "amount": 1.0})
    log = world(rows, engine, timezone="America/New_York")
    table = ask(log, as_of="2025-03-17").table
    assert table["payers"].tolist() == [2.0, 1.0]
    assert table["dau"].tolist() == [2 / 7, 1 / 7]


def test_one_row_and_no_row():
    one = ask(world(ROWS.tail(1)), as_of="2025-01-27", period="month")
    assert len(one) == 1
    assert not one["complete"].iloc[0]
    with pytest.raises(cl.InsufficientDataError, match="holds none"):
        ask(world(ROWS.head(0)))


def test_existing_users_are_not_new():
    assert ask(world(), washout="7D")["new_payers"].tolist() == [0.0, 1.0]
    told = ROWS.assign(first_ordered_at=["2024-05-01", "2024-05-01", "2025-01-07", "2025-01-07", "2025-01-14"])
    assert ask(world(told))["new_payers"].tolist() == [1.0, 1.0]


def test_a_log_cut_off_warns_only_where_new_payers_are_asked_for():
    days = np.repeat(pd.date_range("2025-01-06", periods=10, freq="7D"), 40)
    rows = pd.DataFrame({"user_id": [f"u{i % 120}" for i in range(400)], "ordered_at": days, "amount": 1.0})
    rows.loc[:119, "ordered_at"] = pd.Timestamp("2025-01-06")
    with pytest.warns(cl.LeftTruncatedWarning):
        ask(world(rows), as_of="2025-03-17")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ask(world(rows), as_of="2025-03-17", metrics=["net", "payers"])
        ask(world(rows), as_of="2025-03-17", washout="7D")


@settings(max_examples=settings.default.max_examples // 5)
@given(testing.order_frames(min_rows=2), st.sampled_from([None, "community"]), st.randoms(use_true_random=False))
def test_rows_names_and_the_future_change_nothing(frame, by, rng):
    asked = {"as_of": "2025-05-01", "period": "28D", "by": by, "n_boot": 40}
    wanted = cl.business_metrics(log_of(frame), **asked)
    known = frame["user_id"].unique().tolist()
    names = dict(zip(known, rng.sample([f"n{i}" for i in range(len(known))], len(known)), strict=True))
    others = [
        frame.sample(frac=1, random_state=rng.randrange(2**32)),
        frame.assign(user_id=frame["user_id"].map(names), order_id=frame["order_id"] * 3 + 1),
        pd.concat([frame, frame.assign(ordered_at=pd.Timestamp("2025-05-01"))]),
    ]
    for other in others:
        seen = cl.business_metrics(log_of(other), **asked)
        pd.testing.assert_frame_equal(seen.table, wanted.table)
        pd.testing.assert_frame_equal(seen.rates, wanted.rates)


def test_a_large_cell_drawn_by_blocks_has_the_width_of_one_drawn_by_users(monkeypatch):
    from commlife.metrics import _intervals

    rng = np.random.default_rng(0)
    sums = np.stack([rng.lognormal(3, 1, 6_000).round(), rng.integers(1, 4, 6_000).astype(float)], axis=1)
    cell = np.zeros(6_000, np.int64)
    blocks = _intervals.bootstrap_ratios(cell, 1, sums, [(0, 1)], n_boot=2_000, seed=1)[0]
    monkeypatch.setattr(_intervals, "BLOCKS", 10_000)
    users = _intervals.bootstrap_ratios(cell, 1, sums, [(0, 1)], n_boot=2_000, seed=1)[0]
    width = [float(high[0] - low[0]) for low, high in (blocks, users)]
    assert width[0] == pytest.approx(width[1], rel=0.12)


def test_the_interval_of_the_average_order_value_holds_the_truth():
    """60 months of 150 payers with log-normal orders: about 56 of 60 hold; fewer than 50 would be no chance."""
    rng = np.random.default_rng(4)
    days = pd.date_range("2020-01-01", periods=60, freq="MS")
    n = 150 * 60
    rows = pd.DataFrame(
        {"user_id": np.arange(n), "ordered_at": np.repeat(days, 150), "amount": rng.lognormal(3, 0.8, n).round(2)}
    )
    asked = cl.business_metrics(world(rows), as_of="2025-01-01", metrics=["aov"])
    held = (asked.rates["low"] <= np.exp(3 + 0.32)) & (asked.rates["high"] >= np.exp(3 + 0.32))
    assert held.sum() >= 50


def test_every_metric_has_words_in_both_languages():
    for lang in ("en", "zh"):
        words = cl.metric_dictionary(lang)
        assert words["name"].tolist() == list(METRICS)
        assert (words["label"] != words["name"]).sum() >= len(words) - 3  # a few are the same word
        assert words["definition"].str.len().gt(3).all()
    assert not cl.metric_dictionary("zh")["definition"].str.contains(r"[,;]").any()
    with pytest.raises(cl.ConfigError, match="lang"):
        cl.metric_dictionary("fr")


def test_it_is_shown():
    asked = ask(world(), by="community")
    assert repr(asked).startswith("BusinessMetrics(week by community, 2 complete periods")
    assert "<table" in asked._repr_html_()
    assert len(asked) == 6
    assert asked.to_frame("zh").columns[:4].tolist() == ["周期", "社区", "是否完整", "交易总额"]
    assert asked["net"].equals(asked.table["net"])
    assert "net" in asked.columns
    assert asked.plot("aov").get_title(loc="left") == "Average order value by community"
    assert asked.plot("aov", lang="zh").get_title(loc="left") == "客单价（按社区）"
    alone = ask(world())
    assert "Repurchase rate: 0.0%" in alone.plot("repurchase_rate").get_title(loc="left")
    assert "较上期" in alone.plot("net", lang="zh").get_title(loc="left")
    with pytest.raises(cl.ConfigError, match="metric"):
        alone.plot("gmw")
    assert ask(world(), metrics=["payers"], by="community").plot("payers").get_title(loc="left")
