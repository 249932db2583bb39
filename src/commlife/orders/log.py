"""OrderLog: a platform's order export, validated, immutable, in one vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import narwhals.stable.v2 as nw

from commlife import _engine
from commlife.errors import ConfigError
from commlife.orders import _boundary, _facts
from commlife.orders._arguments import check_keep, check_names, check_status, check_zone
from commlife.orders.calendar import Observation, Timestamp, day_number, day_text
from commlife.orders.faults import FAULTS, FoundFault, Policies, faults_frame
from commlife.orders.money import check_digits

if TYPE_CHECKING:
    import pandas as pd

    from commlife.orders.cleaning import CleaningRules

__all__ = ["OrderLog", "need_log"]


class OrderLog:
    """A platform's order lines under canonical names; the one input of every other call.

    Make one with :meth:`from_frame`, :meth:`from_parquet` or :meth:`from_csv`. A log never changes: :meth:`clean`
    gives a new one. Money is held in whole minor units and days are local days, so that answers are equal on every
    engine and in every row order.

    Attributes:
        timezone: The zone whose midnights bound the business days.
        currency_digits: Digits of the currency after the point.
        observation: The window through which the log sees its users' lives.
        columns: The canonical columns that the host named.
        keep: The host's own columns that are carried along.
    """

    def __init__(
        self,
        kept: _boundary.Kept,
        *,
        columns: tuple[str, ...],
        keep: tuple[str, ...],
        timezone: str,
        currency_digits: int,
        observed: tuple[int | None, int | None],
        paid_statuses: tuple[Any, ...] | None,
        lazy: bool,
        set_aside: tuple[nw.LazyFrame[Any], ...] = (),
        audit: pd.DataFrame | None = None,
        whole: Self | None = None,
        pandas_types: Mapping[str, Any] | None = None,
    ) -> None:
        self._frame = kept.lines
        self._pandas_types = pandas_types
        self._whole = whole
        self._found = kept.found
        self._rows_given = kept.rows
        self._set_aside = set_aside if kept.set_aside is None else (kept.set_aside, *set_aside)
        self._lazy = lazy
        self._paid_statuses = paid_statuses
        self._observed = observed
        self._audit = audit
        self._memory: dict[Any, Any] = {}
        if kept.summary is not None:
            self._memory["summary"] = MappingProxyType(dict(kept.summary))
        self._refunds = kept.refunds
        self._is_plain = kept.is_plain
        self._rereads = False
        self._part_of: Self | None = None
        self.columns: tuple[str, ...] = columns
        self.keep: tuple[str, ...] = keep
        self.timezone: str = timezone
        self.currency_digits: int = currency_digits
        self.scale: int = 10**currency_digits

    # -- in ---------------------------------------------------------------------------------------------------------

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        user_id: str,
        ordered_at: str,
        amount: str,
        order_id: str | None = None,
        quantity: str | None = None,
        cost: str | None = None,
        list_amount: str | None = None,
        discount: str | None = None,
        item_id: str | None = None,
        category: str | None = None,
        community: str | None = None,
        channel: str | None = None,
        coupon_id: str | None = None,
        address_id: str | None = None,
        status: str | None = None,
        status_map: Mapping[Any, str] | None = None,
        first_ordered_at: str | None = None,
        timezone: str = "Asia/Shanghai",
        currency_digits: int = 2,
        observed_from: Timestamp | None = None,
        observed_until: Timestamp | None = None,
        keep: Sequence[str] = (),
        on_fault: str | Mapping[str, str] = "raise",
        engine: str | None = None,
    ) -> Self:
        """Take an order export in: every argument up to ``first_ordered_at`` is the name of a column of ``frame``.

        Args:
            frame: pandas, Polars (eager or lazy), PyArrow, a DuckDB relation, Dask or PySpark. One row is an order
                line; without ``order_id`` each row is an order. It is not changed.
            user_id: Who ordered: text or whole numbers.
            ordered_at: When: timestamps or ISO 8601 texts. Naive times are local; times with a zone are converted.
            amount: Money of the line in major units, refunds negative.
            order_id: The order that the line belongs to.
            quantity: Units of the line.
            cost: What the line cost the platform.
            list_amount: Money of the line before discounts.
            discount: Money taken off the line.
            item_id: What was bought.
            category: Its category.
            community: The estate or neighbourhood.
            channel: The channel of the order.
            coupon_id: The coupon that was used.
            address_id: Where it was delivered (one user with many addresses orders for others).
            status: The status of the line in the host's words; needs ``status_map``.
            status_map: From the host's statuses to ``placed``, ``paid`` and ``cancelled``; only paid lines make orders.
            first_ordered_at: The user's first order ever, where the log begins later than that.
            timezone: IANA name of the zone whose midnights bound the business days.
            currency_digits: Digits of the currency after the point, 0 to 4.
            observed_from: First day that the log sees (default: its first day).
            observed_until: The day at whose midnight it stops seeing (default: as_of decides); later rows are a fault.
            keep: Further columns of the host that are carried along untouched.
            on_fault: ``"raise"``, ``"set_aside"``, or a mapping from faults to policies (``commlife.orders.FAULTS``).
            engine: For a pandas frame: ``"polars"`` or ``"duckdb"`` runs every call on that engine over the same rows
                and gives pandas back, equal and faster on large logs; ``"pandas"`` or None keeps pandas.

        Raises:
            SchemaError: The export is faulty; ``.faults`` lists every fault.
            ConfigError: An argument has a value that is not allowed.
            EngineError: The frame is of a kind that is not taken.

        Examples:
            >>> import pandas as pd
            >>> frame = pd.DataFrame({"phone": ["a", "b", "a"], "paid": [12.5, 30.0, 8.0],
            ...                       "paid_at": ["2025-03-01 09:00", "2025-03-02 10:30", "2025-03-09 18:00"]})
            >>> log = OrderLog.from_frame(frame, user_id="phone", ordered_at="paid_at", amount="paid")
            >>> log
            OrderLog(3 rows, 3 orders, 2 users, 2025-03-01 to 2025-03-09, days of Asia/Shanghai)
        """
        named = {
            "user_id": user_id, "order_id": order_id, "ordered_at": ordered_at, "amount": amount, "quantity": quantity,
            "cost": cost, "list_amount": list_amount, "discount": discount, "item_id": item_id, "category": category,
            "community": community, "channel": channel, "coupon_id": coupon_id, "address_id": address_id,
            "status": status, "first_ordered_at": first_ordered_at,
        }  # fmt: skip
        columns = check_names(named)
        extra = check_keep(keep)
        digits = check_digits(currency_digits)
        check_zone(timezone)
        paid = check_status(status, status_map)
        first = None if observed_from is None else day_number(observed_from, name="observed_from")
        until = None if observed_until is None else day_number(observed_until, name="observed_until")
        if first is not None and until is not None and first >= until:
            raise ConfigError(
                f"observed_from is a day before observed_until; seen {day_text(first)} and {day_text(until)}."
                " Use an earlier observed_from or a later observed_until."
            )
        policies = Policies(on_fault)
        with _engine.told_as_ours("OrderLog.from_frame"):
            kept = _boundary.read(
                _engine.from_host(frame),
                columns,
                keep=extra,
                timezone=timezone,
                digits=digits,
                until=until,
                status_map=status_map,
                policies=policies,
            )
        types: Mapping[str, Any] | None = None
        if engine is not None:
            types = _engine.pandas_types(kept.lines, engine)
        kept = replace(kept, lines=_engine.hold_lines(kept.lines))
        if types is not None and engine is not None:
            aside = None if kept.set_aside is None else _engine.moved_to(kept.set_aside, engine)
            kept = replace(kept, lines=_engine.moved_to(kept.lines, engine), set_aside=aside)
        return cls(
            kept,
            columns=tuple(columns),
            keep=extra,
            timezone=timezone,
            currency_digits=digits,
            observed=(first, until),
            paid_statuses=paid,
            lazy=isinstance(nw.from_native(frame), nw.LazyFrame),
            pandas_types=types,
        )

    @classmethod
    def from_parquet(
        cls,
        path: str | Path | Sequence[str | Path],
        *,
        engine: str = "pandas",
        memory_limit: str | None = None,
        **columns: Any,
    ) -> Self:
        """Read one or several Parquet files; the other arguments are those of :meth:`from_frame`.

        Args:
            path: A file, or several with the same columns.
            engine: ``"pandas"`` (in memory), ``"polars"`` or ``"duckdb"`` (both read out of core).
            memory_limit: For ``"duckdb"``: the most memory that the engine takes before it goes to disk, such as
                ``"2GB"``; by default DuckDB's own, four fifths of the machine.
            **columns: As in :meth:`from_frame`.

        Raises:
            ConfigError: If a file is not there or not Parquet, or an argument has a value that is not allowed.
            EngineError: If the engine is not installed.
            SchemaError: The export is faulty; ``.faults`` lists every fault.
        """
        from commlife.orders import _files

        log = cls.from_frame(_files.scan_parquet(path, engine, columns, memory_limit=memory_limit), **columns)
        # The engine reads a column from the file about as fast as from a copy of its own.
        log._rereads = log._is_plain and engine != "pandas"
        return log

    @classmethod
    def from_csv(cls, path: str | Path, **columns: Any) -> Self:
        """Read a CSV file with pandas; ids and codes stay text, so that leading zeros survive.

        Args:
            path: The file, with a header.
            **columns: As in :meth:`from_frame`.
        """
        from commlife.orders import _files

        return cls.from_frame(_files.read_csv(path, columns), **columns)

    # -- what it holds ----------------------------------------------------------------------------------------------

    @property
    def n_rows(self) -> int:
        """Number of lines kept."""
        return int(self._summary["rows"])

    @property
    def n_orders(self) -> int:
        """Number of distinct orders, (user_id, order_id); refund-only ones included."""
        if "n_orders" not in self._memory:
            self._memory["n_orders"] = _facts.count_orders(self)
        return int(self._memory["n_orders"])

    @property
    def n_users(self) -> int:
        """Number of distinct users."""
        if "n_users" not in self._memory:
            self._memory["n_users"] = _facts.count_distinct(self._frame, "user_id")
        return int(self._memory["n_users"])

    @property
    def first_day(self) -> str | None:
        """Local day of the first line, None where there is none."""
        return None if self._summary["first"] is None else day_text(self._summary["first"])

    @property
    def last_day(self) -> str | None:
        """Local day of the last line, None where there is none."""
        return None if self._summary["last"] is None else day_text(self._summary["last"])

    @property
    def observation(self) -> Observation:
        """The window through which the log sees its users' lives."""
        first, until = self._observed
        if first is None:
            first = self._summary["first"]
        return Observation(first=0 if first is None else first, until=until)

    @property
    def faults(self) -> pd.DataFrame:
        """What was found and not refused: ``fault, column, rows, policy, example, fix``.

        Equal lines are counted when this is first asked for, since that reads every column.
        """
        if "faults" not in self._memory:
            self._memory["faults"] = faults_frame((*self._found, *self._kept_repeats()))
        frame: pd.DataFrame = self._memory["faults"].copy()
        return frame

    @property
    def set_aside(self) -> Any:
        """The rows that were not kept, under canonical names, with ``reason``; in the input's own kind of frame."""
        return _facts.set_aside_frame(self)

    @property
    def audit(self) -> pd.DataFrame:
        """What each cleaning rule did: ``rule, action, rows, orders, users, amount``; empty before :meth:`clean`."""
        from commlife.orders.cleaning import empty_audit

        return empty_audit() if self._audit is None else self._audit.copy()

    @property
    def whole(self) -> Self:
        """The log before any cleaning; the log itself where there was none."""
        return self if self._whole is None else self._whole

    def has(self, column: str) -> bool:
        """Whether the host named the canonical ``column``."""
        return column in self.columns

    def require(self, *wanted: str, why: str) -> None:
        """Refuse to go on without a column.

        Raises:
            ConfigError: If the host did not name one of ``wanted``.
        """
        missing = [name for name in wanted if not self.has(name)]
        if missing:
            raise ConfigError(
                f"{why} needs the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; this log has "
                f"{', '.join(self.columns)}. Name it in OrderLog.from_frame({missing[0]}=...)."
            )

    # -- out --------------------------------------------------------------------------------------------------------

    def to_native(self) -> Any:
        """The lines kept, under canonical names, in the input's own kind of frame; amounts are float64 major units."""
        return self.give(_facts.shown_lines(self), sort=False)

    def give(self, frame: nw.LazyFrame[Any], *, sort: bool | Sequence[str] = True) -> Any:
        """A result in the input's own kind of frame; eager ones are sorted by user_id, or by the columns named."""
        keys = ["user_id"] if sort is True else list(sort or ())
        if self._lazy:
            return nw.to_native(frame)
        if self._pandas_types is not None:
            # Another engine works for a pandas host: its answers come back as pandas, ids in their own type.
            table = _engine.collect_rows(frame, call="an answer of engine=... in pandas")
            known = {name: dtype for name, dtype in self._pandas_types.items() if name in table.columns}
            table = table.astype({name: dtype for name, dtype in known.items() if not table[name].isna().any()})
            return table.sort_values(keys, ignore_index=True) if keys else table
        eager = frame.collect()
        if keys and not (len(keys) == 1 and _engine.is_sorted(eager.lazy(), keys[0])):
            eager = eager.sort(*keys)
        native = nw.to_native(eager)
        return native.reset_index(drop=True) if eager.implementation is nw.Implementation.PANDAS else native

    def give_table(self, table: pd.DataFrame) -> Any:
        """A table made in this process, in the input's own kind where that is eager, else as pandas."""
        if self._pandas_types is not None:
            return table
        return _engine.frame_like(table, self._frame.implementation)

    def plan_of(self, native: Any) -> nw.LazyFrame[Any]:
        """A frame that :meth:`give` gave, as a plan that can be joined with the log's own."""
        plan = _engine.from_host(native)
        if self._pandas_types is None or plan.implementation is self._frame.implementation:
            return plan
        held = _engine.collect_rows(plan, call="a frame beside the log")
        return _engine.lazy_like(held, self._frame, types={"user_id": "user_id"})

    def clean(self, rules: CleaningRules) -> Self:
        """A new log after the rules; ``audit`` and ``set_aside`` of the new log say what happened.

        Raises:
            ConfigError: If a rule needs a column that the host did not name.
        """
        from commlife.orders.cleaning import apply_rules

        return apply_rules(self, rules)

    def __len__(self) -> int:
        return self.n_rows

    def __repr__(self) -> str:
        if self.n_rows == 0:
            return f"OrderLog(no rows, days of {self.timezone})"
        if not _engine.is_eager(self._frame):
            # Counting would run the whole plan: a repr should not.
            return f"OrderLog({self._frame.implementation} plan, {self.n_rows:,} rows, days of {self.timezone})"
        return (
            f"OrderLog({self.n_rows:,} rows, {self.n_orders:,} orders, {self.n_users:,} users, "
            f"{self.first_day} to {self.last_day}, days of {self.timezone})"
        )

    # -- for the rooms above ----------------------------------------------------------------------------------------

    def _lines(self, as_of: int, *columns: str) -> nw.LazyFrame[Any]:
        """Paid lines before ``as_of``; with ``columns`` only these."""
        return _facts.lines(self, as_of, columns)

    def _orders(self, as_of: int, *attributes: str) -> nw.LazyFrame[Any]:
        """One row an order at ``as_of``: user_id, order_id, day, us, net, counts, attributes of its earliest line."""
        return self._remembered(("orders", as_of, attributes), lambda: _facts.orders(self, as_of, attributes), most=6)

    def _remembered(
        self, key: tuple[Any, ...], make: Callable[[], nw.LazyFrame[Any]], *, most: int
    ) -> nw.LazyFrame[Any]:
        """A settled plan that several calls ask for; a few recent ones of a kind are worth their memory, not all."""
        frame: nw.LazyFrame[Any] | None = self._memory.get(key)
        if frame is None:
            # Threads share a log: what one of them puts down another may tidy away before it is picked up again.
            frame = make()
            held = [each for each in list(self._memory) if each[0] == key[0]]
            for old in held[: max(len(held) + 1 - most, 0)]:
                self._memory.pop(old, None)
            self._memory[key] = frame
        return frame

    def _derived(
        self,
        lines: nw.LazyFrame[Any],
        *,
        columns: tuple[str, ...],
        set_aside: tuple[nw.LazyFrame[Any], ...],
        audit: pd.DataFrame | None,
    ) -> Self:
        """A new log over other lines of the same export; what it observed stays what it was."""
        observed = (self._summary["first"] if self._observed[0] is None else self._observed[0], self._observed[1])
        return type(self)(
            _boundary.Kept(lines, None, self._found, self._rows_given),
            columns=columns,
            keep=self.keep,
            timezone=self.timezone,
            currency_digits=self.currency_digits,
            observed=observed,
            paid_statuses=self._paid_statuses,
            lazy=self._lazy,
            set_aside=set_aside,
            audit=audit,
            whole=self.whole,
            pandas_types=self._pandas_types,
        )

    def _of_users(self, low: Any, high: Any) -> Self:
        """The part of the log with users from ``low`` to below ``high`` (None: no bound), its lines held.

        What is counted over all users (what a category usually costs, the health of a community) is still told by the
        whole: an answer about a user is the same from the part as from the whole.
        """
        lines, user = self._frame, nw.col("user_id")
        if low is not None:
            lines = lines.filter(user >= low)
        if high is not None:
            lines = lines.filter(user < high)
        part = self._derived(_engine.settle(lines), columns=self.columns, set_aside=(), audit=None)
        part._part_of = self
        return part

    @property
    def _everybody(self) -> Self:
        """The log with all users, of which this one may be a part."""
        return self if self._part_of is None else self._part_of

    def _all_orders(self, attributes: tuple[str, ...]) -> nw.LazyFrame[Any]:
        """The orders of the whole log, from which those of an earlier day are told."""
        key = ("all orders", attributes)
        if key not in self._memory:
            beyond = self._summary["last"] + 1
            self._memory[key] = _engine.settle(_facts.grouped(self, beyond, attributes))
        frame: nw.LazyFrame[Any] = self._memory[key]
        return frame

    @property
    def _is_sorted(self) -> bool:
        """Whether the lines lie in the order of their days, as exports mostly do: the past is then a slice."""
        if "is_sorted" not in self._memory:
            self._memory["is_sorted"] = _engine.is_sorted(self._frame, "day")
        return bool(self._memory["is_sorted"])

    @property
    def _summary(self) -> Mapping[str, Any]:
        if "summary" not in self._memory:
            self._memory["summary"] = MappingProxyType(_facts.summary(self._frame))
        summary: Mapping[str, Any] = self._memory["summary"]
        return summary

    def _kept_repeats(self) -> list[FoundFault]:
        if any(fault.fault == "duplicate_line" for fault in self._found) or self._audit is not None:
            return []
        rows = _facts.count_repeats(self)
        kind = FAULTS["duplicate_line"]
        return [FoundFault(kind.name, "*", rows, "keep", "", None, kind.fix)] if rows else []


def need_log(log: object, call: str) -> None:
    """Refuse what is no log where a call takes one; most often it is the frame that the log is made of.

    Raises:
        ConfigError: If ``log`` is no OrderLog.
    """
    if not isinstance(log, OrderLog):
        raise ConfigError(
            f"{call} takes an OrderLog; seen a {type(log).__name__}. Make one first: "
            "log = cl.OrderLog.from_frame(frame, user_id=..., ordered_at=..., amount=...)."
        )
