"""The user table of a log larger than memory: made by parts of the users, written as it is made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from commlife import _engine
from commlife._engine.frames import KINDS
from commlife._files import file_to_write, filled_beside
from commlife._text import Language, check_language
from commlife.coupons import CrossCategory
from commlife.errors import ConfigError, EngineError
from commlife.features.users import warn_if_left_truncated
from commlife.orders.calendar import Timestamp
from commlife.orders.log import need_log
from commlife.report import users as user_rows
from commlife.report._models import Models, fit_missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from commlife.churn import FittedSilenceModel
    from commlife.coupons import Coupon, Policy
    from commlife.orders import OrderLog
    from commlife.segments import FittedLifecycle, FittedRFM

__all__ = ["WrittenUserTable", "write_user_table"]

_TEXTS = (
    "segment", "rfm_code", "state", "next_action", "favourite_category", "price_band", "reason_1", "reason_2",
    "reason_3", "coupon_id", "coupon_reason",
)  # fmt: skip
_NUMBERS = ("m_x", "monetary", "expected_spend_91d", "p_silent", "coupon_cost")
_DAYS = ("first_day", "last_day", "since", "next_order_by")


@dataclass(frozen=True, slots=True, repr=False)
class WrittenUserTable:
    """A user table that was written.

    Attributes:
        path: Where it lies.
        users: Number of its rows.
        parts: Number of parts that it was made in.
        notes: What was fitted for it; also in the file's metadata as ``notes``.
    """

    path: Path
    users: int
    parts: int
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"WrittenUserTable({self.path}, {self.users:,} users)"


def write_user_table(
    log: OrderLog,
    path: str | Path,
    *,
    as_of: Timestamp,
    rfm: FittedRFM | None = None,
    lifecycle: FittedLifecycle | None = None,
    silence: FittedSilenceModel | None = None,
    offers: Policy | Sequence[Coupon] | None = None,
    budget: float | None = None,
    lang: Language = "en",
    users_at_once: int = user_rows.AT_ONCE,
) -> WrittenUserTable:
    """Write the rows of :func:`user_table` to a Parquet file, so many users at a time.

    For logs whose user table does not fit into memory. Models are fitted once, to the whole log; what is counted over
    all users (what a category usually costs, the health of a community) is counted once; then each part of the users
    is read, made and written before the next one. The rows are those of :func:`user_table`, in its order, whatever
    the number of parts; the file appears whole or not at all.

    Under a budget, or where coupons for one category are offered, coupons are decided for all users together: what
    the rules read of each user is then held for all of them, and the parts go through a second file beside the first.

    Args:
        log: The order log, best one of ``OrderLog.from_parquet(..., engine="duckdb", memory_limit="1500MB")``.
        path: The file to write; the folder must exist.
        as_of: As for :func:`user_table`.
        rfm: As there.
        lifecycle: As there; None follows each part by itself, which asks for no row a user of all of them.
        silence: As there.
        offers: As there.
        budget: As there.
        lang: As there.
        users_at_once: Payers in a part, more or less; memory goes with it.

    Raises:
        ConfigError: If the folder does not exist, or ``users_at_once`` is no whole number from 1.
        EngineError: If the log lies on Spark or Dask, or pyarrow is not installed.
        InsufficientDataError: If nobody has an order that counts before ``as_of``.
        PersistenceError: If the file cannot be written; what stood there before still stands.

    Examples:
        >>> import tempfile
        >>> import commlife as cl
        >>> community = cl.datasets.make_community(n_users=300, seed=2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     made = cl.write_user_table(community.log, f"{folder}/users.parquet", as_of=community.as_of)
        ...     made.path.name, made.users == len(cl.user_table(community.log, as_of=community.as_of))
        ('users.parquet', True)
    """
    need_log(log, "write_user_table")
    language = check_language(lang)
    target = file_to_write(path)
    if isinstance(users_at_once, bool) or not isinstance(users_at_once, int | np.integer) or users_at_once < 1:
        raise ConfigError(f"users_at_once is a whole number from 1; seen {users_at_once!r:.40}.")
    _check_engine(log)
    models = fit_missing(
        log, as_of=as_of, rfm=rfm, lifecycle=lifecycle, silence=silence, offers=offers, lang=language, drivers=False,
        by_parts=True,
    )  # fmt: skip
    warn_if_left_truncated(log, models.as_of, washout=None)
    bounds = user_rows.bounds_of(log, models.as_of, int(users_at_once))
    with filled_beside(target) as beside:
        if budget is None and not any(isinstance(rule, CrossCategory) for rule in models.policy.rules):
            rows = _write(beside, _each_part(log, models, bounds, language), models.notes)
        else:
            rows = _written_twice(beside, log, models, bounds, language, budget)
    return WrittenUserTable(target, rows, len(bounds), models.notes)


def _check_engine(log: OrderLog) -> None:
    kind = log._frame.implementation
    if kind in _engine.SPREAD:
        raise EngineError(
            f"write_user_table writes one file from one process; this log lies on {KINDS[kind]}. Write what the parts "
            "of the table give where they lie (RFM.transform, predict, reasons), or take the log from Parquet with "
            'engine="duckdb".'
        )
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise EngineError('Parquet files need pyarrow: pip install "commlife[parquet]".') from None


def _each_part(log: OrderLog, models: Models, bounds: list[user_rows.Bounds], lang: Language) -> Iterator[pd.DataFrame]:
    """The finished rows of each part in turn, coupons decided by the part alone."""
    aside = user_rows.aside_rows(log)
    for bound, part, table in user_rows.tables(log, models, bounds, lang):
        plan = models.policy.plan(user_rows.for_policy(table, part, models), lang=lang)
        decided = user_rows.with_coupons(table, plan.users.set_index("user_id"))
        del part
        yield user_rows.finished(decided, _between(aside, bound), log, models, lang=lang)


def _between(aside: pd.DataFrame, bound: user_rows.Bounds) -> pd.DataFrame:
    low, high = bound
    if aside.empty:
        return aside
    inside = np.ones(len(aside), dtype=bool)
    if low is not None:
        inside &= (aside["user_id"] >= low).to_numpy(dtype=bool)
    if high is not None:
        inside &= (aside["user_id"] < high).to_numpy(dtype=bool)
    return aside[inside]


def _written_twice(
    beside: Path, log: OrderLog, models: Models, bounds: list[user_rows.Bounds], lang: Language, budget: float | None
) -> int:
    """Coupons are decided for all users together: the table without them waits in a file of its own."""
    import pyarrow.parquet as pq

    asked: list[pd.DataFrame] = []

    def waiting() -> Iterator[pd.DataFrame]:
        for _, part, table in user_rows.tables(log, models, bounds, lang):
            asked.append(user_rows.for_policy(table, part, models))
            del part
            yield table

    waits = beside.with_name(f"{beside.name}.waits")
    try:
        _write(waits, waiting(), ())
        plan = models.policy.plan(pd.concat(asked, ignore_index=True), budget=budget, lang=lang)
        asked.clear()
        given = plan.users.set_index("user_id")
        aside = user_rows.aside_rows(log)
        with pq.ParquetFile(waits) as file:

            def finished() -> Iterator[pd.DataFrame]:
                for number, bound in enumerate(bounds):
                    table = file.read_row_group(number).to_pandas()
                    table = user_rows.with_coupons(table, given)
                    yield user_rows.finished(table, _between(aside, bound), log, models, lang=lang)

            return _write(beside, finished(), models.notes)
    finally:
        waits.unlink(missing_ok=True)


def _write(path: Path, parts: Iterator[pd.DataFrame], notes: Sequence[str]) -> int:
    """Append each part as a row group of its own."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = 0
    schema: pa.Schema | None = None
    writer: Any = None
    try:
        for part in parts:
            if schema is None:
                schema = _schema(part).with_metadata({"notes": "\n".join(notes)})
                writer = pq.ParquetWriter(path, schema)
            table = pa.Table.from_pandas(part[schema.names], schema=schema, preserve_index=False, safe=False)
            writer.write_table(table.replace_schema_metadata(schema.metadata), row_group_size=max(len(part), 1))
            rows += len(part)
    finally:
        if writer is not None:
            writer.close()
    return rows


def _schema(part: pd.DataFrame) -> pa.Schema:
    """Types by name: a part in which nobody has a reason or a coupon must not decide that there are none."""
    import pyarrow as pa

    found = pa.Schema.from_pandas(part, preserve_index=False)
    known = dict.fromkeys(_TEXTS, pa.string()) | dict.fromkeys(_NUMBERS, pa.float64())
    known |= dict.fromkeys(_DAYS, pa.timestamp("us")) | dict.fromkeys(user_rows.COUNTS, pa.int64())
    fields = []
    for field in found:
        kind = known.get(field.name, field.type)
        fields.append(pa.field(field.name, pa.string() if pa.types.is_null(kind) else kind))
    return pa.schema(fields)
