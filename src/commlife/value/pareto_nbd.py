"""Pareto/NBD: users buy at their own rate until they leave, unseen, at any moment."""

from __future__ import annotations

from typing import Any, ClassVar

from commlife.orders.calendar import Timestamp
from commlife.value.kernel_pareto import ParetoNBDKernel
from commlife.value.kernels import Kernel
from commlife.value.purchase_model import PurchaseModel
from commlife.value.purchases import FittedPurchaseModel

__all__ = ["FittedParetoNBD", "ParetoNBD"]


class ParetoNBD(PurchaseModel):
    """Pareto/NBD: purchase rates ~ Gamma(r, alpha), dropout rates ~ Gamma(s, beta), independent.

    Source: Schmittlein, Morrison & Colombo (1987), "Counting your customers: who are they and what will they do next?",
    Management Science 33(1).

    Args:
        prior: None for plain maximum likelihood, ``"weak"`` for weakly informative priors (MAP).
        by: A column or an attribute of the log, such as ``"community"``, whose values get parameters of their own.
        purchase_covariates: Numeric columns that may go with how often a user buys.
        dropout_covariates: Numeric columns that may go with leaving.

    Examples:
        >>> import commlife.value as value
        >>> summary = value.simulate_summary("ParetoNBD", {"r": 0.6, "alpha": 10.0, "s": 0.6, "beta": 12.0},
        ...                                  n_users=2000, T="273D", time_unit="7D", seed=1)
        >>> pnbd = value.ParetoNBD().fit(summary, time_unit="7D")
        >>> list(pnbd.params)
        ['r', 'alpha', 's', 'beta']
    """

    kernel: ClassVar[Kernel] = ParetoNBDKernel()

    def fit(self, data: Any, *, as_of: Timestamp | None = None, time_unit: str = "7D") -> FittedParetoNBD:
        """Estimate the parameters by maximum likelihood; arguments and errors as in :meth:`BetaGeo.fit`.

        ``alpha`` and ``beta`` are in ``time_unit``.
        """
        return FittedParetoNBD(spec=self, **self._estimate(data, as_of, time_unit))


class FittedParetoNBD(FittedPurchaseModel):
    """A fitted Pareto/NBD model; see :class:`FittedPurchaseModel` for its predictions.

    Attributes:
        spec: The spec that was fitted.
    """

    kernel: ClassVar[Kernel] = ParetoNBD.kernel

    spec: ParetoNBD
