"""The drift check fires under drift, and stays silent under none at its own rate."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from commlife.errors import ConfigError, DriftWarning, InsufficientDataError
from commlife.orders import OrderLog
from commlife.value import BetaGeo, ParetoNBD, drift_check


def weeks(
    seed: int, *, users: int = 2500, days: float = 14, faster: float = 1.0, community: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Summaries of a BG/NBD world at day 300 and some days later; from day 300 on all buy ``faster``."""
    rng = np.random.default_rng(seed)
    rate, leave = rng.gamma(0.6, 1 / 5.0, users) / 7, rng.beta(0.8, 2.4, users)
    first = rng.uniform(0, 300 + days, users)
    until = 300 + days
    now, here = first.copy(), np.ones(users, dtype=bool)
    x, last = np.zeros((2, users)), np.stack([first, first])
    while here.any():
        # Time runs faster from day 300 on: the exponential waiting time is spent at two speeds.
        wait = rng.exponential(1.0, users) / np.maximum(rate, 1e-12)
        slow = np.maximum(300 - now, 0)
        now = np.where(wait <= slow, now + wait, np.maximum(now, 300) + (wait - slow) / faster)
        here &= now <= until
        for moment, end in enumerate((300.0, until)):
            seen = here & (now <= end)
            x[moment] += seen
            last[moment] = np.where(seen, now, last[moment])
        here &= rng.random(users) >= leave
    frames = []
    for moment, end in enumerate((300.0, until)):
        frame = pd.DataFrame(
            {"user_id": np.arange(users), "x": x[moment], "t_x": last[moment] - first, "T": end - first}
        )
        if community:
            frame["community"] = np.where(np.arange(users) % 3 == 0, "a", "b")
        frames.append(frame[first < end].reset_index(drop=True))
    return frames[0], frames[1]


def test_without_drift_it_alarms_at_its_own_rate() -> None:
    """200 worlds at level 0.1: 8 to 34 alarms have probability .998 at that rate."""
    alarms, z = 0, []
    for seed in range(200):
        before, after = weeks(seed, users=1200)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DriftWarning)
            check = drift_check(BetaGeo().fit(before), after, earlier=before, level=0.1, tolerance=0)
        alarms += check.drifted
        z += check.table["z"].tolist()
    assert 8 <= alarms <= 34
    assert np.std(z) == pytest.approx(1, abs=0.1)
    assert abs(np.mean(z)) < 0.15


@pytest.mark.parametrize("model", [BetaGeo, ParetoNBD], ids=lambda model: model.__name__)
@pytest.mark.parametrize("faster", [0.6, 1.5])
def test_under_drift_it_alarms(model: Any, faster: float) -> None:
    before, after = weeks(3, users=4000, days=28, faster=faster)
    with pytest.warns(DriftWarning, match="Fit again") as told:
        check = drift_check(model().fit(before), after, earlier=before)
    assert check.drifted
    assert check.p_value < 1e-4
    # The group that is named is the one that lies farthest from what was expected, in its own errors.
    farthest = check.table.loc[check.table["z"].abs().idxmax(), "group"]
    assert f"of the group {farthest!r} bought" in str(told[0].message)
    ratio = check.table["actual"].sum() / check.table["expected"].sum()
    assert (ratio < 0.85) if faster < 1 else (ratio > 1.15)
    assert "fit again" in repr(check)


@pytest.mark.parametrize("seed", [1, 2])
def test_without_drift_that_matters_it_is_silent(seed: int) -> None:
    before, after = weeks(seed, users=4000, days=28)
    check = drift_check(BetaGeo().fit(before), after, earlier=before)
    assert not check.drifted
    assert "the parameters hold" in repr(check)
    assert check.to_frame()["group"].tolist() == ["x = 0", "x = 1", "x = 2 to 3", "x = 4 and more", "first seen since"]


def test_a_small_deviation_is_significant_and_does_not_matter() -> None:
    before, after = weeks(5, users=60_000, days=28, faster=1.06)
    fitted = BetaGeo().fit(before)
    with pytest.warns(DriftWarning):
        assert drift_check(fitted, after, earlier=before, tolerance=0).drifted
    assert not drift_check(fitted, after, earlier=before, tolerance=0.25).drifted


def test_models_by_community_are_checked_too() -> None:
    before, after = weeks(4, users=3000, days=28, community=True)
    check = drift_check(BetaGeo(by="community").fit(before), after, earlier=before)
    assert not check.drifted
    assert check.table["users"].sum() == len(after)


def test_a_log_knows_what_was_known_then(cdnow_days: pd.DataFrame) -> None:
    log = OrderLog.from_frame(cdnow_days, user_id="user_id", ordered_at="day", amount="spend")
    fitted = BetaGeo().fit(log, as_of="1997-10-01")
    check = drift_check(fitted, log, as_of="1997-10-29", tolerance=0.5)
    assert check.days == 28
    assert check.table["actual"].sum() == 214
    with pytest.raises(ConfigError, match="after that of the fit"):
        drift_check(fitted, log, as_of="1997-10-01")
    with pytest.raises(ConfigError, match="its day is not known"):
        drift_check(
            fitted.model_copy(update={"fitted_on": fitted.fitted_on.model_copy(update={"as_of": None})}),
            log,
            as_of="1997-10-29",
        )
    with pytest.raises(ConfigError, match="leave out earlier"):
        drift_check(fitted, log, as_of="1997-10-29", earlier=cdnow_days)


def test_what_does_not_agree_is_told() -> None:
    before, after = weeks(1, users=900)
    fitted = BetaGeo().fit(before)
    with pytest.raises(ConfigError, match="earlier=summary"):
        drift_check(fitted, after)
    with pytest.raises(ConfigError, match="missing in the later"):
        drift_check(fitted, after.iloc[5:], earlier=before)
    with pytest.raises(ConfigError, match="at least 1"):
        drift_check(fitted, before, earlier=before)
    with pytest.raises(ConfigError, match="occurs twice"):
        drift_check(fitted, pd.concat([after, after.head(1)]), earlier=before)
    with pytest.raises(ConfigError, match="takes a fitted"):
        drift_check(BetaGeo(), after, earlier=before)
    for change in ({"level": 0}, {"tolerance": 1}, {"tolerance": True}):
        with pytest.raises(ConfigError):
            drift_check(fitted, after, earlier=before, **change)
    few = before.head(30)
    with pytest.raises(InsufficientDataError, match="too few to tell"):
        drift_check(fitted, after[after["user_id"].isin(few["user_id"])], earlier=few)
    lost = fitted.model_copy(update={"log_covariance": ((float("nan"),) * 4,) * 4})
    with pytest.raises(InsufficientDataError, match="how far they reach"):
        drift_check(lost, after, earlier=before)


def test_the_figure_shows_each_group() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    before, after = weeks(1, users=4000, days=28)
    check = drift_check(BetaGeo().fit(before), after, earlier=before)
    axes = check.plot()
    assert axes.get_title(loc="left") == "No drift that matters"
    assert check.plot(axes) is axes
    plt.close("all")
