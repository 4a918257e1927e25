"""The control door `/_sim/…`: what was received, who is connected, new scripts. Refuses to answer as a vendor."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs

from farebox.sims.answers.usage import PrefixCache
from farebox.sims.faults.catalogue import documents
from farebox.sims.http1 import Json, Request
from farebox.sims.journal import Journal
from farebox.sims.scenario import BadScenario, Scenario, from_document

PREFIX = "/_sim/"


@dataclass(slots=True)
class State:
    """What the control door may look at and change."""

    journal: Journal
    cache: PrefixCache
    scenario: Scenario
    initial: Callable[[], Scenario]
    listeners: dict[str, str]


def answer(state: State, request: Request) -> tuple[int, Json]:
    """Status and document for one control request."""
    match (request.method, request.path.removeprefix(PREFIX)):
        case "GET", "requests":
            return 200, {"requests": _requests(state, request)}
        case "GET", "connections":
            lines = [line.document() for line in state.journal.lines]
            return 200, {
                "connections": lines,
                "open": sum(line["open"] for line in lines),
                "bytes_after_close": sum(line["bytes_after_close"] for line in lines),
            }
        case "GET", "listeners":
            return 200, {"listeners": state.listeners}
        case "GET", "faults":
            return 200, {"faults": documents()}
        case "POST", "script":
            return _script(state, request)
        case "POST", "reset":
            state.journal.reset()
            state.cache.clear()
            state.scenario = state.initial()
            return 200, {"reset": True}
        case _:
            known = "GET requests, connections, listeners, faults; POST script, reset"
            return 404, {"error": {"message": f"The control door knows: {known}.", "type": "sim_unknown", "code": None}}


def _requests(state: State, request: Request) -> list[Json]:
    query = parse_qs(request.target.partition("?")[2])
    after = int(query.get("after", ["0"])[0])
    scope = query.get("scope", [None])[0]
    return [
        entry.document()
        for entry in state.journal.requests
        if entry.number > after and (scope is None or entry.scope == scope)
    ]


def _script(state: State, request: Request) -> tuple[int, Json]:
    document = request.document()
    try:
        if document is None:
            raise BadScenario("the script must be a JSON object")
        state.scenario = from_document(document)
    except BadScenario as problem:
        return 400, {"error": {"message": str(problem), "type": "sim_bad_script", "code": None}}
    return 200, {"rules": len(state.scenario.rules)}
