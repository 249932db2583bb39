"""Association rules: who buys X also buys Y, how surely, and whether chance would do."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from commlife._stats.multiplicity import benjamini_hochberg, holm
from commlife._text.notebook import Shown
from commlife.basket._measures import MEASURES, chi_squared_p, fisher_p, measure, within
from commlife.basket._pruning import implied, interest, unproductive
from commlife.basket._splits import Splits, all_splits, least_counts
from commlife.basket._sufficiency import self_sufficient
from commlife.basket._thresholds import exact_fraction, whole_number
from commlife.basket.itemsets import FrequentItemsets, codes_of
from commlife.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from commlife._text.labels import Language

__all__ = ["AssociationRules", "association_rules"]

#: What may be dropped beside the thresholds.
PRUNINGS = ("productive", "nonredundant", "self_sufficient")
#: How p-values are adjusted for their number.
ADJUSTMENTS = {"holm": holm, "bh": benjamini_hochberg}


@dataclass(frozen=True, eq=False)
class AssociationRules(Shown):
    """Rules from antecedent to consequent, the surest first.

    Inside, a rule takes 12 bytes: its itemset, its antecedent and its consequent; :meth:`to_frame` makes the table.

    Attributes:
        sets: The itemsets that the rules come from.
        min_confidence: Least confidence, as given.
        n_tested: Number of rules over which p-values were adjusted, None without an adjustment.
    """

    sets: FrequentItemsets
    min_confidence: float
    n_tested: int | None
    _splits: Splits
    _measures: tuple[str, ...]
    _tests: dict[str, NDArray[np.float64]]
    _indices: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self._splits.whole.size)

    def __repr__(self) -> str:
        return (
            f"AssociationRules({len(self):,} rules of confidence {self.min_confidence:g} and more from {self.sets!r})"
        )

    @cached_property
    def _cells(self) -> tuple[Any, Any, Any]:
        return _cells(self.sets, self._splits)

    def measure(self, name: str) -> NDArray[np.float64]:
        """One measure of every rule, in the order of the frame.

        Raises:
            ConfigError: If there is no such measure.
        """
        if name not in MEASURES:
            raise ConfigError.unknown_name("measure", name, MEASURES)
        return measure(name, self.sets._total, *self._cells)

    def to_frame(self) -> pd.DataFrame:
        """The rules by confidence, then by count, both high to low, then by antecedent and consequent.

        Returns:
            Columns ``antecedent`` and ``consequent`` (tuples of labels), ``count`` (baskets that hold both), the
            measures asked for, and p-values if asked for. Read a row as: of the baskets with the antecedent, the share
            ``confidence`` holds the consequent too; the reverse is another rule.
        """
        tuples = self.sets._tuples
        columns: dict[str, Any] = {
            "antecedent": pd.Series(tuples[self._splits.antecedent], dtype=object),
            "consequent": pd.Series(tuples[self._splits.consequent], dtype=object),
            "count": self.sets._counts[self._splits.whole],
        }
        columns |= {name: self.measure(name) for name in self._measures}
        return pd.DataFrame(columns | self._tests)

    def suggest(self, basket: Iterable[Any], k: int = 5, *, by: str = "confidence") -> list[Any]:
        """The items of :func:`~commlife.basket.cross_sell` alone, without a frame: for a service.

        Args:
            basket: What is in the basket: a list of items.
            k: Most items to offer.
            by: The measure that ranks the rules.

        Returns:
            The items, the best first.

        Raises:
            ConfigError: If an argument is wrong.

        Examples:
            >>> from commlife.basket import frequent_itemsets
            >>> past = [["noodles", "eggs"], ["noodles", "eggs"], ["noodles"]]
            >>> association_rules(frequent_itemsets(past, min_count=1)).suggest(["eggs"])
            ['noodles']
        """
        from commlife.basket.cross_sell import offers

        return offers(self, [basket], k, by)[2]

    def plot(
        self,
        kind: Literal["scatter", "network"] = "scatter",
        *,
        label: int | None = None,
        ax: Axes | None = None,
        lang: Language = "en",
    ) -> Axes:
        """Draw the rules.

        Args:
            kind: ``"scatter"``: support across, confidence up, darker with lift, the highest lifts named; or
                ``"network"``: items as nodes, the pairs of the highest lift as arrows from what is in the basket to
                what comes with it.
            label: How many rules to name (5), or how many pairs to draw (20).
            ax: Axes to draw on; new ones by default.
            lang: ``"en"`` or ``"zh"``.

        Returns:
            The Axes.

        Raises:
            ConfigError: If ``kind`` is another one, or there is no rule to draw.
        """
        from commlife.basket import figures

        if kind not in ("scatter", "network"):
            raise ConfigError.unknown_name("kind", kind, ("scatter", "network"))
        if not len(self):
            raise ConfigError("there is no rule to draw. Lower min_confidence or the itemsets' threshold.")
        if kind == "scatter":
            return figures.rule_scatter(self, label=5 if label is None else label, ax=ax, lang=lang)
        return figures.rule_network(self, label=20 if label is None else label, ax=ax, lang=lang)


def association_rules(
    sets: FrequentItemsets,
    *,
    min_confidence: float | Fraction | Decimal = 0.5,
    min_lift: float | None = None,
    max_consequent: int | None = None,
    metrics: Sequence[str] | None = None,
    p_values: bool = False,
    adjust: Literal["holm", "bh"] | None = None,
    max_p: float | None = None,
    antecedent: Sequence[Any] = (),
    consequent: Sequence[Any] = (),
    prune: Literal["productive", "nonredundant", "self_sufficient"] | None = None,
    min_interest: float | None = None,
    top: int | None = None,
    max_rules: int = 20_000_000,
) -> AssociationRules:
    """Split every frequent itemset into antecedent and consequent, and keep the splits that are sure enough.

    The confidence threshold is exact: it is compared as whole numbers, with the decimal number that was written.

    Args:
        sets: Itemsets mined with ``keep="all"``; a ``max_len`` is no hindrance.
        min_confidence: Least share of the baskets with the antecedent that hold the consequent too, in [0, 1].
        min_lift: Least lift: 1 keeps the pairs that are bought together more often than by chance.
        max_consequent: Most items of a consequent; 1 for "who buys all of this also buys that one item".
        metrics: Which measures :meth:`AssociationRules.to_frame` shows, and in which order; all by default:
            ``support, antecedent_support, consequent_support, confidence, lift, leverage, conviction, zhang,
            kulczynski, cosine, jaccard, imbalance_ratio, odds_ratio, added_value``. Conviction is inf for a rule that
            never fails; the odds ratio is inf, or NaN where its numerator is zero too; Zhang's measure is 0 where one
            side is in every basket.
        p_values: Add ``chi2_p_value`` (two-sided) and ``fisher_p_value`` (one-sided, exact).
        adjust: Adjust Fisher's p-values for the number of rules tested, in a column ``p_adjusted``: ``"holm"``
            (chance of even one false rule) or ``"bh"`` (share of false rules). Tested are all rules that the itemsets
            allow, not just those that pass the other thresholds: having picked the surest ones is no proof.
        max_p: Keep rules whose adjusted (else Fisher's) p-value is at most this.
        antecedent: Keep rules whose antecedent holds at least one of these items.
        consequent: Keep rules whose consequent holds at least one of these items: "what leads to eggs?"
        prune: ``"productive"`` drops a rule that is no surer than one with fewer antecedents (none at all included);
            with ``max_p`` also one of which some antecedent adds nothing that chance would not. ``"nonredundant"``
            drops as well the rules with an item that their other items imply. ``"self_sufficient"`` drops as well the
            rules whose items are bought together no more than some partition of them lets expect, and those whose
            items are so only as parts of larger self-sufficient itemsets: their frequency is counted again in the
            baskets that the further items of these do not cover. With ``max_p`` each of these is a Fisher test.
            Supersets are looked for among ``sets``: those below its threshold, or longer than its ``max_len``, are
            not known.
        min_interest: For itemsets with a taxonomy: keep rules of which support or confidence is at least so many times
            what the nearest more general rules let expect, such as 1.1.
        top: Keep the first so many rules in the order of the frame.
        max_rules: Most rules; more are an error.

    Returns:
        The rules; ``len()`` counts them, ``.to_frame()`` lists them.

    Raises:
        ConfigError: If an argument is wrong, the itemsets were mined with another ``keep``, the rules are too many, or
            self-sufficient ones are asked for and the baskets were not kept (more than 16 million entries are kept
            with ``appendable=True`` alone).

    References:
        Agrawal & Srikant, VLDB 1994. Measures: Tan, Kumar & Srivastava, "Selecting the right objective measure for
        association analysis", Information Systems 2004; Wu, Chen & Han, DMKD 2010. Adjustment: Webb, "Discovering
        significant patterns", Machine Learning 2007. Pruning: Webb, "Self-sufficient itemsets", ACM TKDD 2010.
        Interest: Srikant & Agrawal, VLDB 1995.

    Examples:
        >>> from commlife.basket import frequent_itemsets
        >>> sets = frequent_itemsets([["milk", "bread"], ["milk", "bread"], ["milk"], ["eggs"]], min_count=2)
        >>> rules = association_rules(sets, min_confidence=0.6, metrics=["confidence", "lift"])
        >>> rules.to_frame()
          antecedent consequent  count  confidence      lift
        0   (bread,)    (milk,)      2    1.000000  1.333333
        1    (milk,)   (bread,)      2    0.666667  1.333333
    """
    _check_sets(sets)
    least = exact_fraction(min_confidence, "min_confidence", zero=True)
    most = None if max_consequent is None else whole_number(max_consequent, "max_consequent")
    limit = whole_number(max_rules, "max_rules", most=2**31 - 2)
    lift = None if min_lift is None else _number("min_lift", min_lift)
    highest_p = None if max_p is None else float(exact_fraction(max_p, "max_p", zero=True))
    most_rules = None if top is None else whole_number(top, "top")
    least_interest = None if min_interest is None else _number("min_interest", min_interest)
    names = _checked_measures(metrics)
    if adjust is not None and adjust not in ADJUSTMENTS:
        raise ConfigError.unknown_name("adjust", adjust, ADJUSTMENTS)
    if not isinstance(p_values, bool):
        raise ConfigError(f"p_values is True or False; seen {p_values!r:.40}.")
    with_tests = p_values or adjust is not None or highest_p is not None
    _check_prune(sets, prune)
    if with_tests and sets.weight is not None:
        raise ConfigError(
            "a p-value is of baskets that count alike; these are weighted. Leave p_values, adjust and max_p out."
        )
    if least_interest is not None and sets._parent is None:
        raise ConfigError("min_interest compares with more general rules: mine with level=, a taxonomy.")
    every = adjust is not None or prune is not None  # what is adjusted or compared with is more than what is shown
    tested = all_splits(sets, least * 0 if every else least, most, limit)
    both, a, c = _cells(sets, tested)
    tests = _tests(sets, tested, adjust) if with_tests else {}
    kept = both >= least_counts(least, sets._masses)[tested.antecedent] if every else np.ones(both.size, dtype=bool)
    if highest_p is not None:
        kept &= within(tests["p_adjusted" if adjust else "fisher_p_value"], highest_p)
    if lift is not None:
        kept &= measure("lift", sets._total, both, a, c) >= lift
    kept &= _holding(sets, antecedent, "antecedent", tested.antecedent)
    kept &= _holding(sets, consequent, "consequent", tested.consequent)
    if prune is not None:
        kept &= _saying_more(sets, tested, prune, highest_p, every=tested if most is None else None, limit=limit)
    if least_interest is not None and sets._parent is not None and kept.any():
        position = np.flatnonzero(kept)
        kept[position] = interest(sets, tested.take(position), sets._parent) >= least_interest
    order = _surest_first(both, a, tested, kept)[:most_rules]
    return AssociationRules(
        sets=sets,
        min_confidence=float(least),
        n_tested=None if adjust is None else int(tested.whole.size),
        _splits=tested.take(order),
        _measures=names,
        _tests={name: values[order] for name, values in tests.items()},
    )


def _check_sets(sets: Any) -> None:
    """Refuse what lacks the counts that a rule needs."""
    if not isinstance(sets, FrequentItemsets):
        raise ConfigError(
            "association_rules takes what frequent_itemsets returns, which knows every count and the number of "
            f"baskets; seen a {type(sets).__name__}. Instead of a filtered frame use min_support, include, exclude, "
            "max_len, or antecedent=[...], consequent=[...] here; for itemsets by group, groups[name]."
        )
    if sets.required:
        raise ConfigError(
            f"these itemsets hold one of {sets.required!r:.60} each (include): the counts of the others, which a rule "
            "needs, were not made. Mine without include; antecedent=[...] and consequent=[...] pick rules."
        )
    if sets.keep != "all":
        raise ConfigError(
            f"these itemsets are {sets.keep}: the counts of other subsets, which a rule needs, were dropped. "
            "Mine them with keep='all'."
        )


def _check_prune(sets: FrequentItemsets, prune: str | None) -> None:
    """Refuse an unknown pruning, and one that these itemsets cannot be given."""
    if prune is None:
        return
    if prune not in PRUNINGS:
        raise ConfigError.unknown_name("prune", prune, PRUNINGS)
    if sets.weight is not None:
        raise ConfigError("prune compares numbers of baskets; these are weighted. Leave prune out.")
    if prune == "self_sufficient" and sets._baskets is None:
        where = "were counted on Spark" if sets.algorithm == "spark" else f"come from {sets.n_entries:,} entries"
        fix = "Take the baskets to pandas first" if sets.algorithm == "spark" else "Mine them with appendable=True"
        raise ConfigError(
            "prune='self_sufficient' counts again in the baskets, which these itemsets did not keep: they "
            f"{where}. {fix}, or use prune='nonredundant'."
        )


def _tests(sets: FrequentItemsets, tested: Splits, adjust: str | None) -> dict[str, NDArray[np.float64]]:
    """P-values of each rule, by column of the frame."""
    n, (both, a, c) = sets._total, _cells(sets, tested)
    tests = {"chi2_p_value": chi_squared_p(n, both, a, c), "fisher_p_value": fisher_p(n, both, a, c)}
    if adjust is not None:
        tests["p_adjusted"] = ADJUSTMENTS[adjust](tests["fisher_p_value"])
    return tests


def _saying_more(
    sets: FrequentItemsets, tested: Splits, prune: str, max_p: float | None, *, every: Splits | None, limit: int
) -> NDArray[np.bool_]:
    """Which rules a pruning keeps; ``every`` holds the splits of all itemsets, where they are known."""
    poor, p = unproductive(sets, tested, max_p)
    kept = ~poor if max_p is None else ~poor & within(p, max_p)
    if prune == "nonredundant":
        kept &= ~implied(sets)[tested.whole]
    if prune == "self_sufficient" and sets._baskets is not None:
        splits = every if every is not None else all_splits(sets, Fraction(0), None, limit)
        kept &= self_sufficient(sets, sets._baskets, splits, max_p)[tested.whole]
    return kept


def _holding(sets: FrequentItemsets, wanted: Sequence[Any], name: str, side: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which rules hold one of the wanted items on a side; all of them where none is wanted."""
    codes = codes_of(sets.items, wanted, name)
    if not codes:
        return np.ones(side.size, dtype=bool)
    parts = [np.isin(level.codes, codes).any(axis=1) for level in sets._levels]
    return np.concatenate([np.zeros(0, dtype=bool), *parts])[side]


def _cells(sets: FrequentItemsets, splits: Splits) -> tuple[Any, Any, Any]:
    """Baskets (or their weight) with both, with the antecedent, with the consequent."""
    masses = sets._masses
    if sets.weight is not None:
        masses = masses.astype(np.float64)  # products of weights do not fit in 64-bit integers
    return masses[splits.whole], masses[splits.antecedent], masses[splits.consequent]


def _surest_first(both: Any, a: Any, splits: Splits, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Positions of the kept rules in the order of the frame."""
    position = np.flatnonzero(kept)
    both, a = both[position], a[position]
    pair = splits.antecedent[position].astype(np.int64) << 32 | splits.consequent[position]
    # Correctly rounded quotients: equal shares are equal floats.
    return position[np.lexsort((pair, -both, -(both / a)))]


def _checked_measures(metrics: Sequence[str] | None) -> tuple[str, ...]:
    if metrics is None:
        return tuple(MEASURES)
    if isinstance(metrics, str):
        raise ConfigError(f"metrics is a list of names, such as [{metrics!r}]; seen the text {metrics!r:.40}.")
    for name in metrics:
        if name not in MEASURES:
            raise ConfigError.unknown_name("metric", name, MEASURES)
    return tuple(metrics)


def _number(name: str, value: Any) -> float:
    """A finite number that is not negative."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number) or not 0 <= value < np.inf:
        raise ConfigError(f"{name} is a number of 0 or more; seen {value!r:.40}.")
    return float(value)
