"""The certificate authorities that are trusted, and one TLS context of them for all connections of a process."""

import os
import ssl
from functools import cache
from pathlib import Path
from typing import Final

import requests
import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context

AUTHORITIES_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


def authorities_context() -> ssl.SSLContext:
    """Return the context of the authorities that the environment names, or else of certifi's.

    Raises requests' SSLError, which names a file that can't be read.
    """
    named = next((variable for variable in AUTHORITIES_VARIABLES if os.environ.get(variable)), None)
    place = os.environ[named] if named else DEFAULT_CA_BUNDLE_PATH
    try:
        return _context_of(place)
    except OSError as error:  # ssl.SSLError, of a file that holds no certificate, is one
        raise requests.exceptions.SSLError(
            urllib3.exceptions.SSLError(
                f"{named or 'certifi'} names {place}, which can't be read as certificates: {error}"
            )
        ) from None


@cache
def _context_of(place: str) -> ssl.SSLContext:
    context = create_urllib3_context()
    folder = Path(place).is_dir()
    context.load_verify_locations(capath=place if folder else None, cafile=None if folder else place)
    return context
