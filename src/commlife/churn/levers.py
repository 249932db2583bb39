"""Levers: what the operator can pull, and whether pulling goes together with less silence once the rest is evened out.

A driver table says what goes together with silence. A lever is one step further: it is compared between users who were
alike before, as far as what was recorded tells. The estimator lives in :mod:`commlife.effects`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from commlife._caveats import warn
from commlife._text.notebook import Shown
from commlife.churn.catalogue import CATALOGUE, Feature
from commlife.churn.lever_words import lever_sentence
from commlife.churn.panel import Panel, row_order
from commlife.churn.yardsticks import is_fragile, measure
from commlife.effects import AdjustedEffect, adjusted_effect, sample_size
from commlife.errors import ConfigError, InsufficientDataError, ModelWarning
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from commlife.churn.host import HostFeatures
    from commlife.churn.model import SilenceModel
    from commlife.orders import OrderLog
    from commlife.orders.calendar import Timestamp

__all__ = ["LeverEffect", "lever_drivers", "lever_effect"]

Array = np.ndarray[Any, np.dtype[np.float64]]

#: User-snapshots on which an effect is estimated at most: beyond, the interval is far narrower than what is unknown.
MAX_ROWS = 200_000
#: Levers of the catalogue that count orders: whoever has one has ordered, and who has ordered is less likely silent.
_COUNTS = {"subsidised_orders_28", "coupon_orders_90"}
_OURS = {feature.name for feature in CATALOGUE}


@dataclass(frozen=True, repr=False)
class LeverEffect(Shown):
    """An adjusted effect of a lever on the probability of silence, and how far it can be trusted.

    Attributes:
        treatment: The lever.
        effect: The estimate with its interval, overlap, balance and sensitivity, in the unit of the probability
            (-0.05 is five points less silence).
        users: Users behind it.
        covariates: What it is adjusted for.
        yardsticks: ``covariate, outcome, treatment, moves, could_move``: for the groups of recorded covariates that
            differ most between the two sides, what they explain of the outcome and add to the weights, by how much the
            estimate moves without them, and by how much a hidden confounder as strong could move it further.
        fragile: Whether something speaks against relying on it: the interval holds 0, or would hold it beside a hidden
            confounder as strong as the strongest yardstick; or no yardstick is long enough to measure with (it could
            move the effect by less than the standard error); or adjusting shrank a difference that keeps its sign,
            as it does where the records of a confounder are noisy; or the lever counts orders. The sentence says
            which. That it is not fragile is no proof: something stronger may be missing.
        trial_users: Users that a trial needs to find an effect of this size with 80% power, both arms together; None
            where the estimate is 0.
        caveats: Where the two sides overlap badly or stay unlike; warned about as well.
        sentence: What it says, in English.
        sentence_zh: The same in Chinese.
    """

    treatment: str
    effect: AdjustedEffect
    users: int
    covariates: tuple[str, ...]
    yardsticks: pd.DataFrame
    fragile: bool
    trial_users: int | None
    caveats: tuple[str, ...]
    sentence: str
    sentence_zh: str

    def to_frame(self) -> pd.DataFrame:
        """One row: the lever, the numbers of the effect, whether it holds, the users of a trial."""
        frame = self.effect.to_frame()
        frame.insert(0, "treatment", self.treatment)
        return frame.assign(users=self.users, fragile=self.fragile, trial_users=self.trial_users)

    def __repr__(self) -> str:
        return f"LeverEffect({self.sentence})"

    def plot(self, ax: Axes | None = None, *, lang: str = "en") -> Axes:
        """Raw difference, adjusted effect, and what hidden confounders as strong as the recorded ones leave of it."""
        from commlife.churn.figures import draw_lever

        return draw_lever(self, ax, lang)


def lever_effect(
    panel: Panel,
    *,
    treatment: str,
    above: float | None = None,
    covariates: Sequence[str] | None = None,
    lagged: bool = False,
    estimand: Literal["all", "treated"] = "all",
    learner: Literal["linear", "boosting"] = "linear",
    trim: float = 0.02,
    folds: int = 5,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> LeverEffect:
    """Does this lever go together with less silence, between users who were alike before?

    Cross-fitted augmented inverse propensity weighting (:func:`commlife.effects.adjusted_effect`) over the labelled
    snapshots of a panel, with errors clustered by user. It is right only if everything that moved both the lever and
    the silence is among the covariates; no data can prove that. The result says how strong something unrecorded would
    have to be to explain the effect away, and how many users a trial needs.

    Args:
        panel: What :meth:`SilencePanel.build` made, with the lever among its features: one of the catalogue, or the
            host's own (:class:`HostFeatures`), such as "got a coupon this morning".
        treatment: The lever. It must be 0 or 1, unless ``above`` is given.
        above: Users whose value lies above it count as treated.
        covariates: Features known before the lever was pulled; None takes all others (for a lever of the catalogue
            all but its sisters, which tell the same). What the lever has changed already must not be among them: name
            them yourself, or use ``lagged``.
        lagged: Take covariates from the user's snapshot before (they cannot have been changed since); users without
            one are left out.
        estimand: ``"all"`` or ``"treated"``.
        learner: ``"linear"`` or ``"boosting"``.
        trim: Users with a propensity within this of 0 or 1 are left out (and counted).
        folds: Folds of the cross-fitting.
        confidence_level: Level of the interval.
        seed: Seed of folds and learners.

    Raises:
        ConfigError: If the lever is not in the panel, is a state, or is not 0 or 1.
        InsufficientDataError: If one side has too few users, or nobody has a snapshot before.

    Examples:
        >>> import commlife as cl
        >>> community = cl.datasets.make_community(n_users=600, seed=2)
        >>> panel = cl.SilencePanel(snapshots=1).build(community.log, as_of=community.as_of)
        >>> before = ("first_order_value", "tenure_days", "community_active")
        >>> told = lever_effect(panel, treatment="first_subsidised", covariates=before)
        >>> told.effect.effect_size_ci_lower <= told.effect.effect_size <= told.effect.effect_size_ci_upper
        True
    """
    if not isinstance(panel, Panel):
        raise ConfigError(
            f"lever_effect takes a Panel (SilencePanel(...).build(log, ...)); seen {type(panel).__name__}."
        )
    features = {feature.name: feature for feature in panel.features}
    if treatment not in features:
        raise ConfigError.unknown_name("lever_effect: treatment", treatment, features)
    if treatment in _OURS and features[treatment].kind == "state":
        raise ConfigError(
            f"lever_effect: {treatment!r} is a state of the user; nobody can pull it. Name a lever, or give the host's "
            'own as HostFeatures with kind="lever".'
        )
    chosen = _covariates(features, treatment, covariates)
    table = _rows(panel, treatment, chosen, above, lagged=lagged)
    call: dict[str, Any] = {
        "treatment": treatment, "outcome": "silent", "cluster": "owner" if table["owner"].duplicated().any() else None,
        "estimand": estimand, "learner": learner, "trim": trim, "folds": folds, "confidence_level": confidence_level,
        "seed": seed,
    }  # fmt: skip
    names = [*chosen, *(["snapshot"] if table["snapshot"].nunique() > 1 else [])]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ModelWarning)
        effect = adjusted_effect(table, covariates=names, **call)
    caveats = tuple(str(one.message) for one in caught)
    if treatment in _COUNTS:
        caveats += (
            f"{treatment} counts orders: users who have one have ordered, itself a sign of staying. The effect "
            'mixes both. Give the host\'s own lever ("was sent a coupon") as HostFeatures, or use subsidised_share.',
        )
    for caveat in caveats:
        warn(caveat, ModelWarning)
    yardsticks = measure(table, chosen, names, effect, call)
    size = abs(effect.effect_size)
    fragile = is_fragile(effect, yardsticks) or treatment in _COUNTS
    share = float(table["silent"].mean())
    trial = (
        sample_size(effect=size, standard_deviation=float(np.sqrt(share * (1 - share))))
        if 0 < share < 1 and size
        else None
    )
    words = [
        lever_sentence(features[treatment], effect, yardsticks, trial, features, panel.spec.horizon, lang)
        for lang in ("en", "zh")
    ]
    users = int(table["owner"].nunique())
    return LeverEffect(treatment, effect, users, tuple(chosen), yardsticks, fragile, trial, caveats, *words)


def lever_drivers(
    log: OrderLog,
    *,
    as_of: Timestamp,
    spec: SilenceModel | None = None,
    host: HostFeatures | None = None,
    lang: str = "en",
) -> pd.DataFrame:
    """The driver table of levers alone, from a model that sees levers and context but no states.

    A state (days away, orders of late) is often what a lever works through: beside it, a lever looks as if it did
    nothing. Here states are left out, so the association of a lever is that of all it goes together with, good or
    bad: users at risk are given more coupons, and that is in these numbers too. They tell where to look;
    :func:`lever_effect` compares like with like, and a trial settles it.

    Args:
        log: The order log, with a discount, a coupon or a list price.
        as_of: The local business day.
        spec: The model to fit, its ``kinds`` set to levers and context; None takes the defaults.
        host: The host's own features: those of kind ``state`` are left out.
        lang: ``"en"`` or ``"zh"``.

    Returns:
        The columns of :meth:`FittedSilenceModel.drivers`, for groups and features that are levers.

    Raises:
        ConfigError: If neither the log nor the host has a lever.
    """
    need_log(log, "lever_drivers")
    from commlife.churn.host import HostFeatures
    from commlife.churn.model import SilenceModel

    plain = (SilenceModel() if spec is None else spec).model_dump()
    levers = SilenceModel(**{**plain, "kinds": ("lever", "context")})
    if host is not None:
        kept = tuple(feature for feature in host.features if feature.kind != "state")
        host = HostFeatures(host.make, kept) if kept else None
    model = levers.fit(log, as_of=as_of, host=host)
    if not any(feature.kind == "lever" for feature in model.features):
        raise ConfigError(
            "lever_drivers: there is no lever: name a discount, a list amount or a coupon in the log, or give the "
            'host\'s own as HostFeatures with kind="lever".'
        )
    table = model.drivers(lang=lang)
    return table[table["kind"] == "lever"].reset_index(drop=True)


def _covariates(features: dict[str, Feature], treatment: str, named: Sequence[str] | None) -> list[str]:
    if named is None:
        sisters = (
            {name for name, feature in features.items() if feature.kind == "lever"} if treatment in _OURS else set()
        )
        if treatment in _OURS:
            sisters.add("first_subsidised")
        return [name for name in features if name != treatment and name not in sisters]
    if isinstance(named, str) or not named:
        raise ConfigError(f"lever_effect: covariates is a list of features, or None; seen {named!r:.60}.")
    for name in named:
        if name not in features:
            raise ConfigError.unknown_name("lever_effect: the covariate", name, features)
    if treatment in named:
        raise ConfigError(
            f"lever_effect: {treatment!r} is the treatment; it cannot be a covariate too. Leave it out of covariates."
        )
    return list(dict.fromkeys(named))


def _rows(panel: Panel, treatment: str, covariates: list[str], above: float | None, *, lagged: bool) -> pd.DataFrame:
    """One row a user-snapshot: covariates, treatment as 0 and 1, outcome, owner, snapshot."""
    labelled = tuple(snapshot for snapshot in panel.snapshots if snapshot.silent is not None)
    order, owner = row_order(labelled)
    parts = [
        s.features[[treatment, *covariates]].assign(silent=s.silent, snapshot=s.day, place=k)
        for k, s in enumerate(labelled)
    ]
    whole = pd.concat(parts, ignore_index=True).assign(owner=owner)
    if lagged:
        before = whole[["owner", "place", *covariates]].assign(place=whole["place"] + 1)
        whole = whole.drop(columns=covariates).merge(before, on=["owner", "place"], how="inner", validate="1:1")
        if whole.empty:
            raise InsufficientDataError(
                "lever_effect: lagged needs users active at two snapshots running; the panel has none. Use more "
                "snapshots."
            )
        whole = whole.sort_values(["place", "owner"], ignore_index=True)
    else:
        whole = whole.iloc[order].reset_index(drop=True)
    if len(whole) > MAX_ROWS:
        # Whole users, evenly over their order, which their histories decide and not their names.
        stride = -(-len(whole) // MAX_ROWS)
        whole = whole[whole["owner"] % stride == 0].reset_index(drop=True)
    values = whole[treatment].to_numpy()
    if np.isnan(values).any():
        raise ConfigError(
            f"lever_effect: {treatment!r} has no value for {int(np.isnan(values).sum()):,} of {len(values):,} "
            "user-snapshots; say for each user whether the lever was pulled (0 or 1)."
        )
    if above is None:
        if not np.isin(values, (0.0, 1.0)).all():
            raise ConfigError(
                f"lever_effect: {treatment!r} has values from {values.min():.4g} to {values.max():.4g}; give above=, "
                "the value from which on a user counts as treated."
            )
    elif isinstance(above, bool) or not isinstance(above, int | float) or not np.isfinite(above):
        raise ConfigError(f"lever_effect: above is a finite number; seen {above!r:.40}.")
    else:
        values = (values > above).astype(np.float64)
    return whole.assign(**{treatment: values})
