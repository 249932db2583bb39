"""Screenshots of the library's two pages, for the README and the gallery: ``python docs/screenshots.py``.

Needs a Chromium or Chrome on the PATH (or named in ``CHROMIUM``) and the extras ``report`` and ``datasets``. The pages
are those of docs/gallery/report.md; the browser runs without a window, in a folder of its own, and asks for nothing
outside.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import run_guides

DOCS = Path(__file__).resolve().parent
#: Page, picture, width and height in pixels of CSS; half as many again are taken, so that letters are sharp.
SHOTS = (("report.html", "weekly.png", 1120, 1440), ("drivers.html", "drivers.png", 1120, 1180))
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def browser() -> str:
    """The browser's path.

    Raises:
        SystemExit: If there is none.
    """
    named = os.environ.get("CHROMIUM", "")
    found = [path for name in (named, *_BROWSERS) if name and (path := shutil.which(name))]
    if not found:
        raise SystemExit("No Chromium or Chrome on the PATH; name one in CHROMIUM.")
    return found[0]


def take(program: str, page: Path, picture: Path, width: int, height: int) -> None:
    """One screenshot of a page on disk."""
    with tempfile.TemporaryDirectory() as profile:
        options = [
            "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--hide-scrollbars", "--force-device-scale-factor=1.5", f"--user-data-dir={profile}",
            f"--window-size={width},{height}", f"--screenshot={picture}",
        ]  # fmt: skip
        subprocess.run([program, *options, page.as_uri()], check=True, capture_output=True, timeout=120)  # noqa: S603  (our own page)


def small(picture: Path) -> None:
    """As few colours as a page has, every hue among them: a third of the size, and the same to look at."""
    from PIL import Image

    with Image.open(picture) as image:
        made = image.convert("RGB").quantize(255, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    made.save(picture, optimize=True)


def main() -> int:
    """Run the page of the gallery, and take its screenshots."""
    program = browser()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run_guides.run_page(DOCS / "gallery" / "report.md", folder)
        for page, picture, width, height in SHOTS:
            take(program, folder / page, DOCS / "images" / picture, width, height)
            small(DOCS / "images" / picture)
            print(f"docs/images/{picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
