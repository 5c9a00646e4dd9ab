"""What the class of an HTTP status says: RFC 9110, section 15."""

from http import HTTPStatus


def is_success(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def is_server_error(status: int) -> bool:
    """Return whether the server failed; a status beyond all classes counts as one (RFC 9110, section 15)."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR
