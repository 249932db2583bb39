"""A fitted model of repeat buying: it says how many orders each user still brings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator
from scipy.special import ndtr, ndtri

from commlife._model import Fitted
from commlife.errors import ConfigError
from commlife.orders.calendar import Duration, Timestamp
from commlife.value.covariates import effects_of, read_covariates, shift_of
from commlife.value.groups import CovariateEffects, GroupParameters
from commlife.value.histories import Histories, Index, Summary, read_summary
from commlife.value.kernels import Kernel
from commlife.value.likelihood import slopes_by_stratum
from commlife.value.predictions import Predictions
from commlife.value.purchase_model import PurchaseModel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FittedPurchaseModel"]

Array = np.ndarray[Any, np.dtype[np.float64]]

_Z = 1.959963984540054


class FittedPurchaseModel(Fitted):
    """A fitted model of repeat buying: parameters of the population, and predictions for each user.

    Predictions take a purchase summary (pandas, Polars, PyArrow) and give the same kind of frame back: ``user_id`` and
    a value, rows in the order of the summary. They also take an OrderLog with ``as_of``. Times ahead begin at the end
    of the last observed day. Nothing is learned by a prediction: next week's summary is scored with these parameters
    (:func:`~commlife.value.drift_check` says for how long that is right).

    Attributes:
        spec: The spec that was fitted.
        params: Parameters of the population; those with a unit are in ``time_unit``. With covariates, those of a user
            whose covariates are all 0.
        standard_errors: Their standard errors from the observed information; NaN where a parameter is not determined.
        log_covariance: Covariance of the logarithms of the parameters, in the order of ``params``.
        log_likelihood: Log-likelihood of the summary at the parameters, times in ``time_unit`` (without any prior;
            with ``by``, at the parameters of all).
        time_unit: Unit of the time parameters, such as ``"7D"``.
        left_out: Users that the fit left out, by reason: ``existing`` (their life began before the log shows it).
        groups: Each group's parameters, where the spec has ``by``; :meth:`group_params` shows them.
        effects: Coefficients of the covariates, where the spec has some; :meth:`coefficients` shows them.
    """

    kernel: ClassVar[Kernel]

    spec: PurchaseModel
    params: dict[str, float]
    standard_errors: dict[str, float]
    log_covariance: tuple[tuple[float, ...], ...]
    log_likelihood: float
    time_unit: Duration
    left_out: dict[str, int] = Field(default_factory=dict)
    groups: GroupParameters | None = None
    effects: CovariateEffects | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """The parameters of this model, all positive and finite, and what the spec asks for beside them."""
        names = self.kernel.box.names
        if set(self.params) != set(names) or set(self.standard_errors) != set(names):
            raise ValueError(f"params and standard_errors are {', '.join(names)}")
        if not all(np.isfinite(value) and value > 0 for value in self.params.values()):
            raise ValueError(f"params are positive and finite; seen {self.params}")
        if (self.groups is None) != (self.spec.by is None) or (self.effects is None) != (not self.spec.covariates):
            raise ValueError("groups go with by, effects with covariates")
        return self

    def __repr__(self) -> str:
        """One line: the parameters and what they were fitted on."""
        shown = ", ".join(f"{name}={value:.4g}" for name, value in self.params.items())
        beside = [f"per {self.time_unit}", f"{self.fitted_on.users:,} users"]
        if self.spec.prior is not None:
            beside.append(f"{self.spec.prior} prior")
        if self.groups is not None:
            beside.append(f"{len(self.groups.labels):,} groups by {self.groups.by}")
        if self.effects is not None:
            beside.append(f"{len(self.effects.values)} coefficients")
        if self.left_out:
            beside.append(f"left out {self.left_out}")
        return f"{type(self).__name__}({shown}; {', '.join(beside)})"

    def __str__(self) -> str:
        return repr(self)

    def intervals(self, level: float = 0.95) -> pd.DataFrame:
        """Intervals of the parameters: normal on the log scale, where they are nearly so and stay above 0.

        Args:
            level: Share of samples in which the interval should hold the truth, above 0 and below 1.

        Returns:
            A frame with ``parameter, estimate, standard_error, low, high``; nulls where not determined.
        """
        import pandas as pd

        z = float(ndtri(0.5 + 0.5 * _share("level", level)))
        names = self.kernel.box.names
        estimate = np.array([self.params[name] for name in names])
        half = z * np.sqrt(np.diag(np.array(self.log_covariance)))
        return pd.DataFrame(
            {
                "parameter": names,
                "estimate": estimate,
                "standard_error": [self.standard_errors[name] for name in names],
                "low": estimate * np.exp(-half),
                "high": estimate * np.exp(half),
            }
        )

    def group_params(self) -> pd.DataFrame:
        """Parameters of each group: one row a group, by its name.

        Returns:
            A frame with the group's column, ``users``, a column for each parameter, and ``borrowed``: the part of the
            group's mean purchase rate that comes from the whole (near 0 for a large group, near 1 for a tiny one).

        Raises:
            ConfigError: If the model was fitted without ``by``.
        """
        import pandas as pd

        if self.groups is None:
            raise ConfigError(
                f'{type(self).__name__} was fitted without groups; {type(self.spec).__name__}(by="...").'
                " Fit it with them."
            )
        values = np.array(self.groups.params)
        columns = {name: values[:, i] for i, name in enumerate(self.kernel.box.names)}
        return pd.DataFrame(
            {
                self.groups.by: self.groups.labels,
                "users": self.groups.users,
                **columns,
                "borrowed": self.groups.borrowed,
            }
        )

    def coefficients(self) -> pd.DataFrame:
        """What the covariates go with, other things equal.

        Returns:
            A frame with ``of`` (purchases or dropout), ``covariate``, ``coefficient``, ``standard_error``, ``low``,
            ``high`` (95%), ``p_value`` (Wald) and ``ratio``: a user's rate is so many times as high where the
            covariate is higher by one. For purchases above 0 means buys more often, for dropout leaves sooner; BG/NBD
            has two coefficients of dropout, of ``a`` (above 0: leaves sooner) and of ``b`` (above 0: leaves later).

        Raises:
            ConfigError: If the model was fitted without covariates.
        """
        import pandas as pd

        if self.effects is None:
            raise ConfigError(
                f"{type(self).__name__} was fitted without covariates; "
                f'{type(self.spec).__name__}(purchase_covariates=("...",)).'
                " Fit it with them."
            )
        pairs = effects_of(self.kernel, self.spec.purchase_covariates, self.spec.dropout_covariates)
        value = np.array(self.effects.values)
        error = np.sqrt(np.diag(np.array(self.effects.covariance)))[-value.size :]
        return pd.DataFrame(
            {
                "of": [effect.name for effect, _ in pairs],
                "covariate": [name for _, name in pairs],
                "coefficient": value,
                "standard_error": error,
                "low": value - _Z * error,
                "high": value + _Z * error,
                "p_value": 2.0 * ndtr(-np.abs(value) / error),
                "ratio": np.exp(value),
            }
        )

    def expected_purchases(self, data: Any, *, horizon: str, as_of: Timestamp | None = None) -> Any:
        """Expected number of purchase days of each user in the time ahead.

        Args:
            data: A purchase summary, or an OrderLog with ``as_of``.
            horizon: Length of the time ahead, such as ``"273D"``.
            as_of: Local business day; for a log alone.

        Returns:
            A frame with ``user_id`` and ``expected_purchases``.
        """
        summary = self._read(data, as_of, "expected_purchases")
        ahead = Duration(horizon).days
        return summary.give(expected_purchases=self._predictions(summary).purchases(ahead))

    def p_alive(self, data: Any, *, as_of: Timestamp | None = None) -> Any:
        """Probability that each user has not dropped out for good.

        Dropping out is not seen, only inferred. Under BG/NBD it is 1 for everybody with ``x = 0``, by construction;
        :meth:`p_silent` answers the question that can be checked later, for one-time buyers too.

        Returns:
            A frame with ``user_id`` and ``p_alive``.
        """
        summary = self._read(data, as_of, "p_alive")
        return summary.give(p_alive=self._predictions(summary).p_alive)

    def p_silent(self, data: Any, *, horizon: str, as_of: Timestamp | None = None) -> Any:
        """Probability that each user places no order in the time ahead: gone, or here and not buying yet.

        Args:
            data: A purchase summary, or an OrderLog with ``as_of``.
            horizon: Length of the time ahead, such as ``"28D"``.
            as_of: Local business day; for a log alone.

        Returns:
            A frame with ``user_id`` and ``p_silent``.
        """
        summary = self._read(data, as_of, "p_silent")
        return summary.give(p_silent=self._predictions(summary).p_silent(Duration(horizon).days))

    def purchase_distribution(self, data: Any, *, horizon: str, most: int = 10, as_of: Timestamp | None = None) -> Any:
        """Probability of each number of purchase days in the time ahead.

        Args:
            data: A purchase summary, or an OrderLog with ``as_of``.
            horizon: Length of the time ahead, such as ``"91D"``.
            most: Largest number that gets a column of its own, 0 to 1000.
            as_of: Local business day; for a log alone.

        Returns:
            A frame with ``user_id``, ``p_0``, ``p_1``, ..., ``p_<most>`` and ``p_more``; each row adds up to 1.
        """
        if isinstance(most, bool) or not isinstance(most, int) or not 0 <= most <= 1000:
            raise ConfigError(f"most is a whole number from 0 to 1000; seen {most!r}.")
        summary = self._read(data, as_of, "purchase_distribution")
        table = self._predictions(summary).distribution(Duration(horizon).days, most)
        columns = {f"p_{k}": table[:, k] for k in range(most + 1)}
        return summary.give(**columns, p_more=table[:, -1])

    def median_days_to_next_order(self, data: Any, *, as_of: Timestamp | None = None) -> Any:
        """Days until an order is as likely as not to have come; null where it is less likely than not to come at all.

        The mean is infinite under dropout, so the median is what can be said.

        Returns:
            A frame with ``user_id`` and ``median_days_to_next_order``.
        """
        summary = self._read(data, as_of, "median_days_to_next_order")
        return summary.give(median_days_to_next_order=self._predictions(summary).median_days())

    def score(self, data: Any, *, as_of: Timestamp | None = None) -> float:
        """Log-likelihood of a summary under these parameters, times in ``time_unit``; for held-out users."""
        summary = read_summary(data, as_of=as_of, ids=False, extra=self.spec.columns, what="score")
        p, stratum = self._strata(summary)
        histories = Histories.of(summary, stratum)
        return float(slopes_by_stratum(self.kernel, histories, p, self.time_unit.days)[0].sum())

    def _read(self, data: Any, as_of: Timestamp | None, method: str) -> Summary:
        return read_summary(data, as_of=as_of, extra=self.spec.columns, what=f"{type(self).__name__}.{method}")

    def _predictions(self, summary: Summary) -> Predictions:
        p, stratum = self._strata(summary)
        return Predictions(self.kernel, p, float(self.time_unit.days), summary, stratum)

    def _strata(self, summary: Summary) -> tuple[Array, Index | None]:
        """Parameters of each stratum, shape (4, n), and the stratum of each user (None where all share one)."""
        base = np.array([self.params[name] for name in self.kernel.box.names])[:, None]
        if self.groups is not None:
            own = np.array(self.groups.params, dtype=np.float64).T
            return np.hstack([own, base]), self.groups.code(summary)
        if self.effects is not None:
            design = read_covariates(summary, self.spec.covariates, type(self).__name__)
            return base * np.exp(self._shift(design.values, np.array(self.effects.values))), design.stratum
        return base, None

    def _moved(self, summary: Summary, p: Array, step: float) -> list[tuple[Array, Array, float]]:
        """Parameters of the strata with each log parameter and coefficient moved up and down, and how far apart.

        A coefficient moves by ``step`` over the size of its covariate: in metres or kilometres, the parameters of a
        usual user move by as much.
        """
        steps, axes = [step] * len(p), [np.eye(len(p))[:, [j]] * step for j in range(len(p))]
        if self.effects is not None:
            names = self.spec.covariates
            values = read_covariates(summary, names, type(self).__name__).values
            sizes = np.sqrt((values**2).mean(axis=0)) if len(values) else np.ones(len(names))
            sizes = np.where(sizes > 0, sizes, 1.0)
            effects = effects_of(self.kernel, self.spec.purchase_covariates, self.spec.dropout_covariates)
            own = [step / float(sizes[list(names).index(name)]) for _, name in effects]
            axes += [self._shift(values, row) for row in np.diag(own)]
            steps += own
        return [(p * np.exp(axis), p * np.exp(-axis), 2.0 * wide) for axis, wide in zip(axes, steps, strict=True)]

    def _errors(self, users: int, stratum: Index | None) -> tuple[Index, Array]:
        """Covariances of the log parameters (and coefficients), and which one holds for each user."""
        if self.groups is not None and stratum is not None:
            # The model's groups err apart from one another; users of none err as the parameters of all do.
            return stratum, np.concatenate([np.array(self.groups.log_covariance), np.array(self.log_covariance)[None]])
        covariance = np.array(self.log_covariance if self.effects is None else self.effects.covariance)
        return np.zeros(users, dtype=np.intp), covariance[None]

    def _carried(self, slopes: list[Array], codes: Index, n: int, stratum: Index | None) -> Array:
        """Variance of the totals of ``n`` groups (codes, -1 for none) and of all, by the errors of the parameters.

        Args:
            slopes: Derivatives of what is summed by each parameter, one value a user.
            codes: The group of each user.
            n: Number of groups.
            stratum: Stratum of each user; None if all share one.
        """
        strata, covariances = self._errors(codes.size, stratum)
        # One cell for each stratum of each group that occurs; the last group is everybody.
        known = codes >= 0
        keys = np.concatenate([codes[known] * len(covariances) + strata[known], n * len(covariances) + strata])
        cells, cell = np.unique(keys, return_inverse=True)
        sums = np.stack([np.bincount(cell, np.concatenate([slope[known], slope]), cells.size) for slope in slopes])
        of_cell = np.einsum("ic,cij,jc->c", sums, covariances[cells % len(covariances)], sums)
        answer: Array = np.bincount(cells // len(covariances), of_cell, n + 1).astype(np.float64)
        return answer

    def _shift(self, values: Array, coefficients: Array) -> Array:
        effects = effects_of(self.kernel, self.spec.purchase_covariates, self.spec.dropout_covariates)
        return shift_of(self.kernel, effects, self.spec.covariates, values, coefficients)


def _share(name: str, value: Any) -> float:
    number = isinstance(value, (int, float, np.floating)) and not isinstance(value, bool)
    if not number or not 0 < value < 1:
        raise ConfigError(f"{name} is a share above 0 and below 1, such as 0.95; seen {value!r}.")
    return float(value)
