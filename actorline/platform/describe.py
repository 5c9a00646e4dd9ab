"""A request, and what went wrong with it, in words without token and query."""

import re
from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3

from actorline.outbound.timed_response import TooSlow

# what urllib3 and Python write for programmers, and the same for people
_PLAIN_WORDS: Final = (
    (re.compile(r"\w+\(host='([^']*)', port='?(\d+)'?\): "), r"\1:\2: "),
    (re.compile(r"timed out\. \((?:read|connect) timeout=([\d.]+?)(?:\.0)?\)"), r"timed out after \1 s"),
    (re.compile(r"\[Errno -?\d+\] | \(_ssl\.c:\d+\)"), ""),
    (re.compile(r"IncompleteRead\((\d+) bytes read, (\d+) more expected\)"), r"\1 bytes came, \2 more were expected"),
    (re.compile(r"InvalidChunkLength\(.*bytes read\)"), "it has a chunk of no length"),
)


def describe_request(response: requests.Response) -> str:
    """Return method and URL, without query, fragment and user."""
    return f"{response.request.method} {bare_url(response.url)}"


def bare_url(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def describe_fault(error: requests.RequestException | urllib3.exceptions.HTTPError) -> str:
    """Return the words of the innermost network error; those of the outer ones hold the URL with its query."""
    cause = error
    if isinstance(error, requests.RequestException) and error.args:
        cause = getattr(error.args[0], "reason", error.args[0])
    if not isinstance(cause, urllib3.exceptions.HTTPError):
        return type(error).__name__
    if isinstance(cause.__cause__, TooSlow):
        return str(cause.__cause__)
    words = _words_of(cause)
    for programmers, plain in _PLAIN_WORDS:
        words = programmers.sub(plain, words)
    return words


def _words_of(error: BaseException) -> str:
    """Return an error's words, followed by those of the error that it was made of."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    *words, cause = error.args or ("",)
    if not isinstance(cause, BaseException) or not all(isinstance(text, str) for text in words):
        return str(error)
    known, found = " ".join(words).rstrip("."), _words_of(cause)
    return known if found in known else f"{known}: {found}" if known else found
