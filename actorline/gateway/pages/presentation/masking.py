"""A document as a page shows it: what looks like a secret in it is masked."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from actorline.jobs.document.secret import MASK
from actorline.jobs.job import Job

NAMES: Final = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|cookie|credential|authori[sz]ation|api_?-?key|private_?-?key|session_?-?id",
    re.IGNORECASE,
)


def masked_document(job: Job, given: Any, *, with_input: bool) -> dict[str, Any]:
    """Return the job's document without defaults. `given`: its input, which is left out unless `with_input`."""
    shown: dict[str, Any] = {"key": job.key}
    shown |= job.document.model_dump(mode="json", exclude_defaults=True, exclude={"input", "key"})
    if with_input and job.document.input_url is None and job.document.starts_run:
        shown["input"] = mask(given)
    if "input_url" in shown:
        shown["input_url"] = mask_url(shown["input_url"])
    if "url" in shown.get("notify", {}):
        shown["notify"]["url"] = mask_url(shown["notify"]["url"])
    return shown


def mask(value: Any, name: str = "") -> Any:
    """Return the value with a mask for what its name, or its form as a URL with a password, says is a secret."""
    if isinstance(value, Mapping):
        return {inner: part if inner == "$secret" else mask(part, inner) for inner, part in value.items()}
    if isinstance(value, list):
        return [mask(part, name) for part in value]
    if isinstance(value, str) and NAMES.search(name):
        return MASK
    return mask_user(value) if isinstance(value, str) and "://" in value else value


def mask_url(url: str) -> str:
    """Return the URL without what may be a password: its user and its query."""
    parts = urlsplit(mask_user(url))
    return urlunsplit(parts._replace(query=MASK if parts.query else "", fragment=""))


def mask_user(text: str) -> str:
    """Return the text with the user of a URL masked."""
    return re.sub(r"(?<=://)[^/@\s]+@", f"{MASK}@", text)
