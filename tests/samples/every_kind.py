"""One small object of every public kind that can be kept in a file, and an answer that shows that it works.

``kinds()`` finds the classes by looking for ``from_json`` and ``load`` in the public names of each room, so that a new
class without a sample fails the tests that go over all of them.
"""

from __future__ import annotations

import importlib
import inspect
import json
import warnings
from collections.abc import Callable
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

import commlife as cl
from commlife._engine import collect
from commlife._model import Spec
from commlife.cohorts import Aggregation
from commlife.coupons import Issuance, Redemption, Reminder
from commlife.datasets.world import World

AS_OF = "2025-06-02"
ROOMS = (
    "orders", "features", "datasets", "metrics", "segments", "cohorts", "basket", "value", "effects", "state", "churn",
    "coupons", "report",
)  # fmt: skip
#: Bases of several kinds: nothing is ever written under their own names.
BASES = {"FittedPurchaseModel"}
_COLUMNS = (
    "user_id", "order_id", "ordered_at", "amount", "quantity", "item_id", "category", "community", "channel", "coupon_id",
)  # fmt: skip


def public_classes() -> dict[str, type]:
    """Every public class of every room."""
    found: dict[str, type] = {}
    for room in ROOMS:
        module = importlib.import_module(f"commlife.{room}")
        found |= {name: getattr(module, name) for name in module.__all__ if inspect.isclass(getattr(module, name))}
    return found


def kinds() -> dict[str, type]:
    """The public classes whose objects can be read back from a text or a folder."""
    return {
        name: cls
        for name, cls in sorted(public_classes().items())
        if (hasattr(cls, "from_json") or hasattr(cls, "load")) and name not in BASES
    }


def orders() -> pd.DataFrame:
    """The orders of a small synthetic community, with whole cents and text alone: as a file would hold them."""
    made = cl.datasets.make_community(n_users=90, n_weeks=22, n_communities=2, seed=1).frame
    frame = made[[name for name in _COLUMNS if name in made.columns]].copy()
    frame["ordered_at"] = pd.to_datetime(frame["ordered_at"]).dt.strftime("%Y-%m-%d %H:%M:%S")
    return frame


def log_of(frame: pd.DataFrame) -> cl.OrderLog:
    names: dict[str, Any] = {str(name): str(name) for name in frame.columns}
    return cl.OrderLog.from_frame(frame, **names)


def history() -> pd.DataFrame:
    """Spend and newcomers of two communities over thirty weeks, made by arithmetic alone."""
    week = np.arange(60)
    spend, off = 100.0 + week * 37 % 800, 50.0 + week * 53 % 450
    new = (60 * (1 + spend / 500) ** 0.6).round().astype(int) + week % 5
    return pd.DataFrame(
        {
            "cohort": np.tile(np.arange(30), 2),
            "community": np.repeat(["east", "west"], 30),
            "app": spend,
            "vegetables": off,
            "new_payers": new,
            "retained": (new * (0.3 + 0.0003 * off)).round().astype(int),
        }
    )


def trial() -> pd.DataFrame:
    """A coupon trial made by arithmetic alone: the coupon works in the north."""
    i = np.arange(900)
    frame = pd.DataFrame(
        {
            "user_id": i,
            "face": np.array([3.0, 5.0, 8.0])[i * 7 % 3],
            "frequency": i * 11 % 6,
            "estate": np.where(i * 13 % 7 < 3, "north", "south"),
            "arm": np.where(i * 17 % 5 < 2, "coupon", "none"),
        }
    )
    frame["redeemed"] = (frame["estate"] == "north") & (i * 29 % 23 < frame["face"] * 2)
    frame["spend"] = frame["frequency"] + 3.0 * ((frame["arm"] == "coupon") & (frame["estate"] == "north")) + i % 4
    return frame


SECOND = cl.Coupon.from_threshold("second", "30:5", valid_days=7)
VEG = cl.Coupon(coupon_id="veg", percent=20, max_discount=8, categories=("vegetables",))
LADDER = cl.ThresholdLadder(tiers=("30:5", "60:12"))
_WIN_BACK = cl.WinBack(coupon=cl.Coupon.from_threshold("back", "60:12"))


def _fitted(model: Any) -> Callable[[cl.OrderLog], Any]:
    return lambda log: model.fit(log, as_of=AS_OF)


