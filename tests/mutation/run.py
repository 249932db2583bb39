"""Mutation testing: do the tests notice a changed operator, bound, default or argument?

    make mutation ROOM=segments SAMPLE=100     one room, a fixed sample
    make mutation-quick                        a few mutants of each room, as CI runs it

A mutant is killed when a test of its own room, or a doctest of its own file, fails. Every survivor is to be looked at:
either a test is missing, or the change changes nothing that is promised, and then it stands in survivors.md with the
reason. Both shares are told; an error is fewer than 85% killed of those that are not listed there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from zlib import crc32

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("orders", "features", "segments", "cohorts", "basket", "value", "coupons")
FLOOR = 0.85

# Drawings are judged by eye and by the tests of what they show; Numba's machine code is compared with the NumPy miner
# by its tests, and Spark has its own suite (slow/).
_NOT_MUTATED = ("figures", "_canvas", "_fpgrowth", "_bitmaps", "_compiled", "_descent", "_inverted", "_jit", "__init__")

# The floors above ask a room's questions too, and some of its answers are tested there.
_ALSO = {
    "features": (
        "tests/segments/test_behaviour_types.py",
        "tests/segments/test_lifecycle.py",
        "tests/segments/test_recomputed.py",
        "tests/segments/test_tags.py",
        "tests/cohorts/test_growth.py",
    )
}

# What a signature promises (names, defaults, bounds) is tested for all rooms in one place, without running a line of
# the room.
_PROMISES = "tests/api/test_promises.py"

# The quick form: small modules with small tests of their own.
_QUICK = {
    "src/commlife/orders/money.py": "tests/orders/test_money.py",
    "src/commlife/features/cycles.py": "tests/features/test_cycles.py",
    "src/commlife/segments/segment_map.py": "tests/segments/test_segment_map.py",
    "src/commlife/cohorts/curve.py": "tests/cohorts/test_curve.py",
    "src/commlife/basket/_measures.py": "tests/basket/test_rules.py",
    "src/commlife/value/hypergeometric.py": "tests/value/test_hypergeometric.py",
    "src/commlife/coupons/apportionment.py": "tests/coupons/test_apportionment.py",
}


def _files(room: str) -> list[str]:
    folder = ROOT / "src" / "commlife" / room
    return [
        str(path.relative_to(ROOT))
        for path in sorted(folder.glob("*.py"))
        if not any(path.stem == name or (name == "figures" and name in path.stem) for name in _NOT_MUTATED)
    ]


def _tests(room: str) -> list[str]:
    return [f"tests/{room}", f"src/commlife/{room}", *_ALSO.get(room, ()), _PROMISES]


def _bare(name: str) -> str:
    """A mutant's name without its line, which moves with every edit above it."""
    return re.sub(r":\d+ ", " ", name, count=1)


def _judged() -> set[str]:
    """The survivors of survivors.md: looked at, and equivalent for the reason told there."""
    text = (Path(__file__).parent / "survivors.md").read_text(encoding="utf-8")
    return {_bare(name) for name in re.findall(r"^- `(src/.+)`:", text, flags=re.MULTILINE)}


def _dead(record: Path) -> set[str]:
    """The mutants that an earlier run killed."""
    told = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    return {_bare(each["mutant"]) for each in told if each["fate"] in {"killed", "timeout"}}


def _try(title: str, files: list[str], tests: list[str], args: argparse.Namespace, out: Path) -> Counter[str]:
    from mutants import sample
    from trial import survives

    reach = _reach(title, files, tests, out)
    _control(reach, files)
    dead, judged = _dead(out / f"{title}.jsonl") if args.again else set(), _judged()
    # Shuffled, so that the first of them, if time runs out, are a sample too.
    dealt = list(sample(ROOT, files, args.sample, args.seed, uniform=args.uniform))
    random.Random(args.seed).shuffle(dealt)
    began, fates = time.monotonic(), Counter()
    with (out / f"{title}.jsonl").open("w", encoding="utf-8") as record:
        for mutant in dealt:
            if time.monotonic() - began > args.seconds:
                break
            names: list[str] = []
            if (bare := _bare(mutant.name)) in dead:
                fate = "killed"
            else:
                names = reach.tests(mutant.path, *mutant.reach, at_import=mutant.at_import)
                names = reach.within(names, args.patience)
                if mutant.of_header or mutant.at_import:
                    names = [name for name in reach.seconds if name.startswith(_PROMISES)] + names
                cost = sum(reach.seconds[name] for name in names)
                fate = survives(ROOT, mutant.path, mutant.source, names, 20 + 3 * cost) if names else "unreached"
            if fate in {"survived", "unreached"} and bare in judged:
                fate = "equivalent"
            fates[fate] += 1
            record.write(json.dumps({"mutant": mutant.name, "fate": fate}) + "\n")
            record.flush()
            if fate != "killed":
                print(f"{fate:10} {mutant.name}  ({len(names)} tests)", flush=True)
    print(f"{_told(title, fates)}; {time.monotonic() - began:.0f} s", flush=True)
    print(f"{title}: {_of_all(files, out / f'{title}.jsonl')} of all its mutants, each kind by its number", flush=True)
    return fates


