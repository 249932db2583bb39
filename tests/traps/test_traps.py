"""Traps that other packages fall into: the library's answer by hand, and the other way of counting, which differs.

Each test takes a few orders whose answer is plain, asks the library, and counts once more the way that is wrong, to
show that these very orders would tell: a library that went that way would fail here.

| trap | test |
|---|---|
| future rows kept after as_of | test_rows_at_or_after_as_of_are_not_kept |
| refunds counted as orders | test_a_refund_is_no_order |
| a refund-only month counted as retained | test_a_month_with_nothing_but_a_refund_is_not_retained |
| unobserved cells shown as 0 | test_what_is_not_observed_yet_is_null |
| rates rounded to two digits | test_one_of_three_hundred_is_not_nothing |
| local dates bucketed in UTC | test_half_past_midnight_belongs_to_the_local_month |
| weeks counted in hours across a clock change | test_a_week_with_a_clock_change_ends_on_sunday_night |
| the last, incomplete period treated as complete | test_a_month_that_is_not_over_has_lost_nobody |
| unweighted mean of cohort rates | test_a_pooled_rate_is_users_by_users |
| dd/mm/yyyy texts sorted before parsing | test_day_first_texts_are_refused_and_never_sorted_as_texts |
| a legitimate identical second order dropped | test_a_second_order_like_the_first_is_an_order |
| the caller's frame mutated | test_the_callers_frame_stays_as_it_was |
| weekly churn = 1 - active / cumulative | test_whoever_left_long_ago_does_not_leave_again_every_week |
| trailing silence never counted | test_silence_counts_though_no_order_ends_it |
| days before the first order counted as silent | test_nobody_is_silent_before_her_first_order |
| ties broken by the user's id | test_equal_users_have_equal_scores_whoever_comes_first |
| P(alive) of 1 shown alone for one-time buyers | test_who_bought_once_is_not_shown_as_surely_alive |
| purchases of one week merged by weekly bins | test_two_purchases_in_one_week_are_two |

Further traps have their tests where they belong: a constant score has no Qini whatever the order of rows
(tests/effects/test_qini.py), parameters that run away are held (tests/value/test_bad_input.py), an item with a support
of 1 is kept (tests/basket/test_itemsets.py).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import commlife as cl

NAMES = {"user_id": "user", "ordered_at": "at", "amount": "paid"}
MONTHS = ("2025-01", "2025-02", "2025-03")


def orders(*rows: tuple[str, str, float]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=["user", "at", "paid"])
    return frame.assign(at=pd.to_datetime(frame["at"], format="ISO8601"))


def log_of(frame: pd.DataFrame, **more: object) -> cl.OrderLog:
    return cl.OrderLog.from_frame(frame, **NAMES, **more)


def test_rows_at_or_after_as_of_are_not_kept() -> None:
    frame = orders(
        ("ann", "2025-01-01", 10.0),
        ("ann", "2025-01-20", 10.0),
        ("ann", "2025-02-01", 10.0),  # midnight of as_of itself
        ("ann", "2025-03-05", 10.0),
        ("ben", "2025-02-01 08:00", 10.0),
    )
    assert cl.purchase_summary(log_of(frame), as_of="2025-02-01").to_dict("records") == [
        {"user_id": "ann", "x": 1, "t_x": 19, "T": 30, "m_x": 10.0}
    ]
    inclusive = frame[frame["at"] <= "2025-02-01"]
    assert inclusive.groupby("user").size().to_dict() == {"ann": 3}
    assert frame.groupby("user").size().to_dict() == {"ann": 4, "ben": 1}


def test_a_refund_is_no_order() -> None:
    frame = orders(
        ("ann", "2025-01-01", 30.0),
        ("ann", "2025-01-25", -10.0),
        ("ben", "2025-01-02", 20.0),
        ("ben", "2025-01-12", 20.0),
        ("cat", "2025-01-03", 5.0),
        ("cat", "2025-01-28", -5.0),
        ("dan", "2025-01-28", -5.0),
    )
    log = log_of(frame)
    table = cl.RFM(n_bins=2, segment_map=None).fit(log, as_of="2025-01-31")
    table = table.transform(log, as_of="2025-01-31").set_index("user_id")
    assert table["frequency"].to_dict() == {"ann": 1, "ben": 2, "cat": 1}
    assert table["recency_days"].to_dict() == {"ann": 30, "ben": 19, "cat": 28}
    assert table["monetary"].to_dict() == {"ann": 20.0, "ben": 40.0, "cat": 0.0}
    rows = frame.groupby("user")["at"].agg(["size", "max"])
    assert rows["size"].to_dict() == {"ann": 2, "ben": 2, "cat": 2, "dan": 1}
    assert (pd.Timestamp("2025-01-31") - rows["max"]).dt.days.to_dict() == {"ann": 6, "ben": 19, "cat": 3, "dan": 3}


def test_a_month_with_nothing_but_a_refund_is_not_retained() -> None:
    frame = orders(("ann", "2025-01-10", 30.0), ("ann", "2025-02-10", -30.0), ("ann", "2025-03-10", 5.0))
    table = cl.cohort_table(log_of(frame), as_of="2025-04-01", period="month")
    assert table.wide("rate").loc["2025-01-01"].tolist() == [1.0, 0.0, 1.0]
    any_row = frame["at"].dt.to_period("M").astype(str)
    assert any_row.tolist() == list(MONTHS)


def test_what_is_not_observed_yet_is_null() -> None:
    frame = orders(
        ("ann", "2025-01-10", 1.0), ("ann", "2025-02-10", 1.0), ("ben", "2025-02-10", 1.0), ("cat", "2025-03-10", 1.0)
    )
    table = cl.cohort_table(log_of(frame), as_of="2025-04-01", period="month")
    rates = table.wide("rate")
    assert rates.to_numpy().tolist()[0] == [1.0, 1.0, 0.0]
    assert rates.isna().to_numpy().tolist() == [[False, False, False], [False, False, True], [False, True, True]]
    # The mean at age 1 is that of the two cohorts that have been seen there; filled with zeros it is a third.
    pooled = table.pooled().set_index("age")["rate"]
    assert pooled[1] == 1 / 2
    assert rates.fillna(0.0)[1].mean() == pytest.approx(1 / 3)


def test_one_of_three_hundred_is_not_nothing() -> None:
    names = [f"user {number}" for number in range(300)]
    frame = orders(*((name, "2025-01-10", 1.0) for name in names), (names[7], "2025-02-10", 1.0))
    table = cl.cohort_table(log_of(frame, observed_from="2025-01-01"), as_of="2025-03-01", period="month")
    rate = table.wide("rate").loc["2025-01-01", 1]
    assert rate == 1 / 300
    assert round(rate, 2) == 0.0


def test_half_past_midnight_belongs_to_the_local_month() -> None:
    """Half past midnight on 1 February in Shanghai is the afternoon of 31 January in UTC."""
    frame = orders(("ann", "2025-02-01 00:30", 1.0))
    frame["at"] = frame["at"].dt.tz_localize("Asia/Shanghai").dt.tz_convert("UTC")
    log = log_of(frame, timezone="Asia/Shanghai")
    table = cl.cohort_table(log, as_of="2025-03-01", period="month").to_frame()
    assert table["cohort"].tolist() == [pd.Timestamp("2025-02-01")]
    assert frame["at"].dt.strftime("%Y-%m").tolist() == ["2025-01"]


@pytest.mark.parametrize(
    ("monday", "night", "weeks", "by_hours"),
    [
        # The week of 3 March 2025 has 167 hours in New York, that of 27 October 169.
        ("2025-03-03", "2025-03-10 00:30", [0, 1], [0, 0]),
        ("2025-10-27", "2025-11-02 23:30", [0], [0, 1]),
    ],
)
def test_a_week_with_a_clock_change_ends_on_sunday_night(monday, night, weeks, by_hours) -> None:
    zone = "America/New_York"
    frame = orders(("ann", f"{monday} 00:00", 1.0), ("ann", night, 1.0))
    frame["at"] = frame["at"].dt.tz_localize(zone)
    as_of = str((pd.Timestamp(monday) + pd.Timedelta(days=14)).date())
    cells = cl.cohort_table(log_of(frame, timezone=zone), as_of=as_of, period="week").to_frame()
    assert cells.loc[cells["users"] > 0, "age"].tolist() == weeks
    assert cells["cohort"].unique().tolist() == [pd.Timestamp(monday)]
    elapsed = frame["at"].dt.tz_convert("UTC").diff().iloc[1]
    assert [0, elapsed // pd.Timedelta(days=7)] == by_hours


def test_a_month_that_is_not_over_has_lost_nobody() -> None:
    """Everybody orders on the 20th: on the 10th of March nobody has left."""
    frame = orders(*((user, f"{month}-20", 1.0) for user in ("ann", "ben") for month in MONTHS))
    growth = cl.growth_accounting(log_of(frame), as_of="2025-03-10", period="month")
    assert growth["period"].dt.strftime("%Y-%m").tolist() == ["2025-01", "2025-02"]
    assert growth["lapsed"].tolist() == [0, 0]
    known = frame[frame["at"] < "2025-03-10"]
    by_month = known.groupby(known["at"].dt.strftime("%Y-%m"))["user"].nunique().reindex(MONTHS, fill_value=0)
    assert by_month.tolist() == [2, 2, 0]


def test_a_pooled_rate_is_users_by_users() -> None:
    rows = [(f"a{number}", "2025-01-10", 1.0) for number in range(100)]
    rows += [(f"a{number}", "2025-02-10", 1.0) for number in range(50)]
    rows += [(f"b{number}", month, 1.0) for number in range(10) for month in ("2025-02-10", "2025-03-10")]
    log = log_of(orders(*rows), observed_from="2025-01-01")
    table = cl.cohort_table(log, as_of="2025-04-01", period="month")
    pooled = table.pooled().set_index("age")
    assert pooled.loc[1, ["users", "size", "rate"]].tolist() == [60, 110, 60 / 110]
    assert table.wide("rate")[1].mean() == 0.75


def test_day_first_texts_are_refused_and_never_sorted_as_texts() -> None:
    """Sorted as texts the second of March comes before the fifteenth of January."""
    frame = pd.DataFrame({"user": "ann", "at": ["15/01/2025", "02/03/2025"], "paid": 1.0})
    with pytest.raises(cl.SchemaError, match="not an ISO 8601 date") as told:
        log_of(frame)
    assert told.value.faults["rows"].tolist() == [2]
    days = pd.to_datetime(frame["at"], format="%d/%m/%Y")
    assert days.loc[frame["at"].sort_values().index].tolist() == days.sort_values(ascending=False).tolist()
    # Parsed by its own format the column is read, in whatever order its rows are.
    backwards = frame.assign(at=days).iloc[::-1]
    assert cl.purchase_summary(log_of(backwards), as_of="2025-03-10")["t_x"].tolist() == [46]


def test_a_second_order_like_the_first_is_an_order() -> None:
    """The same user, the same second, the same price: two cabbages, told as equal lines and kept."""
    frame = orders(*[("ann", "2025-01-10 09:00", 3.0)] * 2, ("ben", "2025-01-11", 3.0))
    log = log_of(frame)
    assert (log.n_rows, log.n_orders) == (3, 3)
    table = cl.RFM(n_bins=2, segment_map=None).fit(log, as_of="2025-01-31").transform(log, as_of="2025-01-31")
    assert table["frequency"].tolist() == [2, 1]
    assert table["monetary"].tolist() == [6.0, 3.0]
    assert len(frame.drop_duplicates()) == 2


def test_the_callers_frame_stays_as_it_was() -> None:
    rng = np.random.default_rng(1)
    frame = orders(
        *(
            (f"user {rng.integers(40)}", f"2025-01-{rng.integers(1, 29):02d}", float(rng.integers(1, 50)))
            for _ in range(300)
        )
    ).sample(frac=1, random_state=2)
    before = frame.copy(deep=True)
    log = log_of(frame)
    cl.RFM(n_bins=3, segment_map=None).fit(log, as_of="2025-02-01").transform(log, as_of="2025-02-01")
    cl.cohort_table(log, as_of="2025-02-01", period="week")
    cl.Lifecycle().fit(log, as_of="2025-02-01")
    told = log.to_native()
    told["amount"] = 0.0
    pd.testing.assert_frame_equal(frame, before)
    assert frame.index.tolist() == before.index.tolist()
    # A frame that is changed afterwards does not reach into the log either.
    frame["paid"] = -1.0
    assert log.to_native()["amount"].min() >= 1.0


def test_whoever_left_long_ago_does_not_leave_again_every_week() -> None:
    """Ten come in the first week, five of them order every week: five lapse once, and nobody after that."""
    rows = [(f"user {number}", "2025-01-06", 1.0) for number in range(10)]
    rows += [(f"user {number}", f"2025-01-{day}", 1.0) for number in range(5) for day in (13, 20, 27)]
    frame = orders(*rows)
    growth = cl.growth_accounting(log_of(frame), as_of="2025-02-03", period="week")
    assert growth["lapsed"].tolist() == [0, 5, 0, 0]
    active = frame.groupby(frame["at"].dt.to_period("W"))["user"].nunique()
    ever = [frame.loc[frame["at"] < week.end_time, "user"].nunique() for week in active.index]
    assert (1 - active / ever).tolist() == [0.0, 0.5, 0.5, 0.5]


def test_silence_counts_though_no_order_ends_it() -> None:
    """Ann ordered daily for a week and never again: the gaps between her orders are all of one day."""
    frame = orders(
        *(("ann", f"2025-01-0{day}", 1.0) for day in range(1, 8)),
        *(("ben", f"2025-01-{day:02d}", 1.0) for day in range(1, 29)),
    )
    life = cl.Lifecycle(period="7D", silent_after=1, churned_after=3).fit(log_of(frame), as_of="2025-01-29")
    assert life.states.set_index("user_id")["state"].to_dict() == {"ann": "churned", "ben": "active"}
    gaps = frame.groupby("user")["at"].diff().dt.days.groupby(frame["user"]).max()
    assert gaps.to_dict() == {"ann": 1.0, "ben": 1.0}


def test_nobody_is_silent_before_her_first_order() -> None:
    frame = orders(
        *(("ann", f"2025-01-{day:02d}", 1.0) for day in (1, 8, 15, 22)), ("ben", "2025-01-22", 1.0)
    )  # four weeks that end on the 29th
    life = cl.Lifecycle(period="7D", silent_after=1, churned_after=3).fit(log_of(frame), as_of="2025-01-29")
    wide = life.counts.pivot_table(index="period", columns="state", values="users", sort=False)
    assert wide["new"].tolist() == [1, 0, 0, 1]
    assert wide["active"].tolist() == [0, 1, 1, 1]
    assert wide[["silent", "churned"]].to_numpy().sum() == 0
    dense = frame.assign(week=(frame["at"] - frame["at"].min()).dt.days // 7).pivot_table(
        index="user", columns="week", values="paid", aggfunc="count", fill_value=0
    )
    assert int((dense.loc["ben"] == 0).sum()) == 3


def test_equal_users_have_equal_scores_whoever_comes_first() -> None:
    """A rank that splits ties gives equal users five different scores, by the order of their rows."""
    names = [f"user {number}" for number in range(20)]
    frame = orders(*((name, "2025-01-10", 5.0) for name in names), ("zoe", "2025-01-20", 9.0))
    log = log_of(frame)
    with pytest.warns(cl.errors.FewerBinsWarning):
        table = cl.RFM(n_bins=5, segment_map=None).fit(log, as_of="2025-01-31").transform(log, as_of="2025-01-31")
    assert table.loc[table["user_id"] != "zoe", "rfm_code"].nunique() == 1
    split = pd.qcut(pd.Series([5.0] * 20 + [9.0]).rank(method="first"), 5, labels=False)
    assert split[:20].nunique() == 5


def test_who_bought_once_is_not_shown_as_surely_alive() -> None:
    """By BG/NBD's formula whoever bought once is alive with a chance of 1; that she stays silent is a chance below 1.

    P(alive) is 1 for x = 0 by construction (Fader, Hardie & Lee 2005): p_silent says what can be acted on.
    """
    world = cl.datasets.make_community(n_users=300, seed=2)
    summary = cl.purchase_summary(world.log, as_of=world.as_of, washout="28D")
    fitted = cl.BetaGeo().fit(summary, time_unit="7D")
    once = (summary["x"] == 0).to_numpy()
    assert once.any()
    assert (fitted.p_alive(summary).loc[once, "p_alive"] == 1.0).all()
    silent = fitted.p_silent(summary, horizon="28D").loc[once, "p_silent"]
    assert silent.between(0.02, 0.98).all()
    # The longer she has been away, the likelier she stays away; P(alive) alone tells all of them alike.
    age = summary.loc[once, "T"]
    assert silent[age.idxmax()] > silent[age.idxmin()]


def test_two_purchases_in_one_week_are_two() -> None:
    frame = orders(("ann", "2025-01-06", 1.0), ("ann", "2025-01-08", 1.0), ("ann", "2025-01-14", 1.0))
    assert cl.purchase_summary(log_of(frame), as_of="2025-02-01")["x"].tolist() == [2]
    weeks = frame["at"].dt.to_period("W").nunique()
    assert weeks - 1 == 1
