"""Tags: by hand, on every engine, against a known truth, and with the day on which they changed."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest

import commlife as cl
from commlife._stats.wilson import wilson_interval
from commlife.segments.tags import TAGS
from commlife.testing import check_pipeline

AS_OF = "2025-06-30"


@pytest.fixture(scope="module")
def community():
    return cl.datasets.make_community(n_users=200, seed=3)


def log_of(frame, **extra):
    return cl.OrderLog.from_frame(
        frame, **{name: name for name in nw.from_native(frame).collect_schema().names()}, **extra
    )


def sorted_pandas(frame, as_pandas):
    table = as_pandas(frame)
    keys = [name for name in ("user_id", "tag", "category") if name in table.columns]
    return table.sort_values(keys, ignore_index=True)


@pytest.fixture(scope="module")
def of_pandas(community):
    return cl.user_tags(community.log, as_of=AS_OF, history=3)


def test_engines_agree(engine, as_pandas, community, of_pandas):
    one = of_pandas
    two = cl.user_tags(log_of(engine(community.frame)), as_of=AS_OF, history=3)
    for name in ("users", "tags", "due"):
        left, right = (sorted_pandas(getattr(each, name), as_pandas) for each in (one, two))
        pd.testing.assert_frame_equal(left, right, check_dtype=False, rtol=1e-12)
    pd.testing.assert_frame_equal(one.counts, two.counts, check_dtype=False)
    assert one.users["user_id"].is_monotonic_increasing
    # Tags in the order of the docs, in each the value of most users first.
    assert [tag for tag in TAGS if tag in set(one.counts["tag"])] == one.counts["tag"].drop_duplicates().tolist()
    for _, part in one.counts.groupby("tag"):
        assert part["users"].is_monotonic_decreasing
    assert repr(one) == repr(two)


def favourites_by_hand(frame, k, column, min_orders=3, width=84, step=28):
    """Plain pandas, straight from the definition, at the checkpoint ``k`` steps before the newest."""
    day = pd.Timestamp(AS_OF)
    orders = frame.groupby(["user_id", "order_id"]).agg(
        at=("ordered_at", "min"), net=("amount", "sum"), low=("amount", "min")
    )
    orders = orders[(orders["net"].round(2) > 0) | ((orders["net"].round(2) == 0) & (orders["low"] >= 0))].reset_index()
    orders = orders[orders["at"] < day]
    home = frame.merge(orders.sort_values("at").drop_duplicates("user_id")[["user_id", "order_id"]])
    home = home.groupby("user_id")["community"].min()
    end = day - pd.Timedelta(days=k * step)
    inside = orders[(orders["at"] < end) & (orders["at"] >= end - pd.Timedelta(days=width))]
    if column == "category":
        held = frame[frame["amount"] >= 0].merge(inside[["user_id", "order_id"]])
        held = held[["user_id", "order_id", "category"]].drop_duplicates().rename(columns={"category": "kind"})
    else:
        hour = inside["at"].dt.hour
        part = np.select(
            [hour < 5, hour < 11, hour < 14, hour < 18, hour < 23],
            ["night", "morning", "midday", "afternoon", "evening"],
            "night",
        )
        week = np.where(inside["at"].dt.day_of_week >= 5, "weekend ", "weekday ")
        held = inside.assign(kind=pd.Series(week, index=inside.index) + part)
    of = inside.groupby("user_id").size()
    of_home = inside.groupby(inside["user_id"].map(home)).size()
    rate = held.groupby("kind").size() / len(inside)
    own = held.groupby([held["user_id"].map(home), "kind"]).size()
    hits = held.groupby(["user_id", "kind"]).size()
    best = {}
    for (user, kind), n in hits.items():
        base = (own[home[user], kind] + rate[kind] * 50) / (of_home[home[user]] + 50)
        low, _ = wilson_interval(n, of[user])
        if n >= min_orders and low > base:
            best.setdefault(user, []).append((-float(low) / base, kind))
    return {user: min(found)[1] for user, found in best.items()}


def test_favourites_and_habits_follow_the_definition(community):
    tags = cl.user_tags(community.log, as_of=AS_OF, history=5)
    for tag, column in (("favourite_category", "category"), ("time_habit", "part")):
        mine = tags.tags[tags.tags["tag"] == tag].set_index("user_id")
        past = [favourites_by_hand(community.frame, k, column) for k in range(5)]
        assert mine["value"].to_dict() == past[0]
        assert len(past[0]) > 20
        for user, value in past[0].items():
            run = next((k for k in range(5) if past[k].get(user) != value), 5)
            assert mine.loc[user, "since"] == pd.Timestamp(AS_OF) - pd.Timedelta(days=28 * (run - 1))
            before = past[run].get(user) if run < 5 else None
            assert mine.loc[user, "changed_from"] == before or (
                before is None and pd.isna(mine.loc[user, "changed_from"])
            )


def test_what_is_missing_was_not_bought_and_others_do_buy_it(community):
    tags = cl.user_tags(community.log, as_of=AS_OF, history=1).tags
    missing = tags[tags["tag"] == "missing_category"]
    assert len(missing) > 5
    assert (missing["high"] < missing["base"]).all()
    assert (missing["share"] == 0).all()
    frame = community.frame[community.frame["amount"] >= 0]
    for row in missing.itertuples():
        mine = frame[
            (frame["user_id"] == row.user_id) & (frame["category"] == row.value) & (frame["ordered_at"] < AS_OF)
        ]
        assert not (mine["ordered_at"] >= pd.Timestamp(AS_OF) - pd.Timedelta(days=84)).any()
        assert row.since <= pd.Timestamp(AS_OF)
        if len(mine):
            assert row.since == mine["ordered_at"].max().normalize()


def test_price_bands_find_the_true_ones():
    """The synthetic community knows at which price level each user buys."""
    community = cl.datasets.make_community(n_users=1200, seed=4)
    tags = cl.user_tags(community.log, as_of=AS_OF, min_orders=10, history=1)
    truth = community.truth.users.set_index("user_id")["price_band"]
    found = tags.tags[tags.tags["tag"] == "price_band"].set_index("user_id")
    both = found.join(truth.rename("truth"))
    level = both.groupby("truth")["share"].mean()
    assert level["value"] < 0.9 < level["middle"] < 1.15 < level["premium"]
    cells = pd.crosstab(both["truth"], both["value"], normalize="index")
    assert cells.loc["premium", "low"] < 0.01
    assert cells.loc["value", "high"] < 0.01
    assert cells.loc["premium", "high"] > 0.7


def mover() -> pd.DataFrame:
    """Thirty steady users, and one who bought at a discount until April and dear things at full price since."""
    days = pd.date_range("2025-01-01", "2025-06-29", freq="3D")
    rows = []
    for user in range(31):
        for at in days:
            late, moves = at >= pd.Timestamp("2025-04-07"), user == 30
            price = 30.0 if moves and late else 10.0
            off = 4.0 if moves and not late else 0.0
            rows.append((user, at, price - off, price, "rice", 1))
    return pd.DataFrame(rows, columns=["user_id", "ordered_at", "amount", "list_amount", "category", "quantity"])


def test_a_user_who_moves_from_value_to_quality_shows_it(engine, as_pandas):
    tags = cl.user_tags(log_of(engine(mover())), as_of=AS_OF, history=4)
    table = as_pandas(tags.tags)
    moved = table[(table["user_id"] == 30) & (table["tag"] == "buying_style")].iloc[0]
    assert (moved["value"], moved["changed_from"]) == ("quality_seeking", "price_sensitive")
    # 84 days after the change no discount is left in the window: the first checkpoint after that is 2025-06-30 itself,
    # since at 2025-06-02 a third of the window still lay before the change.
    assert moved["since"] == pd.Timestamp("2025-06-30")
    others = table[(table["user_id"] < 30) & (table["tag"] == "buying_style")]
    assert set(others["value"]) == {"balanced"}
    assert others["changed_from"].isna().all()
    wide = as_pandas(tags.users).set_index("user_id")
    assert wide.loc[30, "buying_style_before"] == "price_sensitive"


def test_whoever_tries_what_is_new_to_her_is_told_and_a_free_sample_counts():
    """User 0 takes another product every time, for nothing; the others buy the same one at the same price."""
    days = pd.date_range("2025-01-01", "2025-06-29", freq="4D")
    rows = [
        (user, at, number, "new", 0.0, f"sample-{number}")
        if user == 0 and line
        else (user, at, number, "old", 10.0, "egg")
        for user in range(30)
        for number, at in enumerate(days)
        for line in range(2)
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "ordered_at", "order_id", "category", "amount", "item_id"])
    frame["order_id"] += 1000 * frame["user_id"]
    log = log_of(frame)
    styles = cl.user_tags(log, as_of=AS_OF).tags.query("tag == 'buying_style'").set_index("user_id")
    assert styles.loc[0, "value"] == "experience_first"
    assert styles.loc[0, "share"] == pytest.approx(0.5)
    assert set(styles.drop(index=0)["value"]) == {"balanced"}


def test_too_little_evidence_gives_no_tag():
    frame = mover().query("user_id < 5").groupby("user_id").head(2)
    tags = cl.user_tags(log_of(frame), as_of="2025-01-30")
    assert len(tags.tags) == 0
    assert len(tags.users) == 5
    assert tags.users.drop(columns="user_id").isna().all().all()
    assert len(tags.due) == 0


def test_a_log_of_days_has_habits_of_the_week_alone():
    days = pd.date_range("2025-01-01", "2025-06-29", freq="D")
    rows = [(user, at) for user in range(20) for at in days if (user == 0) == (at.day_of_week == 5)]
    frame = pd.DataFrame(rows, columns=["user_id", "ordered_at"]).assign(amount=1.0)
    tags = cl.user_tags(log_of(frame), as_of=AS_OF)
    habits = tags.tags[tags.tags["tag"] == "time_habit"].set_index("user_id")["value"]
    assert habits[0] == "weekend"
    assert tags.due is None
    assert "favourite_category" not in tags.users.columns


def test_money_in_another_currency_changes_no_tag(community):
    frame = community.frame
    money = ["amount", "cost", "list_amount", "discount"]
    scaled = frame.assign(**{name: (frame[name] * 100).round() for name in money})
    one, two = (cl.user_tags(log, as_of=AS_OF, history=2) for log in (community.log, log_of(scaled)))
    assert one.tags["value"].tolist() == two.tags["value"].tolist()
    np.testing.assert_allclose(one.tags["share"], two.tags["share"], rtol=2e-3)


def test_tags_pass_the_checks_of_a_pipeline():
    """Row order, other names for the same users, rows at or after as_of; on Polars, which keeps no order of groups."""

    def tagged(log, as_of):
        log = log_of(pl.from_pandas(log.to_native()))
        return cl.user_tags(log, as_of=as_of, window="28D", step="14D", history=2, min_orders=1, min_gaps=2).users

    check_pipeline(tagged)


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": "30D", "step": "28D"}, {"window": "x"}, {"history": 0}, {"history": 53}, {"history": True},
        {"min_orders": 0}, {"min_orders": 1.5}, {"min_gaps": 1}, {"coverage": 2},
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(cl.ConfigError):
        cl.user_tags(log_of(mover()), **{"as_of": AS_OF, **wrong})


def test_nobody_has_no_tags():
    frame = mover().head(3).assign(amount=-1.0)
    with pytest.raises(cl.InsufficientDataError):
        cl.user_tags(log_of(frame), as_of=AS_OF)


def test_tags_speak_chinese(engine, as_pandas):
    tags = cl.user_tags(log_of(engine(mover())), as_of=AS_OF, history=2)
    wide = as_pandas(tags.to_frame("zh")).set_index("user_id")
    assert wide.loc[30, "buying_style"] == "品质导向"
    assert wide.loc[30, "price_band"] == "高价"
    assert as_pandas(tags.to_frame()).set_index("user_id").loc[30, "buying_style"] == "quality_seeking"
    with pytest.raises(cl.ConfigError, match="lang"):
        tags.to_frame("fr")
