"""Targeting rules: the operator's rules of thumb as data. A rule says who qualifies, for which coupon, and why.

Each rule carries two planning assumptions: the share of users who will redeem the coupon, and the share of those who
would not have bought anyway. They rank users and reserve money; they are no measurement. Replace them with what the
holdout of an earlier plan showed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from commlife._model import Spec
from commlife.coupons._users import STATES
from commlife.coupons.offers import Coupon

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.basket import AssociationRules
    from commlife.coupons._segments import Floats
    from commlife.coupons._users import Users

__all__ = ["BasketRule", "CrossCategory", "Proposal", "Rule", "SecondOrder", "TaperSubsidy", "WinBack"]

Share = Annotated[float, Field(gt=0, le=1)]
State = Literal["new", "active", "silent", "churned", "returned", "existing"]
Lang = Literal["en", "zh"]

#: The rules as an operator who reads Chinese calls them.
RULES_ZH = {
    "second_order": "促二单",
    "win_back": "沉默召回",
    "cross_category": "跨品类推荐",
    "taper_subsidy": "减少补贴",
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a rule proposes, one entry a user.

    Attributes:
        matched: Does the user qualify?
        coupon_id: The coupon, an empty text where none.
        reason: Why, in words, an empty text where not matched.
        value: Expected gain by the rule's planning assumptions.
        expected_cost: Expected discount: redemption rate times what a redemption takes off.
        largest_cost: The discount if the coupon is redeemed; infinite where nothing bounds it.
        blocks: Does the rule keep other rules' coupons from the users it matches?
    """

    matched: NDArray[np.bool_]
    coupon_id: pd.Series[Any]
    reason: pd.Series[Any]
    value: Floats
    expected_cost: Floats
    largest_cost: Floats
    blocks: bool = False


class _Giving(Spec):
    """What all rules that give a coupon share."""

    redemption_rate: Share = 0.1
    incremental_share: Share = 0.5

    def _propose(
        self, users: Users, matched: NDArray[np.bool_], coupon: Coupon, reason: pd.Series[Any], *, blocks: bool = False
    ) -> Proposal:
        spend = users.average_order()
        worth = spend
        if users.has("expected_value"):
            told = users.number("expected_value", why="the value of a user")
            worth = np.where(np.isnan(told), spend, told)
        off = coupon.discount_on(spend)
        largest = coupon.largest_discount
        rate = self.redemption_rate
        return Proposal(
            matched=matched,
            coupon_id=pd.Series(np.where(matched, coupon.coupon_id, ""), dtype=object),
            reason=reason.where(matched, ""),
            value=np.where(matched, rate * self.incremental_share * worth.clip(min=0.0), 0.0),
            expected_cost=np.where(matched, rate * off, 0.0),
            largest_cost=np.where(matched, np.inf if largest is None else largest, 0.0),
            blocks=blocks,
        )


class SecondOrder(_Giving):
    """A low threshold for the second order: users with one order so far, not long ago.

    Needs the columns ``frequency, recency_days, monetary``.

    Args:
        coupon: What they get.
        within_days: Their only order is at most so many days ago.
        redemption_rate: Planning assumption: share who redeem it.
        incremental_share: Planning assumption: share of redemptions that would not have been orders anyway.

    Examples:
        >>> SecondOrder(coupon=Coupon.from_threshold("second", "30:5")).name
        'second_order'
    """

    name: Literal["second_order"] = "second_order"
    coupon: Coupon
    within_days: Annotated[int, Field(ge=1)] = 30

    def propose(self, users: Users, lang: Lang) -> Proposal:
        """Who qualifies, for what, and why."""
        orders = users.number("frequency", why=self.name)
        days = users.number("recency_days", why=self.name)
        offer = self.coupon.describe(lang)
        ago = _whole(days)
        if lang == "zh":
            reason = "仅下过一单，距今" + ago + f"天：{offer}，促成第二单"
        else:
            reason = "one order so far, " + ago + f" days ago: {offer} for the second one"
        return self._propose(users, (orders == 1) & (days <= self.within_days), self.coupon, reason)