def _of_all(files: list[str], record: Path) -> str:
    """The share killed of all mutants of these files, from a sample that holds fewer of the plentiful kinds."""
    from mutants import PLENTIFUL, kinds

    told = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    there, share, variance = kinds(ROOT, files), 0.0, 0.0
    for plentiful in (True, False):
        weight = sum(number for kind, number in there.items() if (kind in PLENTIFUL) is plentiful) / there.total()
        tried = [
            each["fate"] in {"killed", "timeout"}
            for each in told
            if (re.findall(r"\] (\w+): ", each["mutant"])[0] in PLENTIFUL) is plentiful
        ]
        rate = sum(tried) / max(len(tried), 1)
        share += weight * rate
        variance += weight**2 * rate * (1 - rate) / max(len(tried), 1)
    return f"{share:.1%} killed (standard error {variance**0.5:.1%}), listed ones counted as alive,"


def _told(title: str, fates: Counter[str]) -> str:
    dead, listed = fates["killed"] + fates["timeout"], fates["equivalent"]
    tried = fates.total()
    return (
        f"{title}: {dead} of {tried} mutants killed ({dead / max(tried, 1):.1%}); "
        f"{dead / max(tried - listed, 1):.1%} without the {listed} listed as equivalent"
    )


def _control(reach, files: list[str]) -> None:
    """An unchanged file must survive, or the deaths prove nothing."""
    from trial import survives

    for path in files[:1]:
        names = [name for name in reach.tests(path, 1, 1, at_import=True) if not name.startswith("src")][:5]
        if names and survives(ROOT, path, (ROOT / path).read_text(encoding="utf-8"), names, 60) != "survived":
            raise SystemExit(f"{path}: tests fail on the unchanged file: {names}")


def _reach(title: str, files: list[str], tests: list[str], out: Path):
    """Who runs what, measured in a fork (the library stays unloaded here) and kept beside the results."""
    from reach import Reach, measure

    kept = out / f"{title}-{crc32(' '.join(tests).encode()):08x}.reach.json"
    newest = max(path.stat().st_mtime for folder in ("src", "tests") for path in (ROOT / folder).rglob("*.py"))
    if not kept.exists() or kept.stat().st_mtime < newest:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                kept.write_text(measure(ROOT, files, tests).to_json(), encoding="utf-8")
                code = 0
            except BaseException:
                traceback.print_exc()
                raise
            finally:
                os._exit(code)
        if os.waitpid(child, 0)[1] != 0:
            raise SystemExit(f"{title}: the tests do not pass unmutated")
    return Reach.from_json(kept.read_text(encoding="utf-8"))


def main() -> int:
    """Try the mutants that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--room", choices=[*ROOMS, "all"], default="all")
    parser.add_argument("--sample", type=int, default=100, help="mutants a room")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--patience", type=float, default=20.0, help="CPU seconds of tests a mutant may need, unmutated"
    )
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further mutant after so long")
    parser.add_argument("--quick", action="store_true", help="the small form that CI runs")
    parser.add_argument("--uniform", action="store_true", help="every mutant with the same chance, whatever its kind")
    parser.add_argument("--again", action="store_true", help="try those alone that lived the last time")
    parser.add_argument("--tests", nargs="*", default=[], help="these tests instead of the room's own")
    parser.add_argument("--out", type=Path, default=ROOT / ".venv" / "mutation")
    args = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT / "src"))
    os.environ.update(HYPOTHESIS_PROFILE="mutation", MPLBACKEND="Agg")
    args.out.mkdir(parents=True, exist_ok=True)
    from trial import preload

    preload()
    if args.quick:
        results = [_try("quick", list(_QUICK), list(_QUICK.values()), args, args.out)]
    else:
        rooms = ROOMS if args.room == "all" else [args.room]
        results = [_try(room, _files(room), args.tests or _tests(room), args, args.out) for room in rooms]
    fates = sum(results, Counter())
    print(_told("all", fates), flush=True)
    return int(fates["killed"] + fates["timeout"] < FLOOR * (fates.total() - fates["equivalent"]))


if __name__ == "__main__":
    sys.exit(main())
