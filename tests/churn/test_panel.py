"""Snapshots: what they hold on each engine, what they refuse, and that they never look ahead."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import commlife as cl
from commlife.churn import CATALOGUE, Panel, SilencePanel
from commlife.churn.catalogue import feature_named
from commlife.errors import ConfigError, InsufficientDataError

PANEL = SilencePanel(horizon="7D", active_within="28D", min_history="28D", snapshots=2)


def small_frame(seed: int = 0, rows: int = 600) -> pd.DataFrame:
    """Whole cents, several lines an order, refunds, nulls where a host may have them."""
    rng = np.random.default_rng(seed)
    order = rng.integers(0, rows // 2, rows)
    user = (order * 7919) % 60
    minute = (order * 104_729) % (90 * 24 * 60)
    amount = np.round(rng.gamma(2.0, 10.0, rows), 2) * np.where(rng.random(rows) < 0.05, -1, 1)
    return pd.DataFrame(
        {
            "user_id": [f"u{k:02d}" for k in user],
            "order_id": order,
            "ordered_at": pd.Timestamp("2025-01-06") + pd.to_timedelta(minute, unit="min"),
            "amount": amount,
            "quantity": rng.integers(1, 4, rows),
            "item_id": [f"i{k}" for k in rng.integers(0, 30, rows)],
            "category": pd.array([f"c{k}" if k else None for k in rng.integers(0, 6, rows)], dtype="str"),
            "community": [f"E{k % 4}" for k in user],
            "channel": [f"h{k}" for k in rng.integers(0, 2, rows)],
            "coupon_id": pd.array([f"k{k}" if k == 1 else None for k in rng.integers(0, 6, rows)], dtype="str"),
            "address_id": [f"a{k}" for k in rng.integers(0, 9, rows)],
            "discount": np.round(rng.gamma(1.0, 1.0, rows) * (rng.random(rows) < 0.3), 2),
        }
    )


def log_of(native: object, frame: pd.DataFrame) -> cl.OrderLog:
    return cl.OrderLog.from_frame(native, **{str(name): str(name) for name in frame.columns})


@pytest.fixture(scope="module")
def expected() -> Panel:
    frame = small_frame()
    return PANEL.build(log_of(frame, frame), as_of="2025-04-06")


def test_every_engine_makes_the_same_snapshots(engine: Callable[[pd.DataFrame], object], expected: Panel) -> None:
    frame = small_frame()
    seen = PANEL.build(log_of(engine(frame), frame), as_of="2025-04-06")
    assert len(expected.features) == len(CATALOGUE)
    for one, other in zip(expected.snapshots, seen.snapshots, strict=True):
        assert (one.day, one.role) == (other.day, other.role)
        assert one.users.tolist() == other.users.tolist()
        assert one.community is not None
        assert other.community is not None
        assert one.community.tolist() == other.community.tolist()
        pd.testing.assert_frame_equal(one.features, other.features, check_exact=True)
        if one.silent is not None:
            np.testing.assert_array_equal(one.silent, other.silent)


def test_features_of_one_user_by_hand() -> None:
    """Orders on days 1, 5, 11, 89 and 95 of a log seen for 100 days; the snapshot is day 100."""
    first = pd.Timestamp("2025-01-01")
    frame = pd.DataFrame(
        {
            "user_id": ["a"] * 6 + ["b"],
            "order_id": [1, 2, 3, 4, 5, 5, 6],
            "ordered_at": [
                first + pd.Timedelta(days=day, hours=hour)
                for day, hour in [(1, 9), (5, 19), (11, 9), (89, 20), (95, 9), (96, 9), (0, 9)]
            ],
            "amount": [10.0, 20.0, 30.0, 40.0, 60.0, -10.0, 1.0],
            "discount": [0.0, 0.0, 10.0, 0.0, 0.0, 0.0, 0.0],
        }
    )
    panel = SilencePanel(active_within="28D")
    now = panel.now(log_of(frame, frame), as_of=(first + pd.Timedelta(days=100)).date())
    assert now.users.tolist() == ["a"]
    told = now.features.iloc[0].to_dict()
    assert told["recency_days"] == 5
    assert told["tenure_days"] == 99
    assert told["orders"] == 5
    assert (told["orders_7"], told["orders_28"], told["orders_90"]) == (1, 2, 3)
    assert told["spend"] == pytest.approx(150.0)
    assert told["spend_7"] == pytest.approx(50.0)
    assert told["order_value_max"] == pytest.approx(50.0)
    assert told["gap_mean"] == pytest.approx(94 / 4)
    assert told["gap_spread"] == pytest.approx(np.std([4, 6, 78, 6]))
    assert (told["gap_max"], told["gap_last"], told["first_gap"]) == (78, 6, 4)
    assert told["recency_ratio"] == pytest.approx(5 / 23.5)
    assert told["recency_excess"] == pytest.approx(5 - 23.5)
    assert told["last_order_value_ratio"] == pytest.approx(50 / 30)
    assert told["active_weeks_12"] == 2
    assert told["evening_share"] == pytest.approx(2 / 5)
    assert told["refund_share"] == pytest.approx(10 / 160)
    assert told["subsidised_share"] == pytest.approx(1 / 5)
    assert told["discount_depth"] == pytest.approx(10 / 170)
    assert told["first_order_value"] == pytest.approx(10.0)


def test_the_label_is_no_order_that_counts_within_the_horizon() -> None:
    """An order in the window counts, one at its end does not, a refund does not, one cancelled within it does not."""
    day = pd.Timestamp("2025-03-03")
    past = [
        (user, k, day - pd.Timedelta(days=d), 10.0)
        for k, (user, d) in enumerate([("in", 1), ("end", 2), ("refund", 3), ("void", 4)])
    ]
    future = [
        ("in", 10, day + pd.Timedelta(days=6, hours=23), 5.0),
        ("end", 11, day + pd.Timedelta(days=7), 5.0),
        ("refund", 12, day + pd.Timedelta(days=2), -5.0),
        ("void", 13, day + pd.Timedelta(days=2), 5.0),
        ("void", 13, day + pd.Timedelta(days=3), -5.0),
    ]
    frame = pd.DataFrame(
        [*past, *future, ("old", 99, day - pd.Timedelta(days=90), 1.0)],
        columns=["user_id", "order_id", "ordered_at", "amount"],
    )
    panel = SilencePanel(horizon="7D", active_within="28D", snapshots=("2025-02-24", "2025-03-03"), calibration="none")
    with pytest.raises(InsufficientDataError, match="nobody ordered"):
        panel.build(log_of(frame, frame), as_of="2025-04-20")
    spec = panel.model_copy(update={"active_within": type(panel.active_within)("99D")})
    test = spec.build(log_of(frame, frame), as_of="2025-03-20").of("test")[0]
    assert test.silent is not None
    assert dict(zip(test.users, test.silent, strict=True)) == {"in": 0, "end": 1, "refund": 1, "void": 1, "old": 1}


@settings(max_examples=5)
@given(st.integers(0, 2**31), st.integers(0, 20))
def test_nothing_at_or_after_a_snapshot_changes_its_features(seed: int, shift: int) -> None:
    """The inclusive cut-off day is a leak: an order on the day itself is the answer."""
    frame = small_frame(seed, rows=120)
    day = pd.Timestamp("2025-03-01") + pd.Timedelta(days=shift)
    rng = np.random.default_rng(seed)
    later = frame["ordered_at"] >= day
    changed = frame.assign(amount=frame["amount"].where(~later, 999.0))[~later | (rng.random(len(frame)) < 0.5)]
    one = PANEL.now(log_of(frame, frame), as_of=day.date())
    other = PANEL.now(log_of(changed, frame), as_of=day.date())
    assert one.users.tolist() == other.users.tolist()
    pd.testing.assert_frame_equal(one.features, other.features, check_exact=True)


def test_windows_that_are_not_whole_are_null() -> None:
    frame = small_frame()
    early = PANEL.now(log_of(frame, frame), as_of="2025-02-10")
    assert early.features["orders_90"].isna().all()
    assert early.features["orders_28"].notna().all()


def test_an_immature_snapshot_is_refused() -> None:
    frame = small_frame()
    log = log_of(frame, frame)
    late = PANEL.model_copy(update={"snapshots": ("2025-02-20", "2025-03-10", "2025-03-31")})
    with pytest.raises(ConfigError, match="2025-03-31 is immature: its label window ends on 2025-04-07"):
        late.build(log, as_of="2025-04-06")
    seen_until = cl.OrderLog.from_frame(
        frame[frame["ordered_at"] < "2025-04-01"], **{n: n for n in frame.columns}, observed_until="2025-04-01"
    )
    with pytest.raises(ConfigError, match="what is known ends on 2025-04-01"):
        late.build(seen_until, as_of="2025-04-20")


@pytest.mark.parametrize(
    ("days", "role"),
    [
        (("2025-02-20", "2025-03-10", "2025-03-16"), "calibration"),
        (("2025-02-20", "2025-02-26", "2025-03-16"), "fit"),
        (("2025-02-20", "2025-03-15", "2025-03-10"), None),
        (("2025-02-20", "2025-03-10", "2025-03-10"), None),
        (("2025-02-20", "2025-03-10"), None),
    ],
)
def test_snapshots_without_an_embargo_are_refused(days: tuple[str, ...], role: str | None) -> None:
    """No embargo between what is learned and what it is judged on measures .06 to .15 of AUC that is not there."""
    frame = small_frame()
    spec = PANEL.model_copy(update={"snapshots": days})
    expected = f"label window of the {role} snapshot" if role else "different days in time order"
    with pytest.raises(ConfigError, match=expected):
        spec.build(log_of(frame, frame), as_of="2025-04-06")


def test_a_panel_of_levers_and_context_has_no_states() -> None:
    frame = small_frame()
    panel = PANEL.model_copy(update={"kinds": ("lever", "context")}).build(log_of(frame, frame), as_of="2025-04-06")
    assert {feature.kind for feature in panel.features} == {"lever", "context"}
    assert "Snapshot(2025-04-06, now" in repr(panel)
    assert panel.to_frame()["silent"].isin([0, 1]).all()


def test_a_feature_needs_its_column() -> None:
    frame = small_frame()[["user_id", "order_id", "ordered_at", "amount"]]
    spec = PANEL.model_copy(update={"features": ("category_entropy",)})
    with pytest.raises(ConfigError, match="category_entropy needs the column category"):
        spec.build(log_of(frame, frame), as_of="2025-04-06")
    with pytest.raises(ConfigError, match="no feature is left"):
        PANEL.model_copy(update={"features": ("orders",), "kinds": ("lever",)}).build(
            log_of(frame, frame), as_of="2025-04-06"
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {"gap": "1W"},
        {"snapshots": True},
        {"snapshots": ("soon",)},
        {"features": ()},
        {"features": ("recency",)},
        {"kinds": ("magic",)},
    ],
)
def test_a_wrong_panel_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        SilencePanel(**wrong)


def test_calibration_of_the_same_season_lies_52_weeks_back() -> None:
    day = pd.Timestamp("2024-01-01")
    frame = pd.DataFrame(
        {
            "user_id": np.tile(np.arange(10), 140),
            "ordered_at": np.repeat([day + pd.Timedelta(days=5 * k) for k in range(140)], 10),
            "amount": 5.0,
        }
    )
    panel = SilencePanel(calibration="season", snapshots=40, features=("orders", "recency_days")).build(
        log_of(frame, frame), as_of="2025-11-24"
    )
    (test,), (calibration,) = panel.of("test"), panel.of("calibration")
    assert pd.Timestamp(test.day) - pd.Timestamp(calibration.day) == pd.Timedelta(days=364)
    fits = pd.to_datetime([snapshot.day for snapshot in panel.of("fit")])
    assert (np.abs((fits - pd.Timestamp(calibration.day)).days) >= 28).all()
    assert (fits < pd.Timestamp(calibration.day)).any()
    assert (fits > pd.Timestamp(calibration.day)).any()


def test_catalogue_names_units_and_labels_in_two_languages() -> None:
    assert len({feature.name for feature in CATALOGUE}) == len(CATALOGUE) >= 40
    assert {feature.kind for feature in CATALOGUE} == {"state", "lever", "context"}
    assert all(feature.unit and feature.en and feature.zh for feature in CATALOGUE)
    assert feature_named("recency_days").label("zh") == "距上次下单天数"
    assert feature_named("visits", host=("visits",)).unit == "as given"
    with pytest.raises(ConfigError, match="Did you mean 'recency_days'"):
        feature_named("recency_day")
