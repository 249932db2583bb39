"""A log with as_of does as well as its summary."""

from __future__ import annotations

import pandas as pd
import pytest

from commlife.errors import ConfigError
from commlife.features import purchase_summary
from commlife.orders import OrderLog
from commlife.value import BetaGeo, GammaGamma, lifetime_value


@pytest.fixture(scope="module")
def log(cdnow_days: pd.DataFrame) -> OrderLog:
    return OrderLog.from_frame(cdnow_days, user_id="user_id", ordered_at="day", amount="spend")


def test_the_log_gives_the_papers_numbers(log: OrderLog, cdnow: pd.DataFrame) -> None:
    bg, gg = BetaGeo().fit(log, as_of="1997-10-01"), GammaGamma().fit(log, as_of="1997-10-01")
    assert bg.params == pytest.approx(BetaGeo().fit(cdnow).params, rel=1e-12)
    assert bg.fitted_on.as_of == "1997-10-01"
    assert bg.fitted_on.users == 2357
    assert gg.params == pytest.approx({"p": 6.2496, "q": 3.7442, "v": 15.4435}, rel=2e-4)
    summary = purchase_summary(log, as_of="1997-10-01")
    one = lifetime_value(bg, gg, log, horizon="365D", as_of="1997-10-01")
    pd.testing.assert_frame_equal(one, lifetime_value(bg, gg, summary, horizon="365D"))


def test_next_weeks_log_is_scored_with_last_weeks_parameters(log: OrderLog) -> None:
    bg = BetaGeo().fit(log, as_of="1997-10-01")
    later = bg.p_silent(log, horizon="28D", as_of="1997-10-08")
    assert len(later) == 2357
    assert later["p_silent"].between(0, 1).all()


def test_a_log_takes_as_of(log: OrderLog) -> None:
    with pytest.raises(ConfigError, match="takes as_of with a log"):
        BetaGeo().fit(log)
