"""The host's own features: joined as of each snapshot, refused where they look ahead."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pytest

import commlife as cl
from commlife.churn import Feature, HostFeatures, SilenceModel, SilencePanel
from commlife.datasets import Community
from commlife.errors import ConfigError, EngineError

SPEND = (Feature("host_spend", "money", "state", "spend", "消费"),)
PANEL = SilencePanel(snapshots=1)


def lines_of(log: cl.OrderLog) -> pd.DataFrame:
    return nw.from_native(log.to_native()).to_native()


def spend_before(log: cl.OrderLog, day: str) -> pd.DataFrame:
    lines = lines_of(log)
    before = lines[lines["ordered_at"] < pd.Timestamp(day)]
    return before.groupby("user_id", as_index=False)["amount"].sum().rename(columns={"amount": "host_spend"})


def spend_up_to_the_day_itself(log: cl.OrderLog, day: str) -> pd.DataFrame:
    return spend_before(log, str((pd.Timestamp(day) + pd.Timedelta(days=1)).date()))


def spend_ever(log: cl.OrderLog, day: str) -> pd.DataFrame:
    del day
    return spend_before(log, "2100-01-01")


def test_an_honest_feature_joins_as_of_each_snapshot(world: Community) -> None:
    panel = PANEL.build(world.log, as_of=world.as_of, host=HostFeatures(spend_before, SPEND))
    for snapshot in panel.snapshots:
        told = spend_before(world.log, snapshot.day).set_index("user_id")["host_spend"]
        np.testing.assert_allclose(snapshot.features["host_spend"], told.reindex(snapshot.users))
        np.testing.assert_allclose(snapshot.features["host_spend"], snapshot.features["spend"], atol=1e-9)


@pytest.mark.parametrize("leak", [spend_up_to_the_day_itself, spend_ever])
def test_a_feature_that_looks_ahead_is_refused(world: Community, leak: object) -> None:
    """One aggregate over the full log measures an AUC of .91 to .98; an inclusive cut-off day up to .01."""
    with pytest.raises(ConfigError, match="'host_spend' carries later information"):
        PANEL.build(world.log, as_of=world.as_of, host=HostFeatures(leak, SPEND))


def test_a_feature_that_has_seen_the_answer_is_refused(world: Community) -> None:
    """A status that a host fills in when a user leaves does not change with the log: its AUC gives it away."""
    orders = world.frame.groupby("user_id")["ordered_at"].max().reset_index()

    def status(log: cl.OrderLog, day: str) -> pd.DataFrame:
        del log
        gone = orders["ordered_at"] < pd.Timestamp(day) + pd.Timedelta(days=1)
        return pd.DataFrame({"user_id": orders["user_id"], "left": gone.astype(float)})

    answer = HostFeatures(status, (Feature("left", "yes or no", "state", "left", "已流失"),))
    panel = SilencePanel(snapshots=1, horizon="42D", calibration="none", min_history="56D")
    with pytest.raises(ConfigError, match=r"'left' alone has an AUC of (0\.9|1\.0).*seen the answer"):
        panel.build(world.log, as_of=world.as_of, host=answer)


def test_history_takes_the_newest_row_known_before_the_day(world: Community) -> None:
    users = np.unique(world.frame["user_id"])
    days = pd.to_datetime(["2025-03-01", "2025-05-05", "2025-06-02", "2025-06-20"])
    frame = pd.DataFrame(
        {
            "user_id": np.repeat(users, len(days)),
            "known": np.tile(days, len(users)),
            "visits": np.tile([1.0, 2.0, 3.0, 4.0], len(users)),
        }
    ).sample(frac=1, random_state=2)
    host = HostFeatures.from_history(frame, known_at="known")
    panel = PANEL.build(world.log, as_of="2025-06-30", host=host)
    seen = {snapshot.day: set(snapshot.features["visits"]) for snapshot in panel.snapshots}
    assert seen == {"2025-04-07": {1.0}, "2025-05-05": {1.0}, "2025-06-02": {2.0}, "2025-06-30": {4.0}}


def test_a_model_with_host_features_asks_for_them(world: Community) -> None:
    rng = np.random.default_rng(1)
    users = np.unique(world.frame["user_id"])
    frame = pd.DataFrame({"user_id": users, "known": pd.Timestamp("2025-01-01"), "luck": rng.normal(size=len(users))})
    host = HostFeatures.from_history(
        frame, known_at="known", labels={"luck": Feature("luck", "points", "context", "luck", "运气")}
    )
    spec = SilenceModel(n_trees=10, refits=0, resamples=5, snapshots=1, features=("recency_days", "orders"))
    model = spec.fit(world.log, as_of=world.as_of, host=host)
    assert [feature.name for feature in model.features] == ["recency_days", "orders", "luck"]
    assert len(model.predict(world.log, as_of=world.as_of, host=host))
    with pytest.raises(ConfigError, match=r"host's features \['luck'\]"):
        model.predict(world.log, as_of=world.as_of)
    assert set(model.drivers(lang="zh")["label"]) >= {"运气"}


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda log, day: 3, EngineError, "returns a frame"),
        (lambda log, day: pd.DataFrame({"user_id": [1], "spend": [1.0]}), ConfigError, "Did you mean|unknown"),
        (lambda log, day: pd.DataFrame({"user_id": [1, 1], "host_spend": [1.0, 2.0]}), ConfigError, "twice"),
        (lambda log, day: pd.DataFrame({"user_id": [1], "host_spend": ["x"]}), ConfigError, "features are numbers"),
        (lambda log, day: pd.DataFrame({"user_id": [1], "host_spend": [np.inf]}), ConfigError, "infinite"),
    ],
)
def test_wrong_frames_are_refused(world: Community, make: object, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        PANEL.build(world.log, as_of=world.as_of, host=HostFeatures(make, SPEND))


def test_wrong_features_are_refused() -> None:
    with pytest.raises(ConfigError, match="from_history"):
        HostFeatures(pd.DataFrame(), SPEND)
    with pytest.raises(ConfigError, match="taken"):
        HostFeatures(spend_ever, (Feature("recency_days", "days", "state", "a", "b"),))
    with pytest.raises(ConfigError, match="one or more"):
        HostFeatures(spend_ever, ())
    with pytest.raises(ConfigError, match="no name of a feature"):
        HostFeatures(spend_ever, (Feature("a[0]", "days", "state", "a", "b"),))


def test_a_wrong_history_is_refused() -> None:
    frame = pd.DataFrame({"user_id": [1, 1], "at": ["2025-01-01", "2025-01-01"], "visits": [1, 2]})
    with pytest.raises(ConfigError, match="takes a frame"):
        HostFeatures.from_history(3, known_at="at")
    with pytest.raises(ConfigError, match="unknown"):
        HostFeatures.from_history(frame, known_at="when")
    with pytest.raises(ConfigError, match="keep one"):
        HostFeatures.from_history(frame, known_at="at")
    with pytest.raises(ConfigError, match="are no time"):
        HostFeatures.from_history(frame.assign(at=["soon", "later"]), known_at="at")
