"""Asking a server which models it has (`GET /models`), with bounds. Refuses redirects and proxies."""

import http.client
import ssl
from urllib.parse import urlsplit

import msgspec

from farebox.app.offers import read_listing
from farebox.catalogue.types import ServerModel

TIMEOUT_S = 5.0
ANSWER_BYTES_MAX = 4 * 1024 * 1024


class NotAnswering(Exception):
    """The server gave no list of models; one sentence why."""


def ask(base_url: str, key: str | None) -> tuple[ServerModel, ...]:
    """The models of the server at `base_url`. Blocks for some seconds at most; raises NotAnswering."""
    parts = urlsplit(base_url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=TIMEOUT_S, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}/models", headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise NotAnswering(f"it answers GET /models with status {answer.status}")
        return read_listing(answer.read(ANSWER_BYTES_MAX))
    except (OSError, http.client.HTTPException) as error:
        raise NotAnswering(f"it does not answer ({type(error).__name__})") from error
    except msgspec.DecodeError as error:
        raise NotAnswering("its answer to GET /models is not a list of models") from error
    finally:
        connection.close()
