"""Owns the fuzz target of chat requests: opened, decoded, encoded and relayed as a worker would. Refuses the network."""

import json

from farebox.dialects.ports import Target
from farebox.dialects.registry import CLIENTS, RELAYS, SERVERS
from farebox.ir.errors import FareboxError

NAME = "openai_chat"
PLAIN = Target(model="vendor-model", vendor="fuzz")
ODD = Target(
    model="vendor-model",
    vendor="fuzz",
    rename={"max_completion_tokens": "max_tokens"},
    drop=frozenset({"logprobs", "seed"}),
    reasoning_field="reasoning_content",
    reasoning_wish="reasoning_effort",
    reasoning_replay="required",
)


def one(data: bytes) -> None:
    """A request is refused as the caller's fault, or every way to a vendor gives a JSON object with the vendor's model."""
    server, client, relay = SERVERS[NAME], CLIENTS[NAME], RELAYS[NAME]
    try:
        opened = server.open(data)
    except FareboxError as error:
        _check(error)
        return
    for target in (PLAIN, ODD):
        try:
            if opened.relayable:
                _is_a_request(relay.request(opened, target)[0])
            _is_a_request(client.encode(server.decode(opened), target)[0])
        except FareboxError as error:
            _check(error)


def _check(error: FareboxError) -> None:
    assert 400 <= error.status < 500, f"a caller's mistake became {error.status}"
    json.loads(SERVERS[NAME].error(error, "gen-fuzz"))


def _is_a_request(body: bytes) -> None:
    assert json.loads(body)["model"] == "vendor-model"
