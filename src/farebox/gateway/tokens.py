"""Keeps the access tokens of vendors fresh: asks their token services a while before the old ones end.

Refuses to stop serving when one of them is away: the old token is used to its end.
"""

import asyncio
import time

import structlog

from farebox.gateway.world import World
from farebox.http.limits import Timeouts
from farebox.http.pool import Pool
from farebox.ir.errors import AttemptError
from farebox.vendors.google_token import GoogleTokens, TokenRefused

LOOK_S = 1.0
ANSWER_BYTES_MAX = 64 * 1024
_TIMEOUTS = Timeouts(first_byte_s=10.0, idle_s=10.0, total_s=20.0)
log = structlog.get_logger("farebox.tokens")


class TokenKeeper:
    """The loop of one worker."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.world: World | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for tokens in self.world.tokens() if self.world is not None else ():
                await self._refresh(tokens)
            await asyncio.sleep(LOOK_S)

    async def _refresh(self, tokens: GoogleTokens) -> None:
        request = tokens.due(time.time())  # asks again only after a pause of its own
        if request is None:
            return
        try:
            response = await self._pool.send(request.origin, request.head, request.body, _TIMEOUTS)
            body = await response.read(ANSWER_BYTES_MAX)
            tokens.accept(response.status, body, time.time())
        except AttemptError as error:
            log.warning("token_service_away", reason=error.code)
        except TokenRefused as refused:
            log.warning("token_refused", reason=str(refused))