def _silence(log: cl.OrderLog) -> Any:
    model = cl.SilenceModel(
        horizon="14D", active_within="28D", n_trees=8, max_depth=2, refits=2, resamples=20, snapshots=2, seed=0
    )
    return model.fit(log, as_of=AS_OF)


def _state(log: cl.OrderLog) -> cl.LogState:
    week = cl.CohortQuestion(as_of=AS_OF, period="week", by=("community",))
    return cl.LogState.start(log, as_of=AS_OF, follow=[cl.Lifecycle(period="week"), week])


#: How one object of each kind is made from a log.
MADE: dict[str, Callable[[cl.OrderLog], Any]] = {
    "Aggregation": lambda _: Aggregation(name="units", column="quantity"),
    "BehaviourTypes": lambda _: cl.BehaviourTypes(n_types=3),
    "BetaGeo": lambda _: cl.BetaGeo(by="community"),
    "Campaign": lambda _: cl.Campaign(campaign_id="spring", coupons=(SECOND, VEG), valid_from="2025-03-01", budget=900.0),
    "CleaningRules": lambda _: cl.CleaningRules(exclude_categories=("housekeeping", 7), merge_within="1D"),
    "CohortQuestion": lambda _: cl.CohortQuestion(as_of=AS_OF, period="week", by=("community",), min_size=5),
    "Coupon": lambda _: VEG,
    "CouponResponse": lambda _: cl.CouponResponse(numbers=("frequency",), texts=("estate",), trees=5),
    "CrossCategory": lambda _: cl.CrossCategory(coupons=(VEG,)),
    "ExpiryReminders": lambda _: cl.ExpiryReminders(lead_days=2),
    "FittedBehaviourTypes": _fitted(cl.BehaviourTypes(n_types=2, restarts=2)),
    "FittedBetaGeo": _fitted(cl.BetaGeo()),
    "FittedCouponResponse": lambda _: cl.CouponResponse(numbers=("frequency",), texts=("estate",), trees=5).fit(trial()),
    "FittedGammaGamma": _fitted(cl.GammaGamma()),
    "FittedGrowthPlanner": lambda _: cl.GrowthPlanner(acquisition=["app"], discounts=["vegetables"]).fit(history()),
    "FittedModifiedBetaGeo": _fitted(cl.ModifiedBetaGeo()),
    "FittedParetoNBD": _fitted(cl.ParetoNBD()),
    "FittedRFM": _fitted(cl.RFM(n_bins=3, segment_map="grid_3x3", by="community", cuts={"frequency": [1, 3]})),
    "FittedRetentionDrivers": lambda _: cl.RetentionDrivers(covariates=["app"], log=["app"]).fit(history()),
    "FittedShiftedBetaGeo": lambda _: cl.ShiftedBetaGeo().fit([100, 63.1, 46.8, 38.2, 32.6, 28.9, 26.2, 24.1]),
    "FittedSilenceModel": _silence,
    "FittedUplift": lambda _: cl.Uplift(trees=5, learner="t").fit(
        trial(), treatment="arm", control="none", outcome="spend", features=["frequency", "estate"],
        propensity="randomised",
    ),
    "FittedValueIndex": _fitted(cl.ValueIndex()),
    "GammaGamma": lambda _: cl.GammaGamma(),
    "Goal": lambda _: cl.Goal(new_payers=500, retention_points=3.0),
    "GrowthPlanner": lambda _: cl.GrowthPlanner(acquisition=["app"], discounts=["vegetables"]),
    "Guardrail": lambda _: cl.Guardrail(outcome="margin", tolerance=0.05),
    "Issuance": lambda _: Issuance(user_id=7, coupon_id="c", issued="2025-01-01", plan="w1", rule="r", reason="甲"),
    "Lifecycle": lambda _: cl.Lifecycle(period="7D", washout="28D", by="community"),
    "LogState": _state,
    "Loyalty": lambda _: cl.Loyalty(period="7D", n_periods=8),
    "ModifiedBetaGeo": lambda _: cl.ModifiedBetaGeo(prior="weak"),
    "ParetoNBD": lambda _: cl.ParetoNBD(purchase_covariates=("distance",)),
    "Policy": lambda _: cl.Policy(rules=[cl.SecondOrder(coupon=SECOND), _WIN_BACK, cl.TaperSubsidy()], salt="week 12"),
    "PriceGuard": lambda _: cl.PriceGuard(deny=("gender", "device")),
    "RFM": lambda _: cl.RFM(n_bins=5, segment_map="standard_11", cuts={"frequency": [1, 2, 4, 8]}, lookback="365D"),
    "Redemption": lambda _: Redemption(user_id="u", coupon_id="c", day="2025-01-03", amount=40.0, order_id=3),
    "Reminder": lambda _: Reminder(
        user_id="a", coupon_id="c", send_at="2025-01-06T08:00", last_day="2025-01-07", days_left=1
    ),
    "RetentionDrivers": lambda _: cl.RetentionDrivers(covariates=["app"], log=["app"]),
    "Rollout": lambda _: cl.Rollout(salt="spring", stages=(0.05, 0.3), guardrails=(cl.Guardrail(outcome="margin"),)),
    "SecondOrder": lambda _: cl.SecondOrder(coupon=SECOND),
    "Segment": lambda _: cl.standard_map("octants", 2).segments[0],
    "SegmentMap": lambda _: cl.standard_map("octants", 2),
    "ShiftedBetaGeo": lambda _: cl.ShiftedBetaGeo(),
    "SilenceModel": lambda _: cl.SilenceModel(horizon="14D", active_within="28D", snapshots=("2025-03-01",)),
    "SilencePanel": lambda _: cl.SilencePanel(horizon="14D", active_within="28D"),
    "TaperSubsidy": lambda _: cl.TaperSubsidy(),
    "ThresholdLadder": lambda _: LADDER,
    "Uplift": lambda _: cl.Uplift(learner="x", trees=7),
    "ValueIndex": lambda _: cl.ValueIndex(method="pca"),
    "WinBack": lambda _: _WIN_BACK,
    "World": lambda _: World(n_users=50, n_weeks=10),
}  # fmt: skip


