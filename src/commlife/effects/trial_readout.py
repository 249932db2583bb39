"""Readout: what a coupon, a call or any other treatment brought, what it cost, and what remained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from commlife._stats.multiplicity import benjamini_hochberg
from commlife._text.notebook import in_notebook
from commlife.effects._inputs import (
    column_names,
    design_matrix,
    identifiers,
    in_open_interval,
    label_column,
    place_of,
    wide_frame,
)
from commlife.effects._readings import LEAST, Adjusted, Randomised
from commlife.effects._trial_facts import Window, own_attribute, trial_facts
from commlife.effects.comparison import compare, sample_ratio
from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders.calendar import Duration, Timestamp, complete_until, day_number, day_text
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from commlife._text.labels import Language
    from commlife.orders import OrderLog

__all__ = ["Assignment", "Readout", "readout"]

Assignment = Literal["randomised", "adjusted"]

#: A trial whose arms differed before it began with a p-value below this was not dealt by chance.
UNBELIEVABLE = 0.001

#: More levels than this are no segments.
MAX_LEVELS = 100


@dataclass(frozen=True, slots=True, repr=False)
class Readout:
    """What a treatment did, arm by arm, in all and by segment.

    Attributes:
        effects: One row an arm, level and metric: ``arm, by`` (null in all), ``level, metric, users, control_users,
            control_mean, treatment_mean, effect_size, standard_error, effect_size_ci_lower, effect_size_ci_upper,
            pvalue, qvalue`` (Benjamini-Hochberg over the levels of one metric and arm). Metrics, each a user over the
            window: ``orders``; ``payers`` (ordered at all, 0/1); ``amount`` (net spend); ``margin`` (before coupons);
            ``net_gain`` (margin less coupons and contact); ``reactivated`` (ordered, among those silent at the start);
            and a payer: ``repurchase_rate`` (share with two or more orders), ``arppu``. Ratios a payer compare other
            payers than there would have been: read them beside ``payers``.
        money: One row an arm and level: ``arm, by, level, users, redeemers, redemption_rate, redemption_low,
            redemption_high`` (95% Wilson), ``cost`` (redemptions and contacts), ``incremental_orders,
            incremental_payers, incremental_margin, incremental_margin_low, incremental_margin_high, net_gain,
            net_gain_low, net_gain_high, roi, roi_low, roi_high`` (net gain over cost), ``anyway_share`` (of the
            redeemers: how many would have ordered without a coupon, as far as each further payer redeemed).
        assignment: How the arms came about: ``"randomised"`` or ``"adjusted"``.
        control: The arm compared with.
        start: First day of the window.
        end: First day after it.
        confidence_level: Level of the intervals.
        checks: One row a check of the dealing: ``check, pvalue`` (sample ratio, and differences before the start);
            empty where the arms were chosen.
    """

    effects: pd.DataFrame
    money: pd.DataFrame
    assignment: Assignment
    control: Any
    start: str
    end: str
    confidence_level: float
    checks: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """The effects."""
        return self.effects

    def of(self, metric: str, *, by: str | None = None) -> pd.DataFrame:
        """The rows of one metric, in all or by one column.

        Raises:
            ConfigError: If the metric or the column is not in the readout.
        """
        table = self.effects
        if metric not in set(table["metric"]):
            raise ConfigError.unknown_name("metric", metric, set(table["metric"]))
        columns = set(table["by"].dropna())
        if by is not None and by not in columns:
            raise ConfigError.unknown_name("by", by, columns)
        rows = table["by"].isna() if by is None else table["by"] == by
        return table[rows & (table["metric"] == metric)].reset_index(drop=True)

    def kept(self, promised: Mapping[str, float], *, metric: str = "margin") -> pd.DataFrame:
        """How much of what a plan promised came true: the holdout's verdict on its estimates.

        Args:
            promised: What the plan said that each arm brings in all (its ``value``), in the unit of the metric.
            metric: The metric that the plan's values were in.

        Returns:
            Frame ``arm, promised, realised, realised_low, realised_high, share, share_low, share_high``; the shares go
            into :meth:`Allocation.forecast <commlife.coupons.Allocation.forecast>` of the next plan.

        Raises:
            ConfigError: If an arm is not in the readout, or a promise is not above 0.
        """
        table = {row["arm"]: row for row in self.of(metric).to_dict("records")}
        rows = []
        for arm, value in promised.items():
            if arm not in table:
                raise ConfigError.unknown_name("promised: arm", arm, [str(name) for name in table])
            in_open_interval(value, f"promised[{arm!r}]", 0, float("inf"))
            row = table[arm]
            ends = [float(row[name]) for name in ("effect_size", "effect_size_ci_lower", "effect_size_ci_upper")]
            realised = [float(row["users"]) * end for end in ends]
            rows.append([arm, value, *realised, *(end / value for end in realised)])
        names = ["arm", "promised", "realised", "realised_low", "realised_high", "share", "share_low", "share_high"]
        return pd.DataFrame(rows, columns=names)

    def plot(
        self, metric: str = "margin", *, by: str | None = None, ax: Axes | None = None, lang: Language = "en"
    ) -> Axes:
        """A forest plot of one metric: each arm's effect and interval, in all and by the levels of one column.

        Args:
            metric: The metric.
            by: A column whose levels are shown apart.
            ax: Where to draw; None makes a figure.
            lang: ``"en"`` or ``"zh"``.
        """
        from commlife.effects.figures import forest

        return forest(self, metric, by=by, ax=ax, lang=lang)

    def __repr__(self) -> str:
        whole = self.money[self.money["by"].isna()]
        lines = [f"Readout({self.assignment}, {self.start} to {self.end}, against {self.control!r})"]
        lines += [_line(row) for row in whole.to_dict("records")]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        whole = self.money[self.money["by"].isna()].drop(columns=["by", "level"])
        return in_notebook(f"{self.assignment}, {self.start} to {self.end}", whole)


def _line(row: dict[Any, Any]) -> str:
    text = (
        f"  {row['arm']}: {row['users']:,} users, {row['redemption_rate']:.1%} redeemed, "
        f"{row['incremental_orders']:+,.1f} orders, cost {row['cost']:,.2f}"
    )
    if np.isfinite(row["net_gain"]):
        text += f", net gain {row['net_gain']:+,.2f} ({row['net_gain_low']:+,.2f} to {row['net_gain_high']:+,.2f})"
    return text


def readout(
    log: OrderLog,
    trial: Any,
    *,
    as_of: Timestamp,
    start: Timestamp,
    window: str = "28D",
    assignment: Assignment,
    user_id: str = "user_id",
    arm: str = "arm",
    control: Any = "none",
    shares: Mapping[Any, float] | None = None,
    by: Sequence[str] = (),
    coupons: Sequence[str] = (),
    redemptions: Any = None,
    contact_cost: float = 0.0,
    margin: float | None = None,
    silent_after: str = "28D",
    covariates: Sequence[str] = (),
    cluster: str | None = None,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> Readout:
    """What did it do? Users with a treatment against users without, over a window of the order log.

    All users who were dealt an arm are compared, whether or not they redeemed or ordered. Redemptions of those who
    would have bought anyway are cost without gain: the cost counts every redemption, the gain only what the control
    group did not do by itself.

    Args:
        log: The order log.
        trial: One row a user: identifier, arm, and columns for ``by``, ``covariates`` and ``cluster``.
        as_of: Lines before it count; the window must end by then.
        start: First day of the window: the day on which the treatment went out.
        window: Length of the window.
        assignment: ``"randomised"``: the arms were dealt by chance. Then the sample ratio and what the arms did before
            are tested first, and a trial that fails is refused; means are adjusted for what was done before (CUPED).
            ``"adjusted"``: users were chosen; effects are adjusted for ``covariates`` and what was done before, as far
            as that goes (:func:`~commlife.effects.adjusted_effect`, the effect on those treated).
        user_id: Column of identifiers.
        arm: Column of arms.
        control: The arm without a treatment.
        shares: Meant share of each arm, for the sample-ratio test; None: it is left out.
        by: Columns to read levels of, one after another: the trial's, or ``"community"``, ``"channel"``,
            ``"category"`` of the log (each user's own, by the first order).
        coupons: Identifiers of the coupons, to find redemptions in the log (columns ``coupon_id`` and ``discount``).
        redemptions: One row a redemption instead: ``user_id, cost`` (major units).
        contact_cost: Cost a treated user, whether or not something was redeemed (the message, the call).
        margin: Share of the price before coupons that remains as margin; None: the log's own costs, if it has them.
        silent_after: Users without an order for so long at the start count as silent.
        covariates: Further columns of the trial to adjust for, known before the start.
        cluster: Column of clusters (communities) that were dealt together: errors are cluster-robust.
        confidence_level: Level of the intervals.
        seed: Seed of the cross-fitting.

    Returns:
        :class:`Readout`.

    Raises:
        ConfigError: If a column is missing, an identifier occurs twice, the window is not over, costs of lines are
            missing, or arms that are said to be random were not alike before.
        InsufficientDataError: If an arm has fewer than 5 users.

    References:
        Deng, Xu, Kohavi & Walker (2013), WSDM (CUPED); Fieller (1954), JRSS B 16; Fabijan et al. (2019), KDD.

    Examples:
        >>> import commlife as cl
        >>> community = cl.datasets.make_community(n_users=800, existing_share=1.0, seed=3)
        >>> trial = community.trial()
        >>> result = readout(community.log, trial, as_of=community.as_of, start=trial["issued_on"][0], window="14D",
        ...                  assignment="randomised", coupons=["trial-5"])
        >>> result.of("orders")[["arm", "users", "control_users"]].values.tolist()
        [['trial-5', 688, 626]]
    """
    need_log(log, "readout")
    if not isinstance(assignment, str) or assignment not in get_args(Assignment):
        raise ConfigError(
            f"assignment says how the arms came about: 'randomised' or 'adjusted'; seen {assignment!r:.40}. "
            "Of users who were chosen, a difference shows who was chosen."
        )
    level = in_open_interval(confidence_level, "confidence_level", 0, 1)
    per_contact = in_open_interval(contact_cost, "contact_cost", -1e-300, 1e12)
    if margin is not None:
        in_open_interval(margin, "margin", 0, 1 + 1e-12)
    by, covariates, coupons = (
        column_names(given, name, may_be_empty=True)
        for name, given in (("by", by), ("covariates", covariates), ("coupons", coupons))
    )
    span = _checked_window(log, as_of, start, window)
    for name in ("coupon_id", "discount") if coupons and redemptions is None else ():
        log.require(name, why="reading redemptions from the log")
    names = [name for name in by if name not in ("community", "channel", "category") or name in _columns(trial)]
    wanted = [user_id, arm, *names, *covariates, *([cluster] if cluster else [])]
    data = wide_frame(trial, wanted, "readout")
    ids = pd.Index(identifiers(data, user_id, "readout"))
    if ids.isna().any() or ids.has_duplicates:
        raise ConfigError(
            f"readout: column {user_id!r} names each user once; some stand twice or are null. Keep one row of each."
        )
    arms, code = _checked_arms(data, arm, control)
    facts = trial_facts(log, ids, span, coupons=coupons, redemptions=redemptions, margin=margin)
    facts = _with_outcomes(facts, silent_after, contact_cost=per_contact * (code != arms.index(control)))
    facts = facts.assign(arm=code).reset_index(drop=True)
    facts["cluster"] = label_column(data, cluster, "readout")[1] if cluster else np.arange(len(facts))
    checks = pd.DataFrame({"check": pd.Series(dtype=object), "pvalue": pd.Series(dtype=np.float64)})
    if assignment == "randomised":
        checks = _checked_dealing(facts, arms, control, shares, clustered=cluster is not None)
        method: Randomised | Adjusted = Randomised(level, clustered=cluster is not None)
    else:
        matrix, labels = design_matrix(data, covariates, "readout")
        method = Adjusted(level, pd.DataFrame(matrix, columns=[f"given: {name}" for name in labels]), cluster, seed)
    effects: list[dict[str, Any]] = []
    money: list[dict[str, Any]] = []
    for where, pair in _pairs(facts, _parts(log, data, ids, by, span.start), arms, control):
        found = [where | row for row in method.effects(pair)]
        effects += found
        money.append(where | method.money(pair, {row["metric"]: row for row in found}))
    return Readout(
        effects=_with_qvalues(pd.DataFrame(effects)),
        money=pd.DataFrame(money),
        assignment=assignment,
        control=control,
        start=day_text(span.start),
        end=day_text(span.end),
        confidence_level=level,
        checks=checks,
    )


def _columns(trial: Any) -> list[str]:
    return [str(name) for name in getattr(trial, "columns", ())]


def _checked_window(log: OrderLog, as_of: Timestamp, start: Timestamp, window: str) -> Window:
    first = day_number(start, name="start")
    span = Window(first, first + Duration(window).days)
    until = complete_until(day_number(as_of), log.observation.until)
    if span.end > until:
        raise ConfigError(
            f"readout: the window {day_text(span.start)} to {day_text(span.end)} is not over by {day_text(until)}: "
            "what is not yet known is not zero. Use a shorter window, or wait."
        )
    return span


def _checked_arms(data: Any, arm: str, control: Any) -> tuple[list[Any], NDArray[np.intp]]:
    """The arms, and each user's place among them; refused where there is nothing to compare."""
    arms, code = label_column(data, arm, "readout")
    place_of(control, arms, "readout: control")
    sizes = np.bincount(code, minlength=len(arms))
    if len(arms) < 2 or sizes.min() < LEAST:
        raise InsufficientDataError(
            f"readout needs a control and a treatment of at least {LEAST} users each; "
            f"seen {dict(zip(arms, sizes.tolist(), strict=True))}."
        )
    return arms, code


def _with_outcomes(facts: pd.DataFrame, silent_after: str, *, contact_cost: Any) -> pd.DataFrame:
    """What is measured of each user, from what the log tells."""
    told = facts.assign(
        cost=facts["redemption_cost"] + contact_cost,
        payers=(facts["orders"] > 0).astype(np.float64),
        payers_before=(facts["orders_before"] > 0).astype(np.float64),
        two_or_more=(facts["orders"] >= 2).astype(np.float64),
        silent=facts["days_away"] > Duration(silent_after).days,
    )
    told["reactivated"] = told["payers"]
    if "margin" in told:
        told["net_gain"] = told["margin"] - told["cost"]
    return told


def _pairs(
    facts: pd.DataFrame, parts: list[tuple[str | None, Any, NDArray[np.bool_]]], arms: list[Any], control: Any
) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Each treatment with the control, in each part where both have users enough."""
    without = arms.index(control)
    for column, level, rows in parts:
        part = facts[rows]
        for index, label in enumerate(arms):
            if index == without:
                continue
            pair = part[part["arm"].isin([index, without])]
            pair = pair.assign(treated=(pair["arm"] == index).astype(np.int64))
            if min(pair["treated"].sum(), (1 - pair["treated"]).sum()) >= LEAST:
                yield {"arm": label, "by": column, "level": level}, pair


def _parts(
    log: OrderLog, data: Any, ids: pd.Index[Any], by: Sequence[str], start: int
) -> list[tuple[str | None, Any, NDArray[np.bool_]]]:
    """All users, then the users of each level of each column."""
    parts: list[tuple[str | None, Any, NDArray[np.bool_]]] = [(None, None, np.ones(len(ids), dtype=bool))]
    for name in by:
        if name in data.columns:
            column = pd.Series(data[name].to_list(), dtype=object)
        else:
            column = own_attribute(log, ids, name, start).reset_index(drop=True).astype(object)
        column = column.where(column.notna(), "unknown").astype(str)
        levels = sorted(column.unique())
        if len(levels) > MAX_LEVELS:
            raise ConfigError(f"readout: {name!r} has {len(levels):,} levels, more than {MAX_LEVELS}. Group them.")
        parts += [(name, value, (column == value).to_numpy()) for value in levels]
    return parts


def _checked_dealing(
    facts: pd.DataFrame, arms: list[Any], control: Any, shares: Mapping[Any, float] | None, *, clustered: bool
) -> pd.DataFrame:
    """Sample ratio and differences before the start; refuse what chance cannot have dealt."""
    rows: list[tuple[str, float]] = []
    named = facts.assign(arm=np.array([str(label) for label in arms], dtype=object)[facts["arm"]])
    if shares is not None:
        if not isinstance(shares, Mapping):
            raise ConfigError(f"readout: shares maps arms to their shares; seen {shares!r:.60}.")
        ratio = {str(label): share for label, share in shares.items()}
        rows.append(("sample ratio", sample_ratio(named, treatment="arm", ratio=ratio).pvalue))
    for name in ("orders_before", "amount_before"):
        table = compare(
            named,
            treatment="arm",
            control=str(control),
            outcome=name,
            cluster="cluster" if clustered else None,
        )
        # Several arms: the smallest p-value of so many (Bonferroni).
        rows.append((f"{name} alike", min(1.0, float(table["pvalue"].min()) * len(table))))
    checks = pd.DataFrame(rows, columns=["check", "pvalue"])
    worst = checks.iloc[int(checks["pvalue"].to_numpy().argmin())]
    if worst["pvalue"] * len(checks) < UNBELIEVABLE:
        means = named.groupby("arm")[["orders_before", "amount_before"]].mean().round(2).to_dict("index")
        raise ConfigError(
            f"readout: these arms were not dealt by chance ({worst['check']}: p = {worst['pvalue']:.1g}; before the "
            f"start {means}). Use assignment='adjusted' with covariates=, and call the result adjusted."
        )
    return checks


def _with_qvalues(effects: pd.DataFrame) -> pd.DataFrame:
    """p-values of the levels of one column, adjusted for their number; in all, they stay."""
    if effects.empty:
        raise InsufficientDataError(
            "readout: no arm can be compared with the control. Take a longer window or more users."
        )
    effects["qvalue"] = effects["pvalue"]
    split = effects[effects["by"].notna()]
    if len(split):
        parts = split.groupby(["arm", "by", "metric"], sort=False)["pvalue"]
        adjusted = parts.transform(lambda pvalues: benjamini_hochberg(pvalues.to_numpy()))
        effects.loc[adjusted.index, "qvalue"] = adjusted
    return effects
