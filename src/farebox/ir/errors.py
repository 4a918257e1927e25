"""The error tree: what may go wrong with a generation, and what each leaf means for retries, billing and the caller.

FareboxError
├─ CallerError            never retried, shown to the caller
│   ├─ InvalidRequest 400 · ContextTooLong 400 · UnsupportedFeature 400 · Unauthenticated 401
│   ├─ InsufficientCredits 402 · Forbidden 403 · Moderated 403 · UnknownModel 404 · NotFound 404
│   ├─ MethodNotAllowed 405 · RequestTimeout 408 · Conflict 409 · TooLarge 413 · UnsupportedMediaType 415
│   └─ RateLimited 429
├─ AttemptError           belongs to one attempt, drives failover
│   ├─ Unreachable · TlsFailed · ConnectTimeout · FirstByteTimeout · IdleTimeout · Cut
│   ├─ Overloaded · VendorFailed · VendorTimedOut · VendorRateLimited
│   ├─ VendorRefused · VendorTooLarge · Filtered · RegionRefused · EmptyAnswer
│   └─ CredentialRejected · CredentialExhausted · VendorModelMissing · Garbled · AnswerTooLarge
├─ NoEndpoint             503: the plan was empty or every attempt failed; carries each attempt
└─ Fault                  ours
    ├─ InvariantBroken 500
    └─ Unavailable 503 (control, storage, shutdown)

It refuses to know dialects: each of them turns a leaf into its own shape.
"""

from enum import StrEnum
from typing import ClassVar


class Retry(StrEnum):
    """What a failed attempt allows."""

    NEVER = "never"
    SAME = "same"
    ELSEWHERE = "elsewhere"


class Health(StrEnum):
    """How a failed attempt counts against the endpoint that served it."""

    NONE = "none"
    LOCAL = "local_origin"
    EXTERNAL = "external"
    OVERLOAD = "overload"
    MID_STREAM = "mid_stream"
    RATE_LIMITED = "rate_limited"
    CREDENTIAL = "credential"
    CONFIGURATION = "configuration"


class FareboxError(Exception):
    """Base of every error that may reach a caller.

    `code` is stable and documented; `status` is the HTTP status before anything was sent; `public` is the sentence
    shown when no better one is given. `path` is the JSON path of the offending field, `$` for the whole document.
    """

    code: ClassVar[str] = "server"
    status: ClassVar[int] = 500
    retry: ClassVar[Retry] = Retry.NEVER
    health: ClassVar[Health] = Health.NONE
    public: ClassVar[str] = "Internal error."

    def __init__(
        self,
        message: str = "",
        *,
        path: str | None = None,
        retry_after_s: float | None = None,
        metadata: dict[str, object] | None = None,
    ) -> None:
        self.message = message or self.public
        self.path = path
        self.retry_after_s = retry_after_s
        self.metadata = metadata or {}
        super().__init__(self.message)


class CallerError(FareboxError):
    """The caller must change something; never retried."""


class InvalidRequest(CallerError):
    code = "invalid_request"
    status = 400
    public = "The request is not valid."

    def __init__(self, message: str = "", *, path: str | None = "$", reason: str = "", **rest: object) -> None:
        """`reason` is a finer stable word (`duplicate_field`, `invalid_json`, …) put into the metadata."""
        super().__init__(message, path=path, **rest)  # type: ignore[arg-type]
        if reason:
            self.metadata["reason"] = reason


class ContextTooLong(CallerError):
    code = "context_length_exceeded"
    status = 400
    public = "The prompt is longer than the context of every endpoint of this model."


class UnsupportedFeature(CallerError):
    code = "unsupported_feature"
    status = 400
    public = "No endpoint of this model supports what the request requires."


class Unauthenticated(CallerError):
    code = "authentication"
    status = 401
    public = "No valid API key. Send it as 'Authorization: Bearer sk-farebox-v1-…'."


class InsufficientCredits(CallerError):
    code = "payment_required"
    status = 402
    public = "The credit does not cover this request."


class Forbidden(CallerError):
    code = "permission_denied"
    status = 403
    public = "This key may not do that."


class Moderated(CallerError):
    code = "content_policy_violation"
    status = 403
    public = "The request was refused by moderation."


class UnknownModel(CallerError):
    code = "not_found"
    status = 404
    public = "No such model."


class NotFound(CallerError):
    code = "not_found"
    status = 404
    public = "There is nothing at this address."


class MethodNotAllowed(CallerError):
    code = "method_not_allowed"
    status = 405
    public = "This address does not take that method."


class RequestTimeout(CallerError):
    code = "request_timeout"
    status = 408
    public = "The request did not arrive in time."


class Conflict(CallerError):
    code = "conflict"
    status = 409
    public = "The request conflicts with another one."


class TooLarge(CallerError):
    code = "payload_too_large"
    status = 413
    public = "The request is too large."


class UnsupportedMediaType(CallerError):
    code = "unsupported_media_type"
    status = 415
    public = "Send JSON with 'Content-Type: application/json'."


class RateLimited(CallerError):
    code = "rate_limit_exceeded"
    status = 429
    public = "Too many requests."


