"""The mathematics of each repeat-buying model: two paths of a likelihood and what follows for those still here.

A kernel knows formulas and nothing of frames. Its likelihood of a history is the sum of two paths: *here*, which
depends on ``(x, T)``, and *gone*, which depends on ``(x, t_x)``. Parameters come as a sequence, each a number for all
rows or an array with one value a row; times come in any one unit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy.special import gammaln

from commlife.value.estimation import Box

__all__ = ["Effect", "Kernel", "Parameters", "Path", "negative_binomial", "of_counts"]

Array = np.ndarray[Any, np.dtype[np.float64]]
#: One entry a parameter: a number, or an array with one value a row.
Parameters = Sequence[Any] | Array


class Path(NamedTuple):
    """Log of one path's probability, row by row.

    Attributes:
        value: The logarithm; -inf where the path cannot be.
        gradient: Its derivatives by the log parameters, shape (4, n).
        curvature: Its second derivatives that are not zero, by the pair of positions; None where not written out.
    """

    value: Array
    gradient: Array
    curvature: dict[tuple[int, int], Array] | None


@dataclass(frozen=True)
class Effect:
    """How a covariate enters: ``log(parameter) = log(parameter of the base) + sign * coefficient * covariate``.

    Attributes:
        parameter: Position of the parameter.
        sign: -1 where a larger parameter means less of what the coefficient is named for.
        name: What the coefficient is of.
    """

    parameter: int
    sign: float
    name: str


class Kernel(Protocol):
    """What the fitting and the predictions ask of a model."""

    box: Box
    time_parameters: tuple[str, ...]
    purchase_effects: tuple[Effect, ...]
    dropout_effects: tuple[Effect, ...]

    def here(self, p: Parameters, x: Array, T: Array, *, second: bool = False) -> Path:
        """The path of those still here at T."""
        ...

    def gone(self, p: Parameters, x: Array, t_x: Array, *, second: bool = False) -> Path:
        """The path of those gone since t_x."""
        ...

    def alive(self, p: Parameters, x: Array, T: Array) -> Array:
        """Log of the joint probability of the history and of being alive at T."""
        ...

    def purchases(self, p: Parameters, x: Array, T: Array, t: Array) -> Array:
        """Expected purchases in (T, T + t] of one who is alive at T."""
        ...

    def pairs(self, p: Parameters, x: Array, T: Array, t: Array) -> Array:
        """Expected N (N - 1) for the purchases N in (T, T + t] of one who is alive at T."""
        ...

    def any_purchase(self, p: Parameters, x: Array, T: Array, t: Array) -> Array:
        """Probability of at least one purchase in (T, T + t] for one who is alive at T."""
        ...

    def counts(self, p: Parameters, x: Array, T: Array, t: Array, most: int) -> Array:
        """Probability of 0, 1, ..., ``most`` purchases in (T, T + t] for one who is alive at T, shape (n, most + 1)."""
        ...

    def starts(self, rate: float) -> Array:
        """Log parameters to start from, where ``rate`` is the mean purchases a unit of time."""
        ...

    def draw(self, p: Parameters, rng: np.random.Generator, T: Array) -> tuple[Array, Array]:
        """Simulated x and t_x of users observed for T."""
        ...


def of_counts(function: Callable[[Array], Array], x: Array, *parameters: Any) -> Array:
    """A function of whole numbers: computed once for each number where rows repeat them and share the parameters."""
    top = x.max(initial=0.0) + 1.0
    if top >= x.size or any(isinstance(each, np.ndarray) and each.ndim > 0 for each in parameters):
        return function(x)
    answer: Array = function(np.arange(top))[..., x.astype(np.intp)]
    return answer


def negative_binomial(m: Array, A: Array, t: Array, k: Array) -> Array:
    """Log probability of k purchases in t at a rate ~ Gamma(m, A); the arguments broadcast."""
    with np.errstate(divide="ignore", invalid="ignore"):
        busy = np.where(k > 0, k * (np.log(t) - np.log(A + t)), 0.0)
    answer: Array = gammaln(m + k) - gammaln(m) - gammaln(k + 1.0) - m * np.log1p(t / A) + busy
    return answer
