"""BG/NBD and MBG/NBD: users buy at their own rate and may leave after any purchase."""

from __future__ import annotations

from typing import Any, ClassVar

from commlife.orders.calendar import Duration, Timestamp
from commlife.value.histories import read_summary
from commlife.value.kernels import BetaGeoKernel, Kernel
from commlife.value.purchases import FittedPurchaseModel, PurchaseModel

__all__ = ["BetaGeo", "FittedBetaGeo", "FittedModifiedBetaGeo", "ModifiedBetaGeo"]


class BetaGeo(PurchaseModel):
    """BG/NBD: purchase rates ~ Gamma(r, alpha); after each repeat purchase a user leaves with p ~ Beta(a, b).

    Source: Fader, Hardie & Lee (2005), "Counting your customers the easy way: an alternative to the Pareto/NBD model",
    Marketing Science 24(2).

    Args:
        prior: None for plain maximum likelihood, ``"weak"`` for weakly informative priors (MAP).

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
        unit = Duration(time_unit)
        summary = read_summary(data, as_of=as_of, ids=False, what="BetaGeo")
        return FittedBetaGeo(spec=self, **self._estimate(summary, unit))


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
        unit = Duration(time_unit)
        summary = read_summary(data, as_of=as_of, ids=False, what="ModifiedBetaGeo")
        return FittedModifiedBetaGeo(spec=self, **self._estimate(summary, unit))


class FittedModifiedBetaGeo(FittedPurchaseModel):
    """A fitted MBG/NBD model; see :class:`FittedPurchaseModel` for its predictions.

    Attributes:
        spec: The spec that was fitted.
    """

    kernel: ClassVar[Kernel] = ModifiedBetaGeo.kernel

    spec: ModifiedBetaGeo
