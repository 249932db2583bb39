"""The fitted objects behind a page: those that were given, and the rest fitted by their defaults and told of."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from commlife.coupons import Coupon, Policy
from commlife.errors import CommlifeWarning, ConfigError, InsufficientDataError
from commlife.features.users import early_users
from commlife.orders.calendar import Duration, Timestamp, day_number, day_text
from commlife.segments.lifecycle import Lifecycle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from commlife._text import Language
    from commlife.churn import FittedSilenceModel
    from commlife.orders import OrderLog
    from commlife.segments import FittedLifecycle, FittedRFM
    from commlife.value import FittedBetaGeo

__all__ = ["Models", "fit_missing"]

T = TypeVar("T")

#: Users from whom a page's own silence model learns at most: some hundred thousand user-snapshots, seconds of work.
MOST_LEARNED = 50_000
#: How far ahead "expected spend" looks.
VALUE_HORIZON = Duration("91D")
#: A log that begins in the middle of lives says little about who is new in its first weeks.
WASHOUT = Duration("28D")


@dataclass(frozen=True)
class Models:
    """What a page is made with.

    Attributes:
        as_of: The local business day, as a number.
        rfm: Scores and segments.
        lifecycle: States and flows by week; the spec alone where users are followed part by part.
        silence: The silence model, None where the log is too short for one.
        purchases: BG/NBD, None where it could not be fitted.
        policy: Who gets which coupon.
        notes: What was fitted here and what could not be, in words.
    """

    as_of: int
    rfm: FittedRFM
    lifecycle: FittedLifecycle | Lifecycle
    silence: FittedSilenceModel | None
    purchases: FittedBetaGeo | None
    policy: Policy
    notes: tuple[str, ...]

    @property
    def followed(self) -> FittedLifecycle:
        """The lifecycle of all users, for sections that show stocks and flows."""
        assert not isinstance(self.lifecycle, Lifecycle)  # noqa: S101  (pages ask for it whole)
        return self.lifecycle


def fit_missing(
    log: OrderLog,
    *,
    as_of: Timestamp,
    rfm: FittedRFM | None,
    lifecycle: FittedLifecycle | None,
    silence: FittedSilenceModel | None,
    offers: Policy | Sequence[Coupon] | None,
    lang: Language,
    drivers: bool = True,
    by_parts: bool = False,
) -> Models:
    """Fit what was not given, with the defaults of each spec, and note it.

    Caveats of what is fitted here are noted too, instead of warned about: the caller did not ask for these fits.

    Args:
        log: The order log.
        as_of: The local business day.
        rfm: As given.
        lifecycle: As given.
        silence: As given.
        offers: As given.
        lang: Language of the notes.
        drivers: Whether drivers of silence will be shown: without them no refits for their intervals are made.
        by_parts: Whether users are followed part by part later: then no lifecycle of all of them is made here.
    """
    from commlife.churn import SilenceModel
    from commlife.churn.learning import usable_cores
    from commlife.segments import RFM
    from commlife.value import BetaGeo

    day = day_number(as_of)
    today = day_text(day)
    notes: list[str] = []

    def note(en: str, zh: str) -> None:
        notes.append(zh if lang == "zh" else en)

    if rfm is None:
        rfm = _noted(lambda: RFM().fit(log, as_of=today), note)
        note(
            f"RFM was fitted here: 5 bins, quantiles of payers at {today}.",
            f"RFM 在此拟合：5 档，按 {today} 付费用户分位数。",
        )
    washout = None if lifecycle is not None or early_users(log, day) is None else WASHOUT
    states = Lifecycle(washout=washout, lang=lang)
    if lifecycle is None:
        lifecycle = None if by_parts else _noted(lambda: states.fit(log, as_of=today), note)
        told = (
            (
                f"; users first seen in the first {washout.days} days exist already",
                f"；前 {washout.days} 天首见用户视为存量",
            )
            if washout
            else ("", "")
        )
        note(
            f"Lifecycle was fitted here: 7-day periods, silent after 1, churned after 8{told[0]}.",
            f"生命周期在此拟合：7 天一期，1 期未下单为沉默，8 期为流失{told[1]}。",
        )
    if silence is None:
        try:
            spec = SilenceModel(max_users=MOST_LEARNED, **({} if drivers else {"refits": 0}))
            silence = _noted(lambda: spec._fit(log, as_of=today, threads=usable_cores()), note)
            note(
                "The silence model was fitted here: no order in 28 days, users active within 56 days. "
                f"{silence.verdict}",
                f"沉默模型在此拟合：28 天无订单，56 天内活跃用户。{silence.verdict_zh}",
            )
            if log.n_users > MOST_LEARNED:
                note(
                    f"It learned from {silence.fitted_on.users:,} users, drawn by a hash of their histories; forecasts "
                    "and reasons are for everybody.",
                    f"模型从按历史哈希抽取的 {silence.fitted_on.users:,} 名用户学习；预测与原因覆盖全部用户。",
                )
        except InsufficientDataError as error:
            note(f"There is no silence model: {error}", f"无沉默模型：{error}")
    purchases = None
    try:
        purchases = _noted(lambda: BetaGeo().fit(log, as_of=today), note)
        note(
            "BG/NBD was fitted here on all payers, for the next order and the expected spend.",
            "BG/NBD 在此拟合，用于下单时间与预期消费。",
        )
    except InsufficientDataError as error:
        note(f"There is no BG/NBD model: {error}", f"无 BG/NBD 模型：{error}")
    policy = _policy(offers, log, day, note)
    return Models(day, rfm, states if lifecycle is None else lifecycle, silence, purchases, policy, tuple(notes))


def _noted(fit: Callable[[], T], note: Callable[[str, str], None]) -> T:
    """What ``fit`` makes; our own caveats become notes, others' warnings stay warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = fit()
    for one in caught:
        if issubclass(one.category, CommlifeWarning):
            note(f"Caveat: {one.message}", f"提示（英文）：{one.message}")
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return made