def make(name: str, log: cl.OrderLog) -> Any:
    """The sample of a kind; caveats about so small a log are heard elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.CommlifeWarning)
        return MADE[name](log)


def is_folder(name: str) -> bool:
    """Whether a kind is kept in a folder rather than a text."""
    return hasattr(kinds()[name], "load")


def ask(thing: Any, log: cl.OrderLog) -> dict[str, Any]:
    """What an object answers, as plain JSON values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.CommlifeWarning)
        return {name: _plain(value) for name, value in _answer(thing, log).items()}


def _answer(thing: Any, log: cl.OrderLog) -> dict[str, Any]:
    if isinstance(thing, Spec):
        return {"state": json.loads(thing.to_json())["state"]}
    if isinstance(thing, cl.LogState):
        return {
            "summary": thing.purchase_summary(),
            "lifecycle": thing.lifecycle().counts,
            "cohorts": thing.cohort_table().to_frame(),
        }
    name = type(thing).__name__
    if name == "FittedGammaGamma":
        return {"spend": thing.expected_spend(log, as_of=AS_OF)}
    if name == "FittedShiftedBetaGeo":
        return {"curve": thing.curve(12), "lifetime": thing.residual_lifetime(discount=0.1)}
    if name == "FittedCouponResponse":
        return {"predicted": thing.predict(trial().head(40)).tolist()}
    if name == "FittedUplift":
        return {"predicted": thing.predict(trial().head(40))}
    if name == "FittedGrowthPlanner":
        return {"levers": thing.plan(cl.Goal(new_payers=20, retention_points=1.0)).levers}
    if name == "FittedRetentionDrivers":
        return {"drivers": thing.to_frame()}
    if name == "FittedSilenceModel":
        return {"silent": thing.predict(log, as_of=AS_OF), "evaluation": thing.evaluation, "verdict": thing.verdict}
    if hasattr(thing, "p_alive"):
        summary = cl.purchase_summary(log, as_of=AS_OF)
        return {"alive": thing.p_alive(summary), "expected": thing.expected_purchases(summary, horizon="28D")}
    return {"users": thing.transform(log, as_of=AS_OF)}


def _plain(value: Any) -> Any:
    if not hasattr(value, "columns"):
        return value
    table = collect(nw.from_native(value))
    return {str(name): [_cell(cell) for cell in table[name].tolist()] for name in table.columns}


def _cell(cell: Any) -> Any:
    if isinstance(cell, (str, bool, int)):
        return cell
    if isinstance(cell, float):
        return None if np.isnan(cell) else cell
    return None if pd.isna(cell) else str(cell)
