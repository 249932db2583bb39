"""Roll-out: stages nest, harm stops, peeking does not fool, and every decision says why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commlife.effects import Guardrail, Rollout
from commlife.errors import ConfigError

PLAN = Rollout(
    salt="spring",
    stages=(0.1, 0.3, 0.6),
    control=0.3,
    guardrails=(
        Guardrail(outcome="margin", tolerance=0.3),
        Guardrail(outcome="refunds", worse="higher", tolerance=0.1),
    ),
    min_users=200,
)


def users(n: int, *, margin: float = 0.0, refunds: float = 0.0, stage: int = 1, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ids = np.arange(n) + 100_000 * seed
    changed = PLAN.arms(ids, stage=stage) == "changed"
    return pd.DataFrame(
        {
            "user_id": ids,
            "margin": rng.normal(2, 1, n) + margin * changed,
            "refunds": rng.random(n) < 0.05 + refunds * changed,
        }
    ).astype({"refunds": float})


@given(st.text(min_size=1, max_size=8), st.integers(0, 1))
def test_stages_nest_and_the_control_group_stays(salt: str, stage: int) -> None:
    plan = PLAN.model_copy(update={"salt": salt})
    ids = np.arange(500)
    early, late = plan.arms(ids, stage=stage), plan.arms(ids, stage=stage + 1)
    assert (late[early == "changed"] == "changed").all()
    assert ((early == "control") == (late == "control")).all()


def test_shares_are_as_meant() -> None:
    arms = pd.Series(PLAN.arms(np.arange(50_000), stage=1)).value_counts(normalize=True)
    assert arms["changed"] == pytest.approx(0.3, abs=0.01)
    assert arms["control"] == pytest.approx(0.3, abs=0.01)


def test_it_goes_on_where_nothing_is_harmed_and_stops_where_something_is() -> None:
    good = PLAN.decide(users(8_000, margin=0.1), stage=1, planned=5_000)
    assert (good.decision, good.guardrails["verdict"].tolist()) == ("go", ["safe", "safe"])
    bad = PLAN.decide(users(8_000, margin=-0.6), stage=1, planned=5_000)
    assert bad.decision == "stop"
    assert "margin got worse" in bad.reason
    worse = PLAN.decide(users(8_000, refunds=0.3), stage=1, planned=5_000)
    assert "refunds got worse" in worse.reason
    assert "stop at 30%" in repr(worse)
    assert "last stage" in PLAN.decide(users(8_000, stage=2), stage=2, planned=5_000).reason


def test_it_holds_while_it_does_not_know() -> None:
    assert "may still be worse" in PLAN.decide(users(800), stage=1, planned=5_000).reason
    assert "are asked for" in PLAN.decide(users(300), stage=1, planned=5_000).reason
    nothing = PLAN.decide(users(1), stage=0, planned=5_000)
    assert nothing.decision == "hold"
    assert nothing.guardrails["verdict"].tolist() == ["unclear", "unclear"]


def test_lost_users_stop_the_reading() -> None:
    frame = users(8_000)
    changed = PLAN.arms(frame["user_id"].to_numpy(), stage=1) == "changed"
    lost = frame[~changed | (np.arange(8_000) % 3 > 0)]
    assert "not dealt as meant" in PLAN.decide(lost, stage=1, planned=5_000).reason


def test_peeking_every_day_stops_a_harmless_change_seldom_and_a_harmful_one_soon() -> None:
    """25 roll-outs looked at six times each: at most one are stopped without harm beyond the tolerance."""
    stopped = {0.0: 0, -0.9: 0}
    for effect in stopped:
        for seed in range(25):
            frame = users(2_400, margin=effect, seed=seed + 1)
            looks = [PLAN.decide(frame.head(rows), stage=1, planned=1_500) for rows in range(400, 2_401, 400)]
            stopped[effect] += any(look.decision == "stop" and "got worse" in look.reason for look in looks)
    assert stopped[0.0] <= 1
    assert stopped[-0.9] >= 24


def test_rows_and_json_do_not_matter() -> None:
    frame = users(3_000)
    first = PLAN.decide(frame, stage=1, planned=2_000)
    second = Rollout.from_json(PLAN.to_json()).decide(frame.sample(frac=1, random_state=1), stage=1, planned=2_000)
    assert second.guardrails["lower"].to_numpy() == pytest.approx(first.guardrails["lower"].to_numpy(), rel=1e-9)
    assert second.decision == first.decision
    assert first.to_frame() is first.guardrails


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stages": (0.3, 0.2)}, "stages rise"),
        ({"stages": (0.3, 0.9)}, "exceed all users"),
        ({"guardrails": ()}, "guardrails"),
        ({"guardrails": (Guardrail(outcome="a"), Guardrail(outcome="a"))}, "one guardrail an outcome"),
        ({"guardrails": ({"outcome": "a", "worse": "up"},)}, "worse"),
    ],
)
def test_bad_plans_are_told(change, message) -> None:
    fields = {"salt": "s", "stages": (0.1, 0.3), "control": 0.3, "guardrails": (Guardrail(outcome="margin"),)}
    with pytest.raises(ConfigError, match=message):
        Rollout(**(fields | change))


def test_bad_calls_are_told() -> None:
    with pytest.raises(ConfigError, match="index from 0 to 2"):
        PLAN.arms([1], stage=3)
    with pytest.raises(ConfigError, match="column 'margin'"):
        PLAN.decide(pd.DataFrame({"user_id": [1], "refunds": [0.0]}), stage=0, planned=10)
