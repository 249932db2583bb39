"""Docstrings say :class:`~commlife.OrderLog`; the pages link that name where the reference has it."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data|exc):`(?P<short>~?)(?P<path>[\w.]+)`")
#: Where a public name of the root lives, such as commlife.segments.RFM for commlife.RFM.
_PACKAGE = "commlife"


class Roles(griffe.Extension):
    """Turns the roles of docstrings into links, or into plain code where there is no such page."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring is not None:
            module = obj.module.path
            obj.docstring.value = _ROLE.sub(lambda role: _link(role, module), obj.docstring.value)


def _link(role: re.Match[str], module: str) -> str:
    path = role["path"]
    shown = path.rpartition(".")[2] if role["short"] else path
    if not path.startswith(f"{_PACKAGE}."):
        path = f"{module}.{path}"
    return f'<autoref identifier="{path}" optional><code>{shown}</code></autoref>'