class BasketRule(Spec):
    """What goes together in baskets: who bought these categories is offered that one.

    Args:
        bought: Categories bought.
        offer: The category that goes with them.
        lift: How much more often than by chance.
    """

    bought: Annotated[tuple[str, ...], Field(min_length=1)]
    offer: Annotated[str, Field(min_length=1)]
    lift: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class CrossCategory(_Giving):
    """A category they have not tried: the one that users with the same favourite buy most beyond the usual.

    Needs ``favourite_category, bought_categories`` (lists, or texts such as ``"milk|eggs"``), ``frequency, monetary``.
    Categories are ranked by affinity: the share of users with the same favourite who bought the category, over its
    share among all users, both smoothed by one user; where basket rules are given, times the largest lift of a rule
    whose antecedent the user has bought. A category that the user has bought is never offered.

    Args:
        coupons: One coupon a category: its ``categories`` name exactly one.
        basket_rules: What goes together in baskets: categories bought, the category that goes with them, and the lift;
            :meth:`with_rules` reads them from association rules.
        states: Lifecycle states that qualify, where the table has ``state``.
        redemption_rate: Planning assumption: share who redeem it.
        incremental_share: Planning assumption: share of redemptions that would not have been orders anyway.
    """

    name: Literal["cross_category"] = "cross_category"
    coupons: tuple[Coupon, ...]
    basket_rules: tuple[BasketRule, ...] = ()
    states: tuple[State, ...] = ("new", "active", "returned", "existing")

    @model_validator(mode="after")
    def _one_each(self) -> CrossCategory:
        if not self.coupons or any(len(coupon.categories) != 1 for coupon in self.coupons):
            raise ValueError("cross_category takes coupons for exactly one category each")
        names = [coupon.categories[0] for coupon in self.coupons]
        if len(set(names)) < len(names):
            raise ValueError(f"cross_category takes one coupon a category; seen {names}")
        return self

    def with_rules(self, rules: AssociationRules, *, min_lift: float = 1.0) -> Self:
        """The same rule, with the basket rules that speak of its categories.

        Args:
            rules: Association rules over categories (``association_rules(frequent_itemsets(log, level="category"))``).
            min_lift: Rules of a smaller lift say that things do not go together; they are left out.
        """
        names = {coupon.categories[0] for coupon in self.coupons}
        table = rules.to_frame()
        table = table[table["lift"] > min_lift]
        parts = zip(table["antecedent"], table["consequent"], table["lift"].astype(float), strict=True)
        kept = [
            BasketRule(bought=tuple(map(str, bought)), offer=str(offer[0]), lift=lift)
            for bought, offer, lift in parts
            if len(offer) == 1 and offer[0] in names
        ]
        kept.sort(key=lambda rule: (-rule.lift, rule.offer, rule.bought))
        return self.model_copy(update={"basket_rules": tuple(kept)})

    def propose(self, users: Users, lang: Lang) -> Proposal:
        """Who qualifies, for what, and why."""
        names = [coupon.categories[0] for coupon in self.coupons]
        bought = users.bought(names)
        favourite = users.text("favourite_category", why=self.name)
        orders = users.number("frequency", why=self.name)
        lift = np.ones(bought.shape)
        for rule in self.basket_rules:
            if rule.offer in names:
                place = names.index(rule.offer)
                fits = users.bought(rule.bought).all(axis=1)
                lift[fits, place] = np.maximum(lift[fits, place], rule.lift)
        score = np.where(bought, -np.inf, _affinity(favourite, bought, orders > 0) * lift)
        pick = score.argmax(axis=1)
        matched = (orders > 0) & ~bought.all(axis=1) & (favourite != "").to_numpy()
        if users.has("state"):
            matched &= users.text("state", why=self.name).isin(self.states).to_numpy()
        parts = [
            self._propose(users, matched & (pick == place), coupon, self._reason(favourite, coupon, lang))
            for place, coupon in enumerate(self.coupons)
        ]
        return Proposal(
            matched=matched,
            coupon_id=sum((part.coupon_id for part in parts[1:]), parts[0].coupon_id),
            reason=sum((part.reason for part in parts[1:]), parts[0].reason),
            value=np.sum([part.value for part in parts], axis=0),
            expected_cost=np.sum([part.expected_cost for part in parts], axis=0),
            largest_cost=np.sum([part.largest_cost for part in parts], axis=0),
        )

    def _reason(self, favourite: pd.Series[Any], coupon: Coupon, lang: Lang) -> pd.Series[Any]:
        offer, category = coupon.describe(lang), coupon.categories[0]
        if lang == "zh":
            return "常买" + favourite + f"，未买过{category}：同好者常买，{offer}"
        return "buys " + favourite + f", never {category}, which users alike buy: {offer}"