def _policy(offers: Policy | Sequence[Coupon] | None, log: OrderLog, as_of: int, note: Any) -> Policy:
    if isinstance(offers, Policy):
        return offers
    salt = f"commlife {day_text(as_of)}"
    if offers is not None:
        coupons = list(offers)
        if not coupons or not all(isinstance(coupon, Coupon) for coupon in coupons):
            raise ConfigError(f"offers is a Policy or a list of Coupon; seen {offers!r:.80}.")
        return Policy.from_coupons(coupons, salt=salt)
    coupons = _usual_coupons(log, as_of)
    shown = ", ".join(coupon.describe() for coupon in coupons)
    shown_zh = "、".join(coupon.describe("zh") for coupon in coupons)
    note(
        f"The coupons are examples made from the median order ({shown}); give your own as offers=.",
        f"优惠券为按订单中位数生成的示例（{shown_zh}）；请用 offers= 传入自己的方案。",
    )
    return Policy.from_coupons(coupons, salt=salt)


def _usual_coupons(log: OrderLog, as_of: int) -> list[Coupon]:
    """A low threshold for the second order, a higher one to call back: around the median order."""
    import narwhals.stable.v2 as nw

    from commlife import _engine

    paid = log._orders(as_of).filter(nw.col("counts") & (nw.col("net") > 0))
    counts: pd.DataFrame = _engine.collect_rows(
        paid.group_by("net").agg(nw.len().alias("orders")), call="the user table"
    ).sort_values("net")
    if counts.empty:
        raise InsufficientDataError.no_payers("a coupon plan", day_text(as_of))
    half = counts["orders"].sum() / 2
    median = float(counts.loc[counts["orders"].cumsum() >= half, "net"].iloc[0]) / log.scale
    return [
        _threshold("second-order", max(1, round(median * 0.8)), 0.15),
        _threshold("call-back", max(2, round(median * 1.2)), 0.2),
    ]


def _threshold(name: str, minimum: int, share: float) -> Coupon:
    return Coupon.from_threshold(name, f"{minimum}:{max(1, round(minimum * share))}")
