"""The command line: ``commlife report FILE ...`` and ``commlife demo``, over the same calls as in Python."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commlife._files import write_whole
from commlife._model import library_version
from commlife.errors import CommlifeError, ConfigError, EngineError

if TYPE_CHECKING:
    from commlife.orders import OrderLog

__all__ = ["main"]

#: Exit codes: the data is faulty or too small, the command is wrong, the user stopped it.
FAILED, WRONG, STOPPED = 1, 2, 130

#: The canonical columns that can be named on the command line.
COLUMNS = (
    "order_id", "quantity", "cost", "list_amount", "discount", "item_id", "category", "community", "channel",
    "coupon_id", "address_id", "first_ordered_at",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    warnings.formatwarning = _caveat  # this process is the command's own
    try:
        arguments.run(arguments)
    except KeyboardInterrupt:
        print("Stopped; nothing was left half-written.", file=sys.stderr)
        return STOPPED
    except ConfigError as error:
        print(f"commlife: {error}", file=sys.stderr)
        return WRONG
    except CommlifeError as error:
        print(f"commlife: {error}", file=sys.stderr)
        return FAILED
    except MemoryError:
        print(
            "commlife: the memory of this machine is too small for the file; nothing was left half-written. Give a "
            "Parquet file with the columns that are named alone, fewer months of orders, or more memory.",
            file=sys.stderr,
        )
        return FAILED
    except OSError as error:
        print(f"commlife: {error.strerror or error}: {error.filename or ''}", file=sys.stderr)
        return FAILED
    return 0


def _caveat(message: Warning | str, *args: object, **kwargs: object) -> str:
    """A caveat as a shell user expects it: a line, without the code that raised it."""
    del args, kwargs
    return f"commlife: note: {message}\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="commlife", description="From an order export to the user table and the weekly page."
    )
    parser.add_argument("--version", action="version", version=f"commlife {library_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    report = commands.add_parser("report", help="users.parquet and report.html from an order export")
    report.add_argument("file", type=Path, metavar="FILE", help="orders as .parquet or .csv")
    columns = report.add_argument_group("columns of the file")
    for name in ("user_id", "ordered_at", "amount"):
        columns.add_argument(_flag(name), required=True, metavar="COL")
    for name in COLUMNS:
        columns.add_argument(_flag(name), metavar="COL")
    cleaning = report.add_argument_group("cleaning, each off until asked for")
    cleaning.add_argument("--exclude-category", action="append", default=[], metavar="NAME", help="can be repeated")
    cleaning.add_argument("--max-addresses", type=int, metavar="N", help="set users with more addresses aside")
    cleaning.add_argument("--merge-within", metavar="TIME", help="such as 6h or 1D")
    cleaning.add_argument("--drop-zero-amount", action="store_true")
    cleaning.add_argument("--on-fault", choices=("raise", "set_aside"), default="raise")
    reading = report.add_argument_group("reading")
    reading.add_argument("--timezone", default="Asia/Shanghai", metavar="ZONE")
    reading.add_argument("--currency-digits", type=int, default=2, metavar="N")
    reading.add_argument("--as-of", required=True, metavar="DATE", help="the day before whose midnight all is counted")
    _page_options(report)
    report.set_defaults(run=_report)

    demo = commands.add_parser("demo", help="the same from a year of real data (extra: datasets)")
    demo.add_argument("--as-of", default="2017-12-18", metavar="DATE")
    _page_options(demo)
    # The households of the data set are numbers without a name behind them: nothing to mask.
    demo.set_defaults(run=_demo, show_ids=True)
    return parser


def _page_options(parser: argparse.ArgumentParser) -> None:
    page = parser.add_argument_group("page")
    page.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR", help="folder for the results (default: out)"
    )
    page.add_argument("--lang", choices=("en", "zh"), default="en")
    page.add_argument("--budget", type=float, metavar="MONEY", help="most money for coupons")
    page.add_argument("--show-ids", action="store_true", help="whole user ids on the page instead of masked ones")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _report(arguments: argparse.Namespace) -> None:
    from commlife.orders import CleaningRules, OrderLog

    names: dict[str, Any] = {name: getattr(arguments, name) for name in ("user_id", "ordered_at", "amount", *COLUMNS)}
    reading = {
        **{name: column for name, column in names.items() if column is not None},
        "timezone": arguments.timezone,
        "currency_digits": arguments.currency_digits,
        "on_fault": arguments.on_fault,
    }
    rules = CleaningRules(
        exclude_categories=tuple(arguments.exclude_category),
        max_addresses_per_user=arguments.max_addresses,
        merge_within=arguments.merge_within,
        drop_zero_amount=arguments.drop_zero_amount,
    )
    kind = arguments.file.suffix.lower()
    readers = {".parquet": OrderLog.from_parquet, ".csv": OrderLog.from_csv}
    if kind not in readers:
        raise ConfigError(f"FILE ends in .parquet or .csv; seen {arguments.file.name!r}.")
    with _progress() as tell:
        tell("orders")
        log = readers[kind](arguments.file, **reading)
        if rules != CleaningRules():
            tell("cleaning")
            log = log.clean(rules)
        paths = _write(log, arguments, tell)
    _say(paths)


def _demo(arguments: argparse.Namespace) -> None:
    from commlife.datasets import COMPLETE_JOURNEY_FUEL, load_complete_journey
    from commlife.orders import CleaningRules

    with _progress() as tell:
        tell("Complete Journey, 1.5 million lines")
        log = load_complete_journey(item="product_type")
        tell("cleaning")
        # Fuel is sold beside groceries at another order of price and size, as a service would be.
        log = log.clean(CleaningRules(exclude_categories=COMPLETE_JOURNEY_FUEL, merge_within="6h"))
        paths = _write(log, arguments, tell)
    _say(paths)


def _write(log: OrderLog, arguments: argparse.Namespace, tell: Any) -> list[Path]:
    from commlife._text import check_language
    from commlife.report._models import fit_missing
    from commlife.report.weekly import make_page

    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise EngineError('users.parquet needs pyarrow: pip install "commlife[report]".') from None
    lang = check_language(arguments.lang)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    tell("models")
    models = fit_missing(log, as_of=arguments.as_of, rfm=None, lifecycle=None, silence=None, offers=None, lang=lang)
    users, html = make_page(
        log, models, budget=arguments.budget, lang=lang, mask_users=not arguments.show_ids, progress=tell
    )
    tell("files")
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(users, preserve_index=False), buffer)
    write_whole(out / "users.parquet", buffer.getvalue().to_pybytes())
    write_whole(out / "report.html", html.encode("utf-8"))
    return [out / "users.parquet", out / "report.html"]


@contextmanager
def _progress() -> Iterator[Any]:
    """A bar over the steps, on a terminal alone."""
    from tqdm import tqdm

    with tqdm(
        total=6, file=sys.stderr, disable=not sys.stderr.isatty(), bar_format="{desc:<40}|{bar:20}| {elapsed}"
    ) as bar:

        def tell(step: str) -> None:
            bar.set_description_str(step)
            bar.update()

        yield tell


def _say(paths: Sequence[Path]) -> None:
    for path in paths:
        print(path)


if __name__ == "__main__":
    sys.exit(main())
