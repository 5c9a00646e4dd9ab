"""What the platform responds when it refuses: `{"error": {"type", "message"}}` with a status.

Types and statuses: `docs/platform-facts.md#errors`.
"""

from collections.abc import Mapping


class ApiError(Exception):
    """A refusal, raised anywhere while a request is handled and turned into its response at the edge."""

    def __init__(self, status: int, type_: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.type = type_
        self.message = message
        self.headers = dict(headers or {})


def token_not_provided() -> ApiError:
    return ApiError(401, "token-not-provided", "Authentication token was not provided")


def token_unknown() -> ApiError:
    return ApiError(401, "user-or-token-not-found", "User was not found or authentication token is not valid")


def actor_not_found() -> ApiError:
    return ApiError(404, "actor-not-found", "Actor was not found")


def record_not_found(what: str) -> ApiError:
    return ApiError(404, "record-not-found", f"{what} was not found")


def page_not_found() -> ApiError:
    return ApiError(404, "page-not-found", "There is no API end-point at this URL")


def method_not_allowed(allowed: str) -> ApiError:
    message = f"This API end-point can only be accessed using the following HTTP methods: {allowed}"
    return ApiError(405, "method-not-allowed", message, {"Allow": allowed})


def invalid_value(parameter: str, expected: str) -> ApiError:
    return ApiError(400, "invalid-value", f'Parameter "{parameter}" has an invalid value: expected {expected}')


def invalid_input(message: str) -> ApiError:
    return ApiError(400, "invalid-input", message)


def request_too_large(limit: int, actual: int) -> ApiError:
    message = f"The POST payload is too large (limit: {limit} bytes, actual length: {actual} bytes)."
    return ApiError(413, "request-too-large", message)


def unsupported_content_encoding(encoding: str) -> ApiError:
    return ApiError(415, "unsupported-content-encoding", f'Content-Encoding "{encoding}" is not supported.')
