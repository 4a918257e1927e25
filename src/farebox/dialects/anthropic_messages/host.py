"""The last step of every request body: what a host of this protocol wants changed at the top. Refuses to look deeper.

`Target` words: `rename`, `drop` and `force` work on members (`force` sets `anthropic_version` where a host wants it in the
body). Options: `no_model` (the model stands in the path), `no_stream` (so does the wish to stream), `no_output_config`,
`no_top_level_cache`, `no_metadata`.
Settings: `path` and `stream_path`, in which `{model}` stands for the model.
"""

from urllib.parse import quote

import msgspec
from msgspec import Raw

from farebox.dialects.anthropic_messages.writing import dropped
from farebox.dialects.ports import Target
from farebox.ir.events import Warning

_encode = msgspec.json.encode
_OPTIONAL = {"no_output_config": "output_config", "no_top_level_cache": "cache_control", "no_metadata": "metadata"}


def path(target: Target, stream: bool) -> str:
    """The path below the base URL."""
    settings = target.settings
    template = settings.get("path", "/messages")
    if stream:
        template = settings.get("stream_path", template)
    return template.replace("{model}", quote(target.model, safe="@"))


def close(fields: dict[str, Raw], target: Target, *, stream: bool) -> tuple[bytes, list[Warning]]:
    """The body for this host, and what it does not take."""
    warnings: list[Warning] = []
    out: dict[str, bytes | Raw] = {}
    if "no_model" not in target.options:
        out["model"] = _encode(target.model)
    unwanted = {name for word, name in _OPTIONAL.items() if word in target.options}
    for name, raw in fields.items():
        if name in target.drop or name in unwanted:
            warnings.append(dropped(name))
            continue
        out.setdefault(target.rename.get(name, name), raw)
    if stream and "no_stream" not in target.options:
        out["stream"] = b"true"
    out.update(target.force)
    return join(out), warnings


def join(fields: dict[str, bytes | Raw]) -> bytes:
    """A JSON object of ready members."""
    return b"{" + b",".join([b"%b:%b" % (_encode(name), bytes(raw)) for name, raw in fields.items()]) + b"}"
