"""Policy: rules, a holdout and a budget composed into one plan in which every decision is explained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_args

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from commlife._model import Spec
from commlife.coupons._days import checked_coupons
from commlife.coupons._users import Users, read_users
from commlife.coupons._verdicts import Kept, verdicts
from commlife.coupons.allocation import Allocation, allocate
from commlife.coupons.fairness import fairness_audit
from commlife.coupons.guard import PriceGuard
from commlife.coupons.records import Issuance, as_frame
from commlife.coupons.targeting import CrossCategory, Lang, Proposal, Rule, SecondOrder, TaperSubsidy, WinBack
from commlife.effects._inputs import one_of
from commlife.effects.assignment import hash_share
from commlife.errors import ConfigError
from commlife.orders.calendar import Timestamp, day_number, day_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from commlife.coupons._segments import Floats
    from commlife.coupons.offers import Coupon

__all__ = ["CouponPlan", "Policy"]


@dataclass(frozen=True, slots=True, repr=False)
class CouponPlan:
    """Who gets which coupon, and why; who does not, and why not.

    Attributes:
        users: One row a user, in the order given: ``user_id, coupon_id`` (null for none), ``rule`` (null where none
            applies), ``outcome`` (given, holdout, resting, capped, tapered, budget, no_gain, no_rule), ``reason``,
            ``expected_cost`` (0 without a coupon).
        audit: One row a user and rule that applies to them: ``user_id, rule, coupon_id, outcome, value,
            expected_cost, largest_cost``; outcome is also ``other_rule`` where another rule's coupon was chosen.
        summary: One row an outcome and rule: ``outcome, rule, users, expected_cost, largest_cost``.
        fairness: :func:`~commlife.coupons.fairness_audit` of the coupons' face values by frequency, spending, tenure
            and segment, as far as the table has them; None where no rule tapers and it was not asked for.
        budget: The budget, None where there was none.
        expected_cost: Sum of the expected costs.
        largest_cost: Cost if every coupon is redeemed; infinite where a percentage has no bound.
        planning_value: Sum of the expected gains by the rules' own assumptions; not a forecast.
        allocation: The certificate of the plan under its budget, None without a budget.
        salt: Name of the plan.
    """

    users: pd.DataFrame
    audit: pd.DataFrame
    summary: pd.DataFrame
    fairness: pd.DataFrame | None
    budget: float | None
    expected_cost: float
    largest_cost: float
    planning_value: float
    allocation: Allocation | None
    salt: str

    def to_frame(self) -> pd.DataFrame:
        """The users."""
        return self.users

    def issuances(self, *, issued: Timestamp) -> pd.DataFrame:
        """The coupons given, with their reasons, as rows of :class:`~commlife.coupons.Issuance`.

        Args:
            issued: Local day of issue.

        Returns:
            Frame ``user_id, coupon_id, issued, plan, rule, reason``, one row a coupon; keep it: it answers why.
        """
        given = self.users[self.users["outcome"] == "given"]
        return pd.DataFrame(
            {
                "user_id": given["user_id"],
                "coupon_id": given["coupon_id"],
                "issued": day_text(day_number(issued, name="issued")),
                "plan": self.salt,
                "rule": given["rule"],
                "reason": given["reason"],
            }
        ).reset_index(drop=True)

    def __repr__(self) -> str:
        given = int(self.users["coupon_id"].notna().sum())
        return (
            f"CouponPlan({given:,} of {len(self.users):,} users, expected_cost={self.expected_cost:.6g}, "
            f"largest_cost={self.largest_cost:.6g}, budget={self.budget})"
        )


class Policy(Spec):
    """Targeting rules with a holdout and a budget: data, which goes to JSON and back.

    Every user who qualifies for several coupons gets at most one, chosen for all users together by
    :func:`~commlife.coupons.allocate`. The holdout is decided by the user's identifier and the salt alone, before any
    rule is looked at, so that held-out users of each rule are comparable with its others.

    Args:
        rules: The rules, each kind at most once.
        holdout: Share of users who get nothing, to measure the plan.
        salt: Name of the plan; another name holds out other users.
        overspend: Largest chance of spending more than the budget that is accepted. 0: the budget holds even if every
            coupon is redeemed. Otherwise redemptions are taken as independent with the rules' rates, and a reserve of
            so many standard deviations is kept; .5 plans on the expectation. It is as good as the rates are.
        rest_days: Users who got a coupon less than so many days ago get none (column ``days_since_coupon``, or the
            plan's ``issued``).
        most_coupons: Users who got so many coupons within ``cap_days`` get none (column ``recent_coupons``, or the
            plan's ``issued``).
        cap_days: Days that ``most_coupons`` looks back.
        guard: What payable prices may not depend on: columns that no rule may read.
        min_roi: A coupon is only given if its expected gain is at least so many times its expected cost.

    Examples:
        >>> import pandas as pd
        >>> from commlife.coupons import Coupon
        >>> users = pd.DataFrame({
        ...     "user_id": ["a", "b", "c"], "state": ["new", "active", "silent"],
        ...     "segment": ["New", "Champions", "At Risk"], "frequency": [1, 20, 4],
        ...     "recency_days": [5, 2, 60], "monetary": [40.0, 900.0, 200.0]})
        >>> policy = Policy(rules=[SecondOrder(coupon=Coupon.from_threshold("second", "30:5")),
        ...                        WinBack(coupon=Coupon.from_threshold("back", "60:12")), TaperSubsidy()],
        ...                 holdout=0, salt="week 12")
        >>> plan = policy.plan(users, budget=20.0)
        >>> plan.users["coupon_id"].tolist(), plan.largest_cost
        (['second', None, 'back'], 17.0)
        >>> plan.users["reason"][1]
        'loyal: buys without an extra coupon'
    """

    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]
    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    salt: Annotated[str, Field(min_length=1)]
    overspend: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    rest_days: Annotated[int, Field(ge=1)] | None = None
    most_coupons: Annotated[int, Field(ge=1)] | None = None
    cap_days: Annotated[int, Field(ge=1, le=3650)] = 28
    guard: PriceGuard | None = None
    min_roi: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _distinct(self) -> Policy:
        names = [rule.name for rule in self.rules]
        if len(set(names)) < len(names):
            raise ValueError(f"each kind of rule occurs at most once; seen {names}")
        offers: dict[str, Coupon] = {}
        for coupon in self.coupons:
            if offers.setdefault(coupon.coupon_id, coupon) != coupon:
                raise ValueError(f"two different coupons are called {coupon.coupon_id!r}")
        return self

    @property
    def coupons(self) -> tuple[Coupon, ...]:
        """All coupons that the rules give, in the rules' order."""
        result: list[Coupon] = []
        for rule in self.rules:
            result.extend(rule.coupons if isinstance(rule, CrossCategory) else [rule.coupon] if rule.coupon else [])
        return tuple(result)

    @classmethod
    def from_coupons(cls, coupons: Sequence[Coupon], *, salt: str, holdout: float = 0.1) -> Policy:
        """The usual policy over a handful of coupons.

        Coupons for one category each go to those who have not tried it; of the others the one with the lowest minimum
        spend goes to the second order, the one with the highest calls silent users back; the loyal get none of them.
        """
        coupons = checked_coupons(coupons, "from_coupons")
        scoped = tuple(coupon for coupon in coupons if len(coupon.categories) == 1)
        open_ = sorted(
            (coupon for coupon in coupons if len(coupon.categories) != 1),
            key=lambda coupon: (coupon.minimum_spend, coupon.largest_discount or math.inf, coupon.coupon_id),
        )
        rules: list[SecondOrder | WinBack | CrossCategory | TaperSubsidy] = []
        if open_:
            rules += [SecondOrder(coupon=open_[0]), WinBack(coupon=open_[-1])]
        if scoped:
            rules.append(CrossCategory(coupons=scoped))
        return cls(rules=(*rules, TaperSubsidy()), salt=salt, holdout=holdout)

    def plan(
        self,
        users: Any,
        *,
        budget: float | None = None,
        issued: Any = None,
        on: Timestamp | None = None,
        lang: Lang = "en",
    ) -> CouponPlan:
        """Decide who gets which coupon this time.

        Args:
            users: One row a user, any kind of frame, with ``user_id`` and what the rules need (each rule's own
                documentation says): ``state, segment, frequency, recency_days, monetary, favourite_category,
                bought_categories, p_silent, expected_value, days_since_coupon``.
            budget: Most money in major units, held to as ``overspend`` says; None: no limit.
            issued: Coupons issued before (rows or a list of :class:`~commlife.coupons.Issuance`), from which
                ``days_since_coupon`` and ``recent_coupons`` follow; asks for ``on``.
            on: Local day of this plan.
            lang: Language of the reasons, ``"en"`` or ``"zh"``.

        Returns:
            :class:`CouponPlan`.

        Raises:
            ConfigError: If a rule's column is missing, an identifier occurs twice, or the budget must hold in the
                worst case and a percentage coupon has no ``max_discount``.
        """
        one_of(lang, "lang", get_args(Lang))
        table = read_users(users)
        if self.guard is not None:
            self.guard.check(sorted(table.frame.columns))
        if (issued is None) != (on is None):
            raise ConfigError(
                "issued (coupons issued before) and on (the day of this plan) are given together. Give both."
            )
        if issued is not None and on is not None:
            table.remember(as_frame(issued, Issuance), day_number(on, name="on"), self.cap_days)
        proposals = [rule.propose(table, lang) for rule in self.rules]
        held = hash_share(table.ids.to_numpy(), salt=self.salt) < self.holdout
        rest = np.full(len(table), np.nan)
        if self.rest_days is not None:
            rest = table.number("days_since_coupon", why="rest_days")
        resting = rest < (self.rest_days or 0)
        capped = np.zeros(len(table), dtype=bool)
        if self.most_coupons is not None:
            capped = table.number("recent_coupons", why="most_coupons") >= self.most_coupons
        blocked = np.zeros(len(table), dtype=bool)
        for proposal in proposals:
            if proposal.blocks:
                blocked |= proposal.matched
        value, cost, largest, open_ = self._options(proposals, ~held & ~resting & ~capped, blocked)
        choice, allocation = self._choose(value, cost, largest, open_, budget)
        return self._explain(
            table, proposals, choice, allocation, open_, (held, resting, capped, blocked, rest), budget, lang
        )

    def _options(
        self, proposals: list[Proposal], free: NDArray[np.bool_], blocked: NDArray[np.bool_]
    ) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
        """Value, expected and largest cost of each rule's coupon for each user, and which are open to them."""
        value, cost, largest = (
            np.stack(columns, axis=1)
            for columns in zip(*((p.value, p.expected_cost, p.largest_cost) for p in proposals), strict=True)
        )
        has_coupon = np.stack([(p.coupon_id != "").to_numpy() for p in proposals], axis=1)
        blocks = np.array([p.blocks for p in proposals])
        open_ = has_coupon & free[:, None] & (blocks | ~blocked[:, None])
        open_ &= (value > 0) & (value >= self.min_roi * cost)
        return value, cost, largest, open_

    def _choose(
        self, value: Floats, cost: Floats, largest: Floats, open_: NDArray[np.bool_], budget: float | None
    ) -> tuple[NDArray[np.int64], Allocation | None]:
        if budget is None:
            best = np.where(open_, value, -1.0)
            choice = best.argmax(axis=1)
            return np.where(best[np.arange(len(choice)), choice] > 0, choice, -1), None
        if self.overspend == 0:
            if np.isinf(largest[open_]).any():
                raise ConfigError(
                    "overspend=0 keeps the budget even if every coupon is redeemed, but a percentage coupon has "
                    "no max_discount. Set it, or allow overspend=0.05."
                )
            allocation = allocate(value, np.where(open_, largest, 0.0), budget, eligible=open_)
            return allocation.choice, allocation
        allocation = allocate(
            value,
            np.where(open_, cost, 0.0),
            budget,
            eligible=open_,
            redemption=self._rates(),
            max_overspend_prob=self.overspend,
        )
        return allocation.choice, allocation

    def _rates(self) -> Floats:
        return np.array([rule.redemption_rate for rule in self.rules])

    def _explain(
        self,
        table: Users,
        proposals: list[Proposal],
        choice: NDArray[np.int64],
        allocation: Allocation | None,
        open_: NDArray[np.bool_],
        states: Kept,
        budget: float | None,
        lang: Lang,
    ) -> CouponPlan:
        audit = self._audit(table, proposals, choice, open_, states)
        users = verdicts(table, [rule.name for rule in self.rules], proposals, choice, audit, states, lang)
        given = audit["outcome"] == "given"
        face = np.zeros(len(table))
        face[audit.index[given].to_numpy()] = np.where(
            np.isinf(audit["largest_cost"][given]), audit["face"][given], audit["largest_cost"][given]
        )
        fairness = _fairness(table, face) if any(p.blocks for p in proposals) else None
        audit = audit.drop(columns="face")
        summary = (
            audit.groupby(["outcome", "rule"], sort=True)
            .agg(
                users=("user_id", "size"), expected_cost=("expected_cost", "sum"), largest_cost=("largest_cost", "sum")
            )
            .reset_index()
        )
        return CouponPlan(
            users=users,
            audit=audit.reset_index(drop=True),
            summary=summary,
            fairness=fairness,
            budget=None if budget is None else float(budget),
            expected_cost=float(audit["expected_cost"][given].sum()),
            largest_cost=float(audit["largest_cost"][given].sum()),
            planning_value=float(audit["value"][given].sum()),
            allocation=allocation,
            salt=self.salt,
        )

    def _audit(
        self,
        table: Users,
        proposals: list[Proposal],
        choice: NDArray[np.int64],
        open_: NDArray[np.bool_],
        states: Kept,
    ) -> pd.DataFrame:
        """One row a user and rule that applies; the index is the user's place in the table."""
        held, resting, capped, blocked, _ = states
        parts = []
        for place, (rule, proposal) in enumerate(zip(self.rules, proposals, strict=True)):
            outcome = np.select(
                [
                    held,
                    resting,
                    capped,
                    blocked & (np.full(len(held), not proposal.blocks) | (proposal.coupon_id == "").to_numpy()),
                    choice == place,
                    ~open_[:, place],
                    choice >= 0,
                ],
                ["holdout", "resting", "capped", "tapered", "given", "no_gain", "other_rule"],
                "budget",
            )
            rows = np.flatnonzero(proposal.matched)
            parts.append(
                pd.DataFrame(
                    {
                        "user_id": table.ids.to_numpy()[rows],
                        "rule": rule.name,
                        "coupon_id": proposal.coupon_id.where(proposal.coupon_id != "", None).to_numpy()[rows],
                        "outcome": outcome[rows],
                        "value": proposal.value[rows],
                        "expected_cost": proposal.expected_cost[rows],
                        "largest_cost": proposal.largest_cost[rows],
                        "face": proposal.expected_cost[rows] / rule.redemption_rate,
                    },
                    index=rows,
                )
            )
        return pd.concat(parts).sort_index(kind="stable")


def _fairness(table: Users, face: Floats) -> pd.DataFrame | None:
    names = [name for name in ("frequency", "monetary", "tenure_days", "segment") if table.has(name)]
    return fairness_audit(face, table.frame[names]) if names else None
