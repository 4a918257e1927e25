"""Counting of prompt tokens: asked of the vendor where it counts in the client's protocol, else estimated. Free of charge.

Refuses to generate: a count is no generation and leaves no record.
"""

import re
from collections.abc import Callable

from msgspec import Struct

from farebox.dialects.anthropic_messages import counting as messages
from farebox.dialects.google_generate import counting as generate
from farebox.dialects.ports import Opened, ServerHalf, Target
from farebox.dialects.registry import SERVERS
from farebox.gateway.meter import prompt_estimate
from farebox.gateway.world import Prepared
from farebox.http.limits import Timeouts
from farebox.http.pool import Pool
from farebox.ir.errors import AttemptError

ANSWER_BYTES_MAX = 256 * 1024
_TIMEOUTS = Timeouts(first_byte_s=20.0, idle_s=10.0, total_s=30.0)
_MESSAGES = frozenset(f"{prefix}/messages/count_tokens" for prefix in ("/v1", "/api/v1", "/anthropic/v1"))
_GENERATE = re.compile(r"(?:/genai)?/v1(?:beta)?/models/(?P<model>[^:]+(?::[a-z]+)*):countTokens")


class CountRoute(Struct, frozen=True):
    """A path that counts, with the words of its protocol."""

    server: ServerHalf
    open: Callable[[bytes], Opened]
    path: Callable[[Target], str]
    request: Callable[[Opened, Target], bytes]
    read: Callable[[bytes], int]
    write: Callable[[int], bytes]
    operation: str = "count_tokens"
    kind: str = "chat"


def find(path: str) -> CountRoute | None:
    """The counting route of a path, None for every other path."""
    if path in _MESSAGES:
        return CountRoute(
            SERVERS["anthropic_messages"],
            messages.open_count,
            messages.count_path,
            messages.count_request,
            messages.read_count,
            messages.write_count,
        )
    match = _GENERATE.fullmatch(path)
    if match is None:
        return None
    model = match["model"]
    return CountRoute(
        SERVERS["google_generate"],
        lambda body: generate.open_count(body, model),
        generate.count_path,
        generate.count_request,
        generate.read_count,
        generate.write_count,
    )


async def count(route: CountRoute, opened: Opened, prepared: Prepared, pool: Pool, *, at_s: int) -> bytes:
    """The answer to the client. A vendor that does not answer leaves the estimate: a count is advice, not a bill."""
    if prepared.client.name == route.server.name:
        body = route.request(opened, prepared.target)
        try:
            head = prepared.head_for(route.path(prepared.target), body, at_s=at_s)
            response = await pool.send(prepared.origin, head, body, _TIMEOUTS)
            answer = await response.read(ANSWER_BYTES_MAX)
            if response.status == 200:
                return route.write(route.read(answer))
        except AttemptError:
            return route.write(prompt_estimate(opened))
    return route.write(prompt_estimate(opened))
