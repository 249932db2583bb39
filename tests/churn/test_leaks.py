"""Four leaks that make a model of silence look better than it is: each is measured, and each is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from commlife.churn import Feature, HostFeatures, Panel, SilenceModel, SilencePanel
from commlife.churn import learning as learning_module
from commlife.churn.forest import grow
from commlife.churn.panel import Snapshot
from commlife.churn.scores import roc_auc
from commlife.datasets import Community
from commlife.errors import ConfigError

DEEP = {"rounds": 150, "depth": 5, "rate": 0.1, "seed": 0, "n_jobs": 1}


@pytest.fixture(scope="module")
def panel(world: Community) -> Panel:
    return SilencePanel(snapshots=6, step="7D").build(world.log, as_of=world.as_of)


def stacked(panel: Panel) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    known = [snapshot for snapshot in panel.snapshots if snapshot.silent is not None]
    table = pd.concat([snapshot.features for snapshot in known], ignore_index=True)
    silent = np.concatenate([snapshot.silent for snapshot in known])
    return table, silent, pd.concat([snapshot.users for snapshot in known], ignore_index=True).to_numpy()


def test_random_rows_across_snapshots_look_better_than_they_are(panel: Panel) -> None:
    """The same users before and after: dealt by row, a deep forest knows half of the answers (measured: .06 of AUC)."""
    table, silent, user = stacked(panel)
    gains = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        by_row = rng.random(len(silent)) < 0.7
        users = np.unique(user)
        by_user = np.isin(user, users[rng.random(len(users)) < 0.7])
        told = [
            roc_auc(silent[~mine], grow(table[mine], silent[mine], **DEEP).margin(table[~mine]))
            for mine in (by_row, by_user)
        ]
        gains.append(told[0] - told[1])
    assert np.mean(gains) > 0.02


def test_a_panel_dealt_by_row_is_refused(panel: Panel) -> None:
    """The same days in fit and test: whoever deals rows to roles at random is stopped before anything is learned."""
    rng = np.random.default_rng(0)

    def part(snapshot: Snapshot, mine: np.ndarray, role: str) -> Snapshot:
        return replace(
            snapshot, role=role, users=snapshot.users[mine].reset_index(drop=True),
            features=snapshot.features[mine].reset_index(drop=True), silent=snapshot.silent[mine], community=None,
        )  # fmt: skip

    dealt = []
    for snapshot in panel.snapshots:
        if snapshot.silent is None:
            dealt.append(snapshot)
            continue
        mine = rng.random(len(snapshot)) < 0.7
        dealt += [part(snapshot, mine, "fit"), part(snapshot, ~mine, "test")]
    model = SilenceModel(**{name: getattr(panel.spec, name) for name in SilencePanel.model_fields}, refits=0)
    with pytest.raises(ConfigError, match="Rows dealt to roles at random leak"):
        model.fit_panel(replace(panel, snapshots=tuple(dealt)))
    (test,), (calibration,) = panel.of("test"), panel.of("calibration")
    swapped = tuple(
        replace(s, role="test") if s is calibration else replace(s, role="calibration") if s is test else s
        for s in panel.snapshots
    )
    with pytest.raises(ConfigError, match="label window of the calibration snapshot"):
        model.fit_panel(replace(panel, snapshots=swapped))
    twice = replace(test, users=test.users.where(test.users.index > 0, test.users.iloc[-1]))
    with pytest.raises(ConfigError, match="stands twice"):
        model.fit_panel(replace(panel, snapshots=tuple(twice if s is test else s for s in panel.snapshots)))


def test_refits_keep_users_whole(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    """In no half does a user stand with some snapshots and lack others."""
    rows = learning_module.stack((*panel.of("fit"), *panel.of("calibration")), [f.name for f in panel.features])
    seen = []

    def spy(part: learning_module.Rows, spec: SilenceModel, **how: float) -> None:
        del spec, how
        seen.append(part.owner)

    monkeypatch.setattr(learning_module, "learn", spy)
    learning_module.refits(rows, SilenceModel(refits=5))
    everybody = pd.Series(rows.owner).value_counts()
    assert len(seen) == 5
    for owner in seen:
        mine = pd.Series(owner).value_counts()
        assert (mine == everybody.loc[mine.index]).all()
        assert len(mine) == rows.users // 2


def test_no_embargo_is_refused(world: Community) -> None:
    """The label window of what is learned reaches into the test's past: .06 to .15 of AUC that is not there."""
    spec = SilencePanel(snapshots=("2025-05-19", "2025-06-02"), calibration="none")
    with pytest.raises(ConfigError, match="label window of the fit snapshot 2025-05-19 ends on 2025-06-16"):
        spec.build(world.log, as_of=world.as_of)


def orders_before(frame: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    counted = frame[frame["ordered_at"] < day].groupby("user_id")["order_id"].nunique()
    return counted.rename("orders_seen").reset_index()


SEEN = (Feature("orders_seen", "orders", "state", "orders seen", "订单数"),)


def test_the_cut_off_day_itself_is_refused(world: Community) -> None:
    """Counting the snapshot's own day tells who came back on it."""

    def inclusive(log: object, day: str) -> pd.DataFrame:
        return orders_before(log.to_native(), pd.Timestamp(day) + pd.Timedelta(days=1))

    with pytest.raises(ConfigError, match="'orders_seen' carries later information"):
        SilencePanel(snapshots=1).build(world.log, as_of=world.as_of, host=HostFeatures(inclusive, SEEN))


def test_one_aggregate_over_the_whole_log_is_refused_and_would_have_looked_splendid(world: Community) -> None:
    """Days from each snapshot to the user's very last order measure .91 to .98 of AUC, alone."""
    last = world.frame.groupby("user_id")["ordered_at"].max()

    def recency_ever(log: object, day: str) -> pd.DataFrame:
        del log
        away = (pd.Timestamp(day) - last).dt.total_seconds() / 86_400
        return away.rename("orders_seen").reset_index()

    honest = SilencePanel(snapshots=1).build(world.log, as_of=world.as_of)
    (test,) = honest.of("test")
    leaked = recency_ever(None, test.day).set_index("user_id")["orders_seen"].reindex(test.users).to_numpy()
    assert roc_auc(test.silent, leaked) > 0.9
    with pytest.raises(ConfigError, match=r"'orders_seen' alone has an AUC of (0\.9|1\.0).*seen the answer"):
        SilencePanel(snapshots=1).build(world.log, as_of=world.as_of, host=HostFeatures(recency_ever, SEEN))
