"""The attempts of one generation: call the planned endpoints in turn until one answers, and pass its answer on.

A failure before the commit point (the first content byte sent to the client) moves on to the next endpoint; after it the
client hears of the failure in the stream. Settlement always comes before the client's end. Refuses to choose endpoints
(that is the plan's) and to know any vendor or protocol.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

from farebox.dialects.ports import Outcome, RelayStream, StreamEncoder
from farebox.gateway import passage
from farebox.gateway.budget import RetryBudget, Situation, may_retry
from farebox.gateway.config import GatewayConfig
from farebox.gateway.generation import CANCELLED, OK, Generation
from farebox.gateway.health import HealthBook
from farebox.gateway.passage import CrossedStream
from farebox.gateway.replies import Heads, final_error
from farebox.gateway.routes import JSON, SSE
from farebox.gateway.settle import Bookkeeper
from farebox.gateway.world import Prepared, World
from farebox.http.pool import Pool
from farebox.http.response import Response
from farebox.ir.errors import (
    AttemptError,
    EmptyAnswer,
    FareboxError,
    FirstByteTimeout,
    Garbled,
    IdleTimeout,
    Unavailable,
)
from farebox.money.charges import FREE
from farebox.money.rating import current_sheet
from farebox.routing.types import Candidate, Standing

Serve = Callable[[Generation, Prepared, Response], Awaitable[None]]

ERROR_BYTES_MAX = 256 * 1024
SPEND_S = 1.0
SPEND_BYTES = 64 * 1024
PROCESSING = b": FAREBOX PROCESSING\n\n"


class Runner:
    """Runs generations of one worker over its pool of vendor connections."""

    def __init__(  # noqa: PLR0917 - built once, by the worker
        self,
        config: GatewayConfig,
        pool: Pool,
        books: Bookkeeper,
        health: HealthBook,
        budget: RetryBudget,
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self.pool = pool
        self._books = books
        self._health = health
        self._budget = budget
        self._clock = clock
        self._heads = Heads()
        self._streams: dict[str, Generation] = {}
        self.draining = False

    @property
    def running(self) -> int:
        """Streams that are open."""
        return len(self._streams)

    @property
    def standing(self) -> Callable[[str], Standing]:
        """How endpoints stand, for the plan."""
        return self._health.standing

    async def run(self, generation: Generation, world: World) -> None:
        """Attempt after attempt until the client has its answer. Raises what the client must be told instead."""
        stream = generation.opened.stream
        serve = self._stream if stream else self._whole
        if stream:
            generation.next_comment_at = generation.started + self._config.processing_s
            self._streams[generation.id] = generation
        try:
            await self._attempts(generation, world, serve)
        except asyncio.CancelledError:
            self._cancelled(generation)
            raise
        except FareboxError as error:
            self._failed(generation, error)
        finally:
            self._streams.pop(generation.id, None)

    def tick(self) -> None:
        """Look after open streams: a comment now and then while the first content is awaited (failover is still
        possible), and an end to vendors that only send signs of life.
        """
        now = self._clock()
        for generation in list(self._streams.values()):
            response = generation.response
            if response is not None and now - generation.progress_at > self._config.token_idle_s:
                response.give_up(IdleTimeout() if generation.committed else FirstByteTimeout())
            if generation.committed or now < generation.next_comment_at or generation.reply.gone:
                continue
            if generation.route.stream_type is not SSE:
                continue
            generation.next_comment_at = now + self._config.processing_s
            reply = generation.reply
            if not reply.started:
                reply.start(200, self._heads.stream(generation))
            reply.write(PROCESSING)

    async def _attempts(self, generation: Generation, world: World, serve: Serve) -> None:
        candidates = generation.plan.candidates
        organisation = generation.caller.organisation
        retry = False
        for made, (position, candidate) in enumerate(self._tried(candidates), 1):
            vendor = candidate.endpoint.vendor
            if not retry:
                self._budget.start(organisation, vendor)
            elif not self._budget.take(organisation, vendor):
                break
            try:
                await self._attempt(generation, world, candidate, serve)
                return
            except AttemptError as error:
                world.prepared(candidate.endpoint).conceal(error)
                generation.failure = error
                self._health.failed(candidate.endpoint.id, error, committed=generation.committed)
                generation.note(error.code, self._clock(), error=error)
                following = candidates[position + 1] if position + 1 < len(candidates) else None
                verdict = may_retry(error, self._situation(generation, made, len(candidates) - position - 1, following))
                if not verdict.allows:
                    raise final_error(generation) from None
            except FareboxError:
                # The request cannot be said to this endpoint at all: no verdict about its health.
                self._health.abandoned(candidate.endpoint.id)
                raise
            finally:
                self._budget.end(organisation, vendor, retry=retry)
            retry = True
        raise final_error(generation)

    def _tried(self, candidates: tuple[Candidate, ...]) -> Iterator[tuple[int, Candidate]]:
        """The candidates in order; one that is half open only if its slot is free, or if nothing else is left."""
        last = len(candidates) - 1
        for position, candidate in enumerate(candidates):
            if candidate.trial and not self._health.take_trial(candidate.endpoint.id) and position < last:
                continue
            yield position, candidate

    def _situation(self, generation: Generation, made: int, left: int, following: Candidate | None) -> Situation:
        organisation = generation.caller.organisation
        endpoint = following.endpoint if following is not None else None
        prepared = generation.prepared
        latency = self._health.standing(endpoint.id).latency_ms if endpoint is not None else None
        return Situation(
            committed=generation.committed,
            attempts=made,
            candidates=left,
            left_s=generation.started + self._config.timeouts.total_s - self._clock(),
            first_token_s=(latency or 0.0) / 1000,
            budget=endpoint is None or self._budget.room(organisation, endpoint.vendor),
            attempts_max=self._config.attempts_max,
            other_model=endpoint is not None and prepared is not None and endpoint.model != prepared.endpoint.model,
        )

    async def _attempt(self, generation: Generation, world: World, candidate: Candidate, serve: Serve) -> None:
        endpoint = candidate.endpoint
        prepared = world.prepared(endpoint)
        generation.prepared = prepared
        generation.outcome = None
        generation.first_token_at = 0.0
        generation.sheet = current_sheet(endpoint.sheets, generation.created_s)
        generation.warnings = [*generation.odd, *candidate.warnings]
        body = self._encoded(generation, prepared)
        head = prepared.head(body, stream=generation.opened.stream, at_s=generation.created_s)
        generation.sent_at = generation.progress_at = self._clock()
        generation.response = None
        response = await self.pool.send(prepared.origin, head, body, self._config.timeouts)
        generation.response = response
        try:
            if response.status != 200:
                raise await self._refused(response, prepared)
            if response.headers.get(b"content-type", b"")[:9].lower() == b"text/html":
                raise Garbled("The provider answered with a web page.")
            await serve(generation, prepared, response)
            if not response.done:
                await _spend(response)
        finally:
            response.close()

    def _encoded(self, generation: Generation, prepared: Prepared) -> bytes:
        opened = generation.opened
        relay = prepared.relay
        if self._relayed(generation, prepared) and relay is not None:
            body, warnings = relay.request(opened, prepared.target)
        else:
            request = generation.route.server.decode(opened)
            body, warnings = prepared.client.encode(request, prepared.target)
        if warnings:
            generation.warnings += [(warning.code, warning.path, warning.message) for warning in warnings]
        return body

    @staticmethod
    def _relayed(generation: Generation, prepared: Prepared) -> bool:
        route = generation.route
        # A stream as one JSON array is a framing that no vendor is asked for.
        array = route.stream_type is JSON and generation.opened.stream
        return generation.opened.relayable and route.server.name == prepared.endpoint.dialect and not array

    async def _refused(self, response: Response, prepared: Prepared) -> AttemptError:
        """The vendor's refusal as an error of ours; a redirect is never followed."""
        if 300 <= response.status < 400:
            return Garbled("The provider redirected the request elsewhere.", vendor_status=response.status)
        body = await response.read(ERROR_BYTES_MAX)
        return prepared.client.error(response.status, response.headers, body)

    async def _whole(self, generation: Generation, prepared: Prepared, response: Response) -> None:
        data = await response.read(self._config.answer_bytes_max)
        whole = passage.whole(
            data,
            generation.route.server,
            prepared,
            generation.envelope(prepared),
            relayed=self._relayed(generation, prepared),
        )
        outcome = generation.outcome = whole.outcome
        self._check(generation, outcome)
        now = self._clock()
        generation.first_token_at = now
        self._succeeded(generation, prepared, now)
        charge = self._books.settle(generation, now)
        if self._books.spool.strict:
            await self._synced()
        generation.reply.send(200, self._heads.whole(generation), whole.finish(charge))

    async def _stream(self, generation: Generation, prepared: Prepared, response: Response) -> None:
        relayed = self._relayed(generation, prepared)
        relay = passage.stream(generation.route.server, prepared, generation.envelope(prepared), relayed=relayed)
        generation.passage = relay
        outcome = generation.outcome = relay.outcome
        held = b""
        try:
            held = await self._pump(generation, relay, response)
        except AttemptError:
            # A cut or a stall behind the finish reason takes nothing from the client: the answer is complete.
            if not outcome.finish or outcome.error is not None:
                raise
        if not outcome.ended and outcome.error is None:
            held += relay.close()
        if generation.committed and outcome.error is not None:
            generation.reply.write(held)
        self._check(generation, outcome)
        if not generation.committed:
            self._commit(generation)
        await self._end(generation, prepared, relay, held)

    async def _pump(self, generation: Generation, relay: RelayStream | CrossedStream, response: Response) -> bytes:
        """Pass pieces on until the answer's end or fault; answers the bytes that are not written yet."""
        reply = generation.reply
        outcome = relay.outcome
        held = b""
        async for data in response:
            out = relay.feed(data)
            if out:
                generation.progress_at = self._clock()
                held += out
            if outcome.committed and not generation.committed and outcome.error is None:
                self._commit(generation)
            if outcome.ended or outcome.error is not None:
                break
            if generation.committed:
                reply.write(held)
                held = b""
                if reply.paused:
                    await reply.drain()
        return held

    def _check(self, generation: Generation, outcome: Outcome) -> None:
        """Raise what went wrong inside an answer, as an error of the attempt."""
        error = outcome.error
        if error is None:
            return
        if isinstance(error, EmptyAnswer) and self._is_retry(generation):
            outcome.error = None
            return
        raise error if isinstance(error, AttemptError) else Garbled(error.message)

    @staticmethod
    def _is_retry(generation: Generation) -> bool:
        """Whether an empty answer was seen before: it is retried once, then passed on as it is."""
        return any(attempt.outcome == EmptyAnswer.code for attempt in generation.attempts) or (
            len(generation.plan.candidates) == 1
        )

    def _commit(self, generation: Generation) -> None:
        generation.committed = True
        generation.first_token_at = self._clock()
        if not generation.reply.started:
            generation.reply.start(200, self._heads.stream(generation))

    async def _end(
        self, generation: Generation, prepared: Prepared, relay: RelayStream | CrossedStream, out: bytes
    ) -> None:
        now = self._clock()
        self._succeeded(generation, prepared, now)
        charge = self._books.settle(generation, now)
        if self._books.spool.strict:
            await self._synced()
        generation.reply.end(out + relay.finish(charge))

    def _succeeded(self, generation: Generation, prepared: Prepared, now: float) -> None:
        generation.note(OK, now)
        outcome = generation.outcome
        first = generation.first_token_at
        speed = None
        if outcome is not None and outcome.usage is not None and now - first > 0.05:
            speed = outcome.usage.completion_tokens() / (now - first)
        self._health.succeeded(prepared.endpoint.id, latency_ms=(first - generation.sent_at) * 1000, tokens_per_s=speed)

    def _failed(self, generation: Generation, error: FareboxError) -> None:
        """Nothing is left to try, or the stream broke after its commit point: settle, then tell the client."""
        self._books.settle(generation, self._clock(), error=error)
        reply = generation.reply
        if not reply.started:
            raise error
        prepared = generation.prepared
        if prepared is None or not generation.opened.stream:
            raise error
        reply.end(self._passage(generation, prepared).fail(error, FREE))

    def _cancelled(self, generation: Generation) -> None:
        """The client left, or the house stops: what came until now is charged, the vendor's socket is closed already."""
        prepared = generation.prepared
        now = self._clock()
        if prepared is not None:
            self._health.abandoned(prepared.endpoint.id)
        if self.draining and not generation.reply.gone:
            stopped = Unavailable("The house is shutting down; the answer was not completed.")
            self._books.settle(generation, now, error=stopped)
            if generation.reply.started and prepared is not None:
                generation.reply.end(self._passage(generation, prepared).fail(stopped, FREE))
            return
        generation.note(CANCELLED, now)
        self._books.settle(generation, now, cancelled=True)

    @staticmethod
    def _passage(generation: Generation, prepared: Prepared) -> RelayStream | CrossedStream | StreamEncoder:
        """What knows how this client hears of an end: the passage of the last attempt, or a fresh encoder."""
        return generation.passage or generation.route.server.stream(generation.envelope(prepared))

    async def _synced(self) -> None:
        """Strict mode: the settlement is on the disk before the client hears of it."""
        await asyncio.get_running_loop().run_in_executor(None, self._books.spool.sync)


async def _spend(response: Response) -> None:
    """Read what a vendor sends behind the end of its answer, a little while, so that the connection can be kept."""
    with contextlib.suppress(AttemptError, TimeoutError):
        async with asyncio.timeout(SPEND_S):
            await response.read(SPEND_BYTES)
