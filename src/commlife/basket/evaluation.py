"""Evaluation: would the rules have named what was in later baskets?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from commlife._text.notebook import Shown
from commlife.basket._orders import check_log, dated_baskets
from commlife.basket._thresholds import whole_number
from commlife.basket.cross_sell import offers
from commlife.basket.rules import AssociationRules
from commlife.errors import ConfigError, InsufficientDataError
from commlife.orders.calendar import Timestamp, day_number
from commlife.orders.log import need_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from commlife.orders import OrderLog

    Scores = Callable[[sp.csr_matrix], NDArray[np.float64]]

__all__ = ["CrossSellEvaluation", "evaluate_cross_sell"]

#: Cells of cases x items that are scored at a time.
_CELLS = 1 << 22
#: What the rules are compared with, and the order of the frame.
MODELS = ("rules", "rules, then popular", "popular", "item-item cosine")


@dataclass(frozen=True, eq=False)
class CrossSellEvaluation(Shown):
    """How often an item taken out of a later basket is among the first ``k`` offers for the rest.

    Attributes:
        table: A row for each model and metric: ``model``, ``metric`` (``hit_rate``, ``ndcg``), ``k``, ``value`` with
            its 95% bootstrap interval over users ``low``, ``high``, and ``ahead_of_popular`` (the difference) with its
            own interval ``ahead_low``, ``ahead_high``.
        cases: Number of items taken out.
        users: Number of users whose baskets they come from.
        unknown: Share of the cases whose item was not sold before ``since``: no model can name it.
        coverage: Share of the cases for which the rules have any offer.
    """

    table: pd.DataFrame
    cases: int
    users: int
    unknown: float
    coverage: float

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table.copy()

    def __repr__(self) -> str:
        hits = self.table[self.table["metric"] == "hit_rate"].set_index("model")["value"]
        told = ", ".join(f"{model} {value:.1%}" for model, value in hits.items())
        return f"CrossSellEvaluation(hit rate of {self.cases:,} items of {self.users:,} users: {told})"


def evaluate_cross_sell(
    rules: AssociationRules,
    log: OrderLog,
    *,
    since: Timestamp,
    as_of: Timestamp,
    k: int = 5,
    level: str = "item_id",
    by: str = "confidence",
    n_bootstrap: int = 1_000,
    seed: int = 0,
) -> CrossSellEvaluation:
    """Take each item in turn out of each later basket, offer ``k`` items beside the rest, and look whether it is there.

    The baselines learn from the same orders as the rules should have: those before ``since``. ``popular`` offers what
    most orders hold; ``item-item cosine`` adds up the cosines of the columns of an item and of all that is in the
    basket (Deshpande & Karypis 2004). What is in the basket is never offered.

    Args:
        rules: Rules learned from orders before ``since``.
        log: The orders.
        since: First day of the later window.
        as_of: Its end.
        k: How many items are offered.
        level: As for the itemsets.
        by: The measure that ranks the rules, as in :func:`~commlife.basket.cross_sell`.
        n_bootstrap: Draws of users for the intervals.
        seed: Of these draws.

    Returns:
        Hit rate at k (share of cases whose item is offered) and NDCG at k (its discount ``1 / log2(1 + rank)``), each
        with a bootstrap interval over users, since the baskets of one user are alike.

    Raises:
        ConfigError: If an argument is wrong.
        InsufficientDataError: If no later basket holds two items.

    References:
        Deshpande & Karypis, "Item-based top-N recommendation algorithms", ACM TOIS 2004; Jarvelin & Kekalainen,
        "Cumulated gain-based evaluation of IR techniques", ACM TOIS 2002.

    Examples:
        >>> import commlife as cl
        >>> world = cl.datasets.make_community(n_users=300, seed=7)
        >>> sets = cl.frequent_itemsets(world.log, as_of="2025-06-02", min_count=5, max_len=2)
        >>> rules = cl.association_rules(sets, min_confidence=0.02)
        >>> result = evaluate_cross_sell(rules, world.log, since="2025-06-02", as_of=world.as_of, n_bootstrap=200)
        >>> hits = result.to_frame().query("metric == 'hit_rate'").set_index("model")["value"]
        >>> bool(hits["rules, then popular"] > hits["popular"])
        True
    """
    need_log(log, "evaluate_cross_sell")
    check_log(log, "evaluate_cross_sell")
    if not isinstance(rules, AssociationRules):
        raise ConfigError(f"rules are what association_rules returns; seen a {type(rules).__name__}.")
    first, day = day_number(since, name="since"), day_number(as_of)
    if first >= day:
        raise ConfigError(
            f"since is a day before as_of; seen since={str(since)!r}, as_of={str(as_of)!r}. Use an earlier since."
        )
    most, draws = whole_number(k, "k"), whole_number(n_bootstrap, "n_bootstrap", least=100)
    past, _ = dated_baskets(log, first, level)
    later, orders = dated_baskets(log, day, level, since=first)
    position = {label: code for code, label in enumerate(past.items)}
    new = np.array([position.get(label, -1) for label in later.items], dtype=np.int64)
    sizes = np.diff(later.indptr)
    cases = np.flatnonzero(np.repeat(sizes, sizes) > 1)
    if not cases.size:
        raise InsufficientDataError(
            f"no order from {since} to before {as_of} holds two items: nothing can be taken out. Use a longer time."
        )
    row, target = later.rows[cases], new[later.indices[cases]]
    users = pd.factorize(orders["user_id"].to_numpy()[row])[0]
    matrix = sp.csr_matrix(
        (np.ones(past.indices.size), past.indices, past.indptr), shape=(past.n, max(1, len(past.items)))
    )
    held = sp.csr_matrix(
        (np.ones(later.indices.size), np.where(new >= 0, new, len(past.items))[later.indices], later.indptr),
        shape=(later.n, len(past.items) + 1),
    )[:, :-1]
    popular = np.asarray(matrix.sum(axis=0)).ravel()
    norm = sp.diags(1 / np.sqrt(np.maximum(popular, 1)))
    cosine = sp.csr_matrix(norm @ (matrix.T @ matrix) @ norm)
    ranks = np.full((len(MODELS), cases.size), np.iinfo(np.int64).max)
    covered = 0
    chunk = max(1, _CELLS // max(1, len(past.items)))
    known = np.flatnonzero(target >= 0)
    rest_of = np.arange(popular.size) / (popular.size + 1)  # ties: the first in the order of labels
    for begin in range(0, known.size, chunk):
        some = known[begin : begin + chunk]
        taken = sp.csr_matrix(
            (np.ones(some.size), (np.arange(some.size), target[some])), shape=(some.size, held.shape[1])
        )
        rest = sp.csr_matrix(held[row[some]] - taken)
        rest.eliminate_zeros()
        named = _rule_scores(rules, rest, past.items, position, most, by)
        covered += int((named.max(axis=1, initial=0) > 0).sum())
        scores = (named, np.where(named > 0, named + popular.max() + 1, popular), np.broadcast_to(popular, named.shape),
                  (rest @ cosine).toarray())  # fmt: skip
        blocked = rest.toarray() > 0
        for number, score in enumerate(scores):
            ranks[number, some] = _rank(score, rest_of, blocked, target[some], needs_score=number != 1)
    unknown = 1 - known.size / cases.size
    table = _measured(ranks, users, most, draws, seed)
    return CrossSellEvaluation(table, int(cases.size), int(users.max()) + 1, float(unknown), covered / cases.size)


def _rule_scores(
    rules: AssociationRules, rest: sp.csr_matrix, items: list[Any], position: dict[Any, int], k: int, by: str
) -> NDArray[np.float64]:
    """Cases x items: k for the first offer, 1 for the k-th, 0 for what is not offered."""
    baskets = [[items[code] for code in part] for part in np.split(rest.indices, rest.indptr[1:-1])]
    case, rank, labels = offers(rules, baskets, k, by)
    codes = np.array([position.get(label, -1) for label in labels], dtype=np.int64)
    scores = np.zeros(rest.shape)
    kept = codes >= 0
    scores[case[kept], codes[kept]] = k + 1 - rank[kept]
    return scores


def _rank(
    score: NDArray[np.float64],
    rest_of: NDArray[np.float64],
    blocked: NDArray[np.bool_],
    target: NDArray[np.int64],
    *,
    needs_score: bool,
) -> NDArray[np.int64]:
    """Place of the target among what may be offered, from 1; without a score it is not offered at all."""
    own = score[np.arange(target.size), target][:, None]
    ahead = (score > own) | ((score == own) & (rest_of < rest_of[target][:, None]))
    rank = (ahead & ~blocked).sum(axis=1) + 1
    return np.where((own[:, 0] > 0) | (not needs_score), rank, np.iinfo(np.int64).max)


def _by_content(users: NDArray[Any], hit: NDArray[Any], gain: NDArray[np.float64]) -> NDArray[Any]:
    """Users numbered by what they did, so that draws over them do not depend on ids or on the order of rows."""
    keys = [np.bincount(users)]
    keys += [np.bincount(users, weights=model) for model in hit]
    keys += [np.bincount(users, weights=model).round(9) for model in gain]
    number = np.empty(keys[0].size, dtype=np.int64)
    number[np.lexsort(keys)] = np.arange(number.size)
    return number[users]


def _measured(ranks: NDArray[np.int64], users: NDArray[Any], k: int, draws: int, seed: int) -> pd.DataFrame:
    hit = ranks <= k
    gain = np.where(hit, 1 / np.log2(1 + np.minimum(ranks, k)), 0.0)
    n_users = int(users.max()) + 1
    users = _by_content(users, hit, gain)
    sizes = np.bincount(users, minlength=n_users)
    weights = np.random.default_rng(seed).multinomial(n_users, np.full(n_users, 1 / n_users), size=draws)
    total = weights @ sizes
    baseline = MODELS.index("popular")
    rows = []
    for metric, values in (("hit_rate", hit), ("ndcg", gain)):
        sums = np.stack([np.bincount(users, weights=model, minlength=n_users) for model in values])
        drawn = (weights @ sums.T) / total[:, None]
        means = sums.sum(axis=1) / users.size
        for number, model in enumerate(MODELS):
            low, high = np.quantile(drawn[:, number], [0.025, 0.975])
            ahead = np.quantile(drawn[:, number] - drawn[:, baseline], [0.025, 0.975])
            rows.append((model, metric, k, means[number], low, high, means[number] - means[baseline], *ahead))
    columns = ["model", "metric", "k", "value", "low", "high", "ahead_of_popular", "ahead_low", "ahead_high"]
    return pd.DataFrame(rows, columns=columns)