class WinBack(_Giving):
    """Silent users called back, those of the highest expected value first.

    Needs ``state, recency_days, frequency, monetary``; the value is ``expected_value`` where the table has it, else
    the average order. With ``p_silent_at_least`` active users who are about to fall silent qualify too.

    Args:
        coupon: What they get.
        states: Lifecycle states that qualify.
        min_frequency: Fewest orders.
        p_silent_at_least: Active users from this probability of silence on qualify; None: none do.
        redemption_rate: Planning assumption: share who redeem it.
        incremental_share: Planning assumption: share of redemptions that would not have been orders anyway.
    """

    name: Literal["win_back"] = "win_back"
    coupon: Coupon
    states: tuple[State, ...] = ("silent", "churned")
    min_frequency: Annotated[int, Field(ge=1)] = 1
    p_silent_at_least: Annotated[float, Field(gt=0, lt=1)] | None = None
    redemption_rate: Share = 0.05
    incremental_share: Share = 0.8

    def propose(self, users: Users, lang: Lang) -> Proposal:
        """Who qualifies, for what, and why."""
        state = users.text("state", why=self.name)
        orders = users.number("frequency", why=self.name)
        away = state.isin(self.states).to_numpy()
        likely = np.zeros(len(users), dtype=bool)
        if self.p_silent_at_least is not None:
            likely = users.number("p_silent", why=f"{self.name} with p_silent_at_least") >= self.p_silent_at_least
        ago = _whole(users.number("recency_days", why=self.name))
        offer = self.coupon.describe(lang)
        if lang == "zh":
            words = state.map(dict(zip(STATES, ("新客", "活跃", "沉默", "流失", "召回", "老客"), strict=True)))
            reason = words.fillna("") + "，距上次下单" + ago + f"天：{offer}，召回"
            risk = "近期可能沉默，距上次下单" + ago + f"天：{offer}，留存"
        else:
            reason = state + ", last order " + ago + f" days ago: {offer} to call them back"
            risk = "likely to fall silent, last order " + ago + f" days ago: {offer} to keep them"
        matched = (orders >= self.min_frequency) & (away | likely)
        return self._propose(users, matched, self.coupon, reason.where(away, risk))


class TaperSubsidy(_Giving):
    """Less subsidy for those who buy anyway: loyal users get a smaller coupon, or none beside their usual prices.

    Since this raises what loyal users pay, every plan with it carries the fairness audit by frequency and spending.
    Needs ``segment`` or ``frequency``, whichever is asked for.

    Args:
        coupon: What they get instead of any other rule's coupon; None: nothing.
        segments: RFM segments that count as loyal.
        min_frequency: From so many orders on a user is loyal, whatever the segment; None: segments alone decide.
        redemption_rate: Planning assumption: share who redeem it.
        incremental_share: Planning assumption: low, for they buy anyway.
    """

    name: Literal["taper_subsidy"] = "taper_subsidy"
    coupon: Coupon | None = None
    segments: tuple[str, ...] = ("Champions", "Loyal")
    min_frequency: Annotated[int, Field(ge=1)] | None = None
    redemption_rate: Share = 0.5
    incremental_share: Share = 0.05

    @model_validator(mode="after")
    def _somebody(self) -> TaperSubsidy:
        if not self.segments and self.min_frequency is None:
            raise ValueError("taper_subsidy names the loyal by segments or min_frequency")
        return self

    def propose(self, users: Users, lang: Lang) -> Proposal:
        """Who is held short, and why."""
        loyal = np.zeros(len(users), dtype=bool)
        if self.segments:
            loyal |= users.text("segment", why=self.name).isin(self.segments).to_numpy()
        if self.min_frequency is not None:
            loyal |= users.number("frequency", why=self.name) >= self.min_frequency
        if self.coupon is None:
            text = "忠诚用户，无需额外补贴" if lang == "zh" else "loyal: buys without an extra coupon"
            nothing = np.zeros(len(users))
            return Proposal(
                matched=loyal,
                coupon_id=pd.Series("", index=users.ids.index, dtype=object),
                reason=pd.Series(np.where(loyal, text, ""), dtype=object),
                value=nothing,
                expected_cost=nothing,
                largest_cost=nothing,
                blocks=True,
            )
        offer = self.coupon.describe(lang)
        text = f"忠诚用户，少补贴：{offer}" if lang == "zh" else f"loyal, so a smaller coupon: {offer}"
        reason = pd.Series(text, index=users.ids.index, dtype=object)
        return self._propose(users, loyal, self.coupon, reason, blocks=True)


Rule = Annotated[SecondOrder | CrossCategory | WinBack | TaperSubsidy, Field(discriminator="name")]
"""Any targeting rule; its ``name`` tells which in JSON."""


def _whole(days: Floats) -> pd.Series[Any]:
    """Days as texts."""
    return pd.Series(np.nan_to_num(days).clip(-1e15, 1e15).astype(np.int64)).astype(str).astype(object)


def _affinity(favourite: pd.Series[Any], bought: NDArray[np.bool_], payer: NDArray[np.bool_]) -> Floats:
    """Share among users with the same favourite over the share among all, both smoothed by one user."""
    codes, names = pd.factorize(favourite)
    counted = bought & payer[:, None]
    overall = (counted.sum(axis=0) + 1) / (payer.sum() + 2)
    sizes = np.bincount(codes[payer], minlength=len(names))
    counts = np.stack([np.bincount(codes, column, len(names)) for column in counted.T.astype(np.float64)], axis=1)
    shares = (counts + overall) / (sizes[:, None] + 1)
    return np.asarray((shares / overall)[codes], dtype=np.float64)