class AttemptError(FareboxError):
    """One attempt at one endpoint failed; `status` is what the caller sees if every other attempt fails as well.

    `vendor_status` is the HTTP status the vendor gave, if any; `detail` the vendor's own text, scrubbed before use.
    """

    code = "provider_unavailable"
    status = 502
    retry = Retry.ELSEWHERE
    health = Health.EXTERNAL
    public = "The provider failed."

    def __init__(
        self,
        message: str = "",
        *,
        vendor_status: int | None = None,
        detail: str = "",
        path: str | None = None,
        retry_after_s: float | None = None,
        metadata: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message, path=path, retry_after_s=retry_after_s, metadata=metadata)
        self.vendor_status = vendor_status
        self.detail = detail


class Unreachable(AttemptError):
    code = "upstream_unreachable"
    health = Health.LOCAL
    public = "The provider could not be reached."


class TlsFailed(AttemptError):
    code = "upstream_tls"
    health = Health.LOCAL
    public = "The provider's certificate or TLS handshake was not acceptable."


class ConnectTimeout(AttemptError):
    code = "upstream_timeout"
    status = 504
    health = Health.LOCAL
    public = "The provider did not accept the connection in time."


class FirstByteTimeout(AttemptError):
    code = "upstream_timeout"
    status = 504
    health = Health.LOCAL
    public = "The provider did not begin its answer in time."


class IdleTimeout(AttemptError):
    code = "upstream_timeout"
    status = 504
    health = Health.LOCAL
    public = "The provider stopped sending in the middle of its answer."


class Cut(AttemptError):
    code = "upstream_cut"
    health = Health.MID_STREAM
    public = "The provider's answer ended before it was complete."


class Overloaded(AttemptError):
    code = "provider_overloaded"
    status = 503
    health = Health.OVERLOAD
    public = "The provider is overloaded."


class VendorFailed(AttemptError):
    code = "upstream_error"
    public = "The provider answered with an internal error."


class VendorTimedOut(AttemptError):
    code = "upstream_timeout"
    status = 504
    public = "The provider reported a timeout."


class VendorRateLimited(AttemptError):
    code = "rate_limit_exceeded"
    status = 429
    health = Health.RATE_LIMITED
    public = "The provider limits its rate for now."


class VendorRefused(AttemptError):
    """The vendor says that the request is wrong; another endpoint would say the same."""

    code = "invalid_request"
    status = 400
    retry = Retry.NEVER
    health = Health.NONE
    public = "The provider refused the request as invalid."


class VendorContextTooLong(VendorRefused):
    code = "context_length_exceeded"
    retry = Retry.ELSEWHERE
    public = "The prompt is too long for this provider."


class VendorUnsupported(VendorRefused):
    """The vendor does not take a parameter or feature that another endpoint may take."""

    code = "unsupported_feature"
    retry = Retry.ELSEWHERE
    public = "The provider does not take a parameter of this request."


class VendorTooLarge(AttemptError):
    code = "payload_too_large"
    status = 413
    health = Health.NONE
    public = "The request is too large for the provider."


class Filtered(AttemptError):
    code = "content_policy_violation"
    status = 403
    retry = Retry.NEVER
    health = Health.NONE
    public = "The provider's moderation refused the request."


class RegionRefused(AttemptError):
    """The vendor does not serve the region that the request comes from; another endpoint may."""

    code = "region_restricted"
    status = 403
    health = Health.NONE
    public = "The provider does not serve this region."


class EmptyAnswer(AttemptError):
    code = "provider_unavailable"
    health = Health.OVERLOAD
    public = "The provider answered with nothing."


class CredentialRejected(AttemptError):
    code = "no_healthy_endpoint"
    status = 503
    health = Health.CREDENTIAL
    public = "The house's access to this provider is out of order."


class CredentialExhausted(AttemptError):
    code = "no_healthy_endpoint"
    status = 503
    health = Health.CREDENTIAL
    public = "The house's account at this provider is out of order."


class VendorModelMissing(AttemptError):
    code = "no_healthy_endpoint"
    status = 503
    health = Health.CONFIGURATION
    public = "The provider does not serve this model at present."


class Garbled(AttemptError):
    code = "upstream_malformed"
    public = "The provider's answer was malformed."


class AnswerTooLarge(AttemptError):
    code = "upstream_too_large"
    public = "The provider's answer is larger than allowed."


class NoEndpoint(FareboxError):
    """Nothing is left to try; `metadata` holds the attempts and exclusions."""

    code = "no_healthy_endpoint"
    status = 503
    public = "No endpoint can serve this request at present."


class Fault(FareboxError):
    """Ours."""


class InvariantBroken(Fault):
    code = "server"
    status = 500
    public = "Internal error."


class Unavailable(Fault):
    code = "temporarily_unavailable"
    status = 503
    public = "The house is not ready for this; try again shortly."


def leaves(base: type[FareboxError] = FareboxError) -> list[type[FareboxError]]:
    """Every class of this tree without subclasses in it, in definition order; what other modules derive does not count."""
    found: list[type[FareboxError]] = []
    for child in base.__subclasses__():
        if child.__module__ == __name__:
            found.extend(leaves(child) or [child])
    return found
