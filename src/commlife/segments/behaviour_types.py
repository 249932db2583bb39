"""Behaviour types: kinds of users that the data itself falls into, by a mixture of normal distributions (EM)."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from commlife._caveats import warn
from commlife._model import FittedOn, Spec, library_version
from commlife.errors import ConfigError, InsufficientDataError, ModelWarning
from commlife.features.behaviour import BEHAVIOUR, behaviour_of, behaviours
from commlife.orders.calendar import Timestamp, day_number, day_text
from commlife.orders.log import need_log
from commlife.segments.fitted_types import FittedBehaviourTypes, Scale, TypeShape, named, transformed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from commlife.orders import OrderLog

__all__ = ["BehaviourTypes"]

#: Users that the mixture is learned from: more change its third digit and cost in proportion.
_MOST_USERS = 20_000
#: Variance (of standardised numbers) added to every type: spikes of equal users are no type of their own.
_FLOOR = 0.05
#: Standardised numbers are bounded: one giant account does not make a type.
_BOUND = 4.0


class BehaviourTypes(Spec):
    """Find the kinds of users that a log falls into, and how sure each user belongs to one.

    The behaviour of a user (how recently, how often, for how much, how many units and categories, at which discount,
    on weekends or not; what the log can tell) is put on a logarithmic scale where it is skewed, standardised, and
    described by a mixture of normal distributions, fitted by EM (Dempster, Laird & Rubin 1977; scikit-learn's). The
    number of types is that with the lowest Bayesian information criterion (Schwarz 1978) among those whose smallest
    type holds at least ``min_share`` of the users. The whole is frozen: later users are told by the same types.

    Types are a description and no discovery of nature: look at ``bic`` whether the number is clear, and at
    ``certainty`` whether users are.

    Args:
        n_types: Number of types; None lets the criterion choose from 1 to ``max_types``.
        max_types: Most types to try.
        min_share: Least share of users in a type, from 0 to 0.5.
        behaviour: Which numbers to use (names of ``commlife.segments.BEHAVIOUR``); None: all that the log can tell.
        restarts: Starts of EM; the likeliest solution is kept.
        seed: Decides the starts and, above 20,000 users, which of them the types are learned from.
        lang: Language of the types' names, ``"en"`` or ``"zh"``.

    Examples:
        >>> import commlife as cl
        >>> log = cl.datasets.make_community(n_users=400, seed=1).log
        >>> types = cl.BehaviourTypes(n_types=3).fit(log, as_of="2025-06-30")
        >>> types.table.columns.tolist()[:4]
        ['type', 'name', 'users', 'share']
        >>> types.transform(log, as_of="2025-06-30").columns.tolist()
        ['user_id', 'type', 'name', 'certainty', 'p_1', 'p_2', 'p_3']
    """

    n_types: Annotated[int, Field(ge=1, le=30, strict=True)] | None = None
    max_types: Annotated[int, Field(ge=1, le=30, strict=True)] = 8
    min_share: Annotated[float, Field(ge=0, le=0.5)] = 0.03
    behaviour: tuple[str, ...] | None = None
    restarts: Annotated[int, Field(ge=1, le=100, strict=True)] = 3
    seed: Annotated[int, Field(ge=0, strict=True)] = 0
    lang: Literal["en", "zh"] = "en"

    @model_validator(mode="after")
    def _knows_its_behaviour(self) -> Self:
        for name in self.behaviour or ():
            if name not in BEHAVIOUR:
                raise ConfigError.unknown_name("behaviour", name, BEHAVIOUR)
        if self.behaviour is not None and not 1 <= len(set(self.behaviour)) == len(self.behaviour):
            raise ConfigError(f"behaviour names each number once, and at least one; seen {list(self.behaviour)!r:.80}.")
        return self

    def fit(self, log: OrderLog, *, as_of: Timestamp) -> FittedBehaviourTypes:
        """Learn the types from the payers at ``as_of``.

        Raises:
            ConfigError: If the log cannot tell a behaviour that was asked for.
            InsufficientDataError: If there are fewer than 20 payers a type, or all behave alike.

        Warns:
            ModelWarning: If the number of types tried last still had the lowest criterion, or users lie between types.
        """
        need_log(log, "BehaviourTypes.fit")
        day, names = day_number(as_of), self._behaviour_of(log)
        users = behaviours(log, day, names)
        if len(users) < 20 * (self.n_types or 1):
            raise InsufficientDataError(
                f"BehaviourTypes needs 20 payers a type before {day_text(day)}, the log holds {len(users):,}. "
                "Use fewer types, or a later as_of."
            )
        scales = _scales(users, names)
        values = transformed(users, scales)
        if not (values.std(axis=0) > 0).any():
            raise InsufficientDataError(
                "types need users who behave differently; all are alike in every number."
                " Use a longer log, or other numbers in behaviour."
            )
        # By what they do and not by who they are: neither the order of rows nor the ids decide anything.
        learned = values[np.lexsort(values.T[::-1])]
        if len(learned) > _MOST_USERS:
            learned = learned[np.random.default_rng(self.seed).permutation(len(learned))[:_MOST_USERS]]
        mixture, criterion = self._mixture(learned)
        shapes = _shapes(mixture, names, scales)
        fitted = FittedBehaviourTypes(
            spec_json=self.to_json(),
            behaviour=names,
            scales=scales,
            shares=users.attrs["shares"],
            types=shapes,
            criterion=tuple(criterion),
            lang=self.lang,
            users_of_type=(),
            certainty=0.0,
            fitted_on=FittedOn(as_of=day_text(day), rows=len(learned), users=len(users), version=library_version()),
        )
        member = fitted.posterior(users)
        counts = np.bincount(member.argmax(axis=1), minlength=len(shapes))
        fitted = fitted.model_copy(
            update={"users_of_type": tuple(int(n) for n in counts), "certainty": float(member.max(axis=1).mean())}
        )
        self._warn(fitted)
        return fitted

    def _behaviour_of(self, log: OrderLog) -> tuple[str, ...]:
        able = behaviour_of(log)
        names = able if self.behaviour is None else self.behaviour
        unable = [name for name in names if name not in able]
        if unable:
            raise ConfigError(
                f"this log cannot tell {', '.join(unable)}; it can tell {', '.join(able)}."
                " Leave the others out, or name their columns in OrderLog.from_frame."
            )
        return names

    def _mixture(self, values: NDArray[np.float64]) -> tuple[Any, list[tuple[int, float, float]]]:
        """The chosen mixture, and of each number of types the criterion and the smallest share."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        numbers = range(1, self.max_types + 1) if self.n_types is None else [self.n_types]
        found, criterion = {}, []
        for k in numbers:
            if len(values) < 20 * k:
                break
            model = GaussianMixture(
                n_components=k, covariance_type="full", reg_covar=_FLOOR, n_init=self.restarts, max_iter=300,
                random_state=self.seed,
            )  # fmt: skip
            with warnings.catch_warnings():
                # The likelihood creeps at the end: what little it would gain changes no user's type.
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(values)
            found[k] = model
            criterion.append((k, float(model.bic(values)), float(model.weights_.min())))
        allowed = [each for each in criterion if each[2] >= self.min_share] or criterion[:1]
        return found[min(allowed, key=lambda each: each[1])[0]], criterion

    def _warn(self, fitted: FittedBehaviourTypes) -> None:
        k = len(fitted.types)
        if self.n_types is None and k == self.max_types > 1:
            warn(
                f"{k} types, the most that were tried, have the lowest criterion: the users are spread out rather than "
                "clustered. Take the number that you can work with (n_types=4), or raise max_types.",
                ModelWarning,
            )
        if k > 1 and fitted.certainty < 0.7:
            warn(
                f"users belong to their type with {fitted.certainty:.0%} on average: the types overlap. Use fewer "
                "types, or work with the soft membership p_1, p_2, ...",
                ModelWarning,
            )


def _scales(users: pd.DataFrame, names: tuple[str, ...]) -> tuple[Scale, ...]:
    """Where each number is logarithmic, its floor, its mean and its spread."""
    made = []
    for name in names:
        raw = np.sort(users[name].to_numpy(dtype=np.float64))
        floor = None
        if not name.endswith("_share"):
            # A hundredth of the median: money has no natural zero, and its unit must not matter.
            floor = 1.0 if name == "recency_days" else max(float(np.median(raw)) / 100.0, 1e-9)
        scale = Scale(name=name, floor=floor, mean=0.0, spread=1.0, bound=np.inf)
        values = transformed(pd.DataFrame({name: raw}), (scale,))[:, 0]
        spread = float(values.std())
        spread = spread if spread > 1e-9 else 1.0
        made.append(Scale(name=name, floor=floor, mean=float(values.mean()), spread=spread, bound=_BOUND))
    return tuple(made)


def _shapes(mixture: Any, names: tuple[str, ...], scales: tuple[Scale, ...]) -> tuple[TypeShape, ...]:
    """The types, the most worthwhile first, each with a name from what sets it apart."""
    means = mixture.means_
    worth = np.zeros(len(means))
    for name in ("orders_per_28d", "mean_order"):
        if name in names:
            at = names.index(name)
            worth += means[:, at] * scales[at].spread
    order = np.lexsort((*means.T[::-1], -worth))
    called = [named(means[order], names, lang) for lang in ("en", "zh")]
    return tuple(
        TypeShape(
            number=place + 1,
            name_en=called[0][place],
            name_zh=called[1][place],
            weight=float(mixture.weights_[k]),
            mean=tuple(means[k].tolist()),
            covariance=tuple(tuple(row) for row in mixture.covariances_[k].tolist()),
        )
        for place, k in enumerate(order)
    )
