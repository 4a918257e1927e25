"""The table of all faults, by id and variant. Refuses to hold any behaviour of its own."""

from collections.abc import Mapping
from types import MappingProxyType

from farebox.sims.faults import broken, coding, connect, cuts, framing, headers, hostile, lies, slow, sse, status
from farebox.sims.faults.types import Fault, Variant
from farebox.sims.http1 import Json
from farebox.sims.orders import OPTIONS, BadOrder

_FAMILIES = (connect, status, slow, cuts, broken, sse, coding, framing, headers, lies, hostile)


def _number(fault: Fault) -> tuple[str, int]:
    return fault.id[0], int(fault.id[1:])


FAULTS: tuple[Fault, ...] = tuple(sorted((fault for family in _FAMILIES for fault in family.FAULTS), key=_number))
BY_ID: Mapping[str, Fault] = MappingProxyType({fault.id: fault for fault in FAULTS})


def find(name: str) -> Variant | None:
    """The variant that `f13` or `f13-garbage` names; None for no name at all."""
    if not name:
        return None
    identity, _, wanted = name.partition("-")
    fault = BY_ID.get(identity)
    if fault is None:
        raise BadOrder(f"no fault {name!r}; there are {', '.join(fault.id for fault in FAULTS)}")
    for variant in fault.variants:
        if not wanted or variant.name == wanted:
            return variant
    raise BadOrder(f"{identity} has no variant {wanted!r}; it has {', '.join(v.name for v in fault.variants)}")


def documents() -> list[Json]:
    """The table as data."""
    return [
        {
            "id": fault.id,
            "says": fault.says,
            "variants": [{"name": v.name, "says": v.says, "stream_only": v.stream_only} for v in fault.variants],
        }
        for fault in FAULTS
    ]


def listing() -> str:
    """The table for a terminal."""
    lines = ["Faults. Order one by header `X-Sim: fault=F13-garbage`, by model name `any@f13-garbage` or `sim/f13`,"]
    lines += ["by path `/f13-garbage/v1/…`, or by a scenario's rule. * = in streams only.", ""]
    for fault in FAULTS:
        lines.append(f"{fault.id.upper():5} {fault.says}")
        for variant in fault.variants:
            lines.append(f"        {variant.name + ('*' if variant.stream_only else ''):22} {variant.says}")
    lines += ["", "Options, in the same places, separated by semicolons (`X-Sim: fault=F23;after=0`):"]
    lines += [f"  {name:14} {says}" for name, says in OPTIONS.items()]
    return "\n".join(lines) + "\n"


def table() -> str:
    """The table for the documentation."""
    lines = ["| fault | variant | what happens on the wire |", "|---|---|---|"]
    for fault in FAULTS:
        lines.append(f"| **{fault.id.upper()}** | | **{_cell(fault.says)}** |")
        for variant in fault.variants:
            star = " (streams only)" if variant.stream_only else ""
            lines.append(f"| | `{fault.id}-{variant.name}` | {_cell(variant.says)}{star} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
