"""Calls whose arguments come piece by piece (`partialArgs`), put together. Refuses to hand out half a call: the pieces name
places in the arguments, so that no prefix of their JSON text is known before the end.
"""

import re
from itertools import pairwise
from typing import Any

import msgspec

_STEP = re.compile(r"""\.([^.\[\]'"]+)|\[(\d{1,4})\]|\['([^']*)'\]|\["([^"]*)"\]""")
_VALUES = ("stringValue", "numberValue", "boolValue")
STEPS_MAX = 64


def is_partial(call: dict[str, Any]) -> bool:
    return "partialArgs" in call or bool(call.get("willContinue"))


class PartialCall:
    """One call as it grows."""

    __slots__ = ("_root", "_sealed", "call_id", "name", "signature")

    def __init__(self) -> None:
        self.name = self.call_id = self.signature = ""
        self._root: dict[str, Any] = {}
        self._sealed: dict[str, bool] = {}

    def take(self, call: dict[str, Any], signature: Any) -> bool:
        """Whether the call is whole with this piece."""
        self.name = self.name or str(call.get("name") or "")
        self.call_id = self.call_id or str(call.get("id") or "")
        self.signature = signature if isinstance(signature, str) and signature else self.signature
        whole = call.get("args")
        if isinstance(whole, dict):
            self._root.update(whole)
        for piece in call.get("partialArgs") or ():
            if isinstance(piece, dict):
                self._put(str(piece.get("jsonPath") or ""), piece)
        return not call.get("willContinue")

    def _put(self, path: str, piece: dict[str, Any]) -> None:
        steps = [int(index) if index else name or quoted or other for name, index, quoted, other in _STEP.findall(path)]
        if not steps or len(steps) > STEPS_MAX:
            return
        value = next((piece[name] for name in _VALUES if name in piece), None)
        continued = self._sealed.get(path) is False
        self._sealed[path] = not piece.get("willContinue")
        holder: Any = self._root
        for step, following in pairwise(steps):
            holder = _room(holder, step, [] if isinstance(following, int) else {})
        last = steps[-1]
        before = _get(holder, last) if continued else None
        _set(holder, last, before + value if isinstance(before, str) and isinstance(value, str) else value)

    def arguments(self) -> str:
        return msgspec.json.encode(self._root).decode()


def _get(holder: Any, step: str | int) -> Any:
    if isinstance(holder, list):
        return holder[step] if isinstance(step, int) and step < len(holder) else None
    return holder.get(str(step))


def _set(holder: Any, step: str | int, value: Any) -> None:
    if isinstance(holder, list):
        index = step if isinstance(step, int) else len(holder)
        holder += [None] * (index + 1 - len(holder))
        holder[index] = value
    else:
        holder[str(step)] = value


def _room(holder: Any, step: str | int, empty: Any) -> Any:
    found = _get(holder, step)
    if not isinstance(found, dict | list):
        found = empty
        _set(holder, step, found)
    return found
