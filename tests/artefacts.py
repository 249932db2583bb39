"""The wheel and the sdist, looked at and tried: ``make artefacts`` builds them and runs this.

``python tests/artefacts.py DIST TARGET``: ``DIST`` holds one wheel (built from the sdist) and one sdist, ``TARGET`` is the
folder into which the wheel was installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

#: Tests that need no more than a host has: the boundary, what is kept, the command line, the types of files.
_HOSTS_TESTS = ("tests/house", "tests/orders/test_log.py", "tests/persisted", "tests/report/test_shell.py")

ROOT = Path(__file__).resolve().parents[1]


class ArtefactError(Exception):
    """An artefact lacks something, or holds what it should not."""


def need(condition: bool, told: str) -> None:
    if not condition:
        raise ArtefactError(told)


def modules() -> set[str]:
    """Every file of the package in the tree."""
    package = ROOT / "src" / "commlife"
    return {
        path.relative_to(ROOT / "src").as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def check_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        about = next(name for name in names if name.endswith(".dist-info/METADATA"))
        meta = Parser().parsestr(archive.read(about).decode("utf-8"))
    held = {name for name in names if name.startswith("commlife/")}
    need(held == modules(), f"the wheel and the tree differ: {sorted(held ^ modules())[:5]}")
    strange = {name.split("/")[0] for name in names} - {"commlife", about.split("/")[0]}
    need(not strange, f"the wheel holds more than the package: {strange}")
    need("commlife/py.typed" in names, "the wheel lacks py.typed: hosts would see no types")
    need(any(name.endswith("licenses/LICENSE") for name in names), "the wheel lacks the licence")
    need(meta["Requires-Python"] == ">=3.11", f"Requires-Python is {meta['Requires-Python']}")
    extras = set(meta.get_all("Provides-Extra") or ())
    wanted = {"polars", "duckdb", "spark", "dask", "report", "datasets", "testing"}
    need(wanted <= extras, f"the wheel lacks the extras {wanted - extras}")


def check_sdist(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    for wanted in ("README.md", "LICENSE", "CHANGELOG.md", "Makefile", "mkdocs.yml", "tests/conftest.py"):
        need(wanted in names, f"the sdist lacks {wanted}")
    need({f"src/{name}" for name in modules()} <= names, "the sdist lacks modules")
    built = [name for name in names if name.startswith((".venv", "site/", "out/")) or "__pycache__" in name]
    need(not built, f"the sdist holds what was built: {built[:3]}")


def try_out(target: Path) -> None:
    """The rooms that read files of the package, run against the installed one."""
    environment = os.environ | {"PYTHONPATH": str(target)}
    where = subprocess.run(
        [sys.executable, "-c", "import commlife; print(commlife.__file__)"],
        env=environment, cwd=target, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    need(where.startswith(str(target)), f"commlife came from {where.strip()}, not from the artefact")
    tests = ["tests/house", "tests/orders", "tests/report/test_shell.py"]
    subprocess.run(  # noqa: S603
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests], env=environment, cwd=ROOT, check=True
    )


def in_new_environment(wheel: Path, sdist: Path) -> None:
    """As a host installs it: into an environment of its own, with what it depends on; first the wheel, then the sdist."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        venv.create(folder / "host", with_pip=True)
        python = folder / "host" / "bin" / "python"
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

        def run(*command: str, cwd: Path) -> str:
            done = subprocess.run(  # noqa: S603
                [str(python), *command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
            )
            need(done.returncode == 0, f"{' '.join(command)[:80]} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
            return done.stdout

        extras = "[polars,duckdb,report,testing]"
        run("-m", "pip", "install", "--quiet", f"{wheel}{extras}", cwd=folder)
        for artefact in (wheel, sdist):
            if artefact is sdist:
                run("-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps", str(sdist), cwd=folder)
            run("-m", "pip", "check", cwd=folder)
            where = run("-c", "import commlife; print(commlife.__file__)", cwd=folder)
            need(where.startswith(str(folder)), f"commlife came from {where.strip()}, not from {artefact.name}")
            told = run("-m", "pytest", "-q", "-p", "no:cacheprovider", *_HOSTS_TESTS, cwd=ROOT)
            print(f"{artefact.name}, installed with what it needs: {told.strip().splitlines()[-1]}")


def main() -> None:
    dist, target = (Path(argument).resolve() for argument in sys.argv[1:3])
    (wheel,), (sdist,) = list(dist.glob("*.whl")), list(dist.glob("*.tar.gz"))
    check_wheel(wheel)
    check_sdist(sdist)
    try_out(target)
    in_new_environment(wheel, sdist)
    print(f"{wheel.name} ({wheel.stat().st_size:,} bytes) and {sdist.name} hold what they should and work.")


if __name__ == "__main__":
    main()
