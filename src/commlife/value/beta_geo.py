"""BG/NBD and MBG/NBD: users buy at their own rate and may leave after any purchase."""

from __future__ import annotations

from typing import Any, ClassVar

from commlife.orders.calendar import Timestamp
from commlife.value.kernel_beta_geo import BetaGeoKernel
from commlife.value.kernels import Kernel
from commlife.value.purchase_model import PurchaseModel
from commlife.value.purchases import FittedPurchaseModel

__all__ = ["BetaGeo", "FittedBetaGeo", "FittedModifiedBetaGeo", "ModifiedBetaGeo"]


class BetaGeo(PurchaseModel):
    """BG/NBD: purchase rates ~ Gamma(r, alpha); after each repeat purchase a user leaves with p ~ Beta(a, b).

    Source: Fader, Hardie & Lee (2005), "Counting your customers the easy way: an alternative to the Pareto/NBD model",
    Marketing Science 24(2).

    Args:
        prior: None for plain maximum likelihood, ``"weak"`` for weakly informative priors (MAP).
        by: A column or an attribute of the log, such as ``"community"``, whose values get parameters of their own.
        purchase_covariates: Numeric columns that may go with how often a user buys.
        dropout_covariates: Numeric columns that may go with leaving.

    Examples:
        >>> import commlife.value as value
        >>> summary = value.simulate_summary("BetaGeo", {"r": 0.5, "alpha": 5.0, "a": 0.8, "b": 2.5},
        ...                                  n_users=2000, T="273D", time_unit="7D", seed=1)
        >>> bg = value.BetaGeo().fit(summary, time_unit="7D")
        >>> sorted(bg.params)
        ['a', 'alpha', 'b', 'r']
        >>> bg.expected_purchases(summary, horizon="91D").columns.tolist()
        ['user_id', 'expected_purchases']
    """

    kernel: ClassVar[Kernel] = BetaGeoKernel(at_first=0)

    def fit(self, data: Any, *, as_of: Timestamp | None = None, time_unit: str = "7D") -> FittedBetaGeo:
        """Estimate the parameters by maximum likelihood.

        Args:
            data: A purchase summary (``user_id, x, t_x, T`` in days), or an OrderLog with ``as_of``.
            as_of: Local business day; for a log alone.
            time_unit: Unit of ``alpha``.

        Raises:
            SchemaError: If the summary holds impossible values.
            InsufficientDataError: If nobody bought again, or the data do not determine the parameters.
        """
        return FittedBetaGeo(spec=self, **self._estimate(data, as_of, time_unit))


class FittedBetaGeo(FittedPurchaseModel):
    """A fitted BG/NBD model; see :class:`FittedPurchaseModel` for its predictions.

    Attributes:
        spec: The spec that was fitted.
    """

    kernel: ClassVar[Kernel] = BetaGeo.kernel

    spec: BetaGeo


class ModifiedBetaGeo(PurchaseModel):
    """MBG/NBD: as BG/NBD, but a user may leave after the very first purchase too.

    So one-time buyers may be gone, and P(alive) falls for them as time goes by.

    Source: Batislam, Denizel & Filiztekin (2007), International Journal of Research in Marketing 24(3); Hoppe & Wagner
    (2007), Marketing JRM 3(2).

    Args:
        prior: None for plain maximum likelihood, ``"weak"`` for weakly informative priors (MAP).
        by: A column or an attribute of the log, such as ``"community"``, whose values get parameters of their own.
        purchase_covariates: Numeric columns that may go with how often a user buys.
        dropout_covariates: Numeric columns that may go with leaving.

    Examples:
        >>> import commlife.value as value
        >>> summary = value.simulate_summary("ModifiedBetaGeo", {"r": 0.5, "alpha": 6.0, "a": 0.9, "b": 1.6},
        ...                                  n_users=2000, T="273D", time_unit="7D", seed=1)
        >>> value.ModifiedBetaGeo().fit(summary, time_unit="7D").time_unit
        '7D'
    """

    kernel: ClassVar[Kernel] = BetaGeoKernel(at_first=1)

    def fit(self, data: Any, *, as_of: Timestamp | None = None, time_unit: str = "7D") -> FittedModifiedBetaGeo:
        """Estimate the parameters by maximum likelihood; arguments and errors as in :meth:`BetaGeo.fit`."""
        return FittedModifiedBetaGeo(spec=self, **self._estimate(data, as_of, time_unit))


class FittedModifiedBetaGeo(FittedPurchaseModel):
    """A fitted MBG/NBD model; see :class:`FittedPurchaseModel` for its predictions.

    Attributes:
        spec: The spec that was fitted.
    """

    kernel: ClassVar[Kernel] = ModifiedBetaGeo.kernel

    spec: ModifiedBetaGeo
