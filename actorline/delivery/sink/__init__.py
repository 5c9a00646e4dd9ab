"""Where rows go. A delivery is `part-00000.jsonl.gz ...`, `records/<name>`, `manifest.json` and last `_SUCCESS`."""

from urllib.parse import SplitResult, urlsplit

from actorline.delivery.sink.door import (
    CLAIM,
    MANIFEST,
    RECORDS,
    SUCCESS,
    MissingFileError,
    Sink,
    SinkError,
    SinkTakenError,
)
from actorline.delivery.sink.local import LocalSink, folder_url, local_path

__all__ = [
    "CLAIM", "MANIFEST", "RECORDS", "SUCCESS", "LocalSink", "MissingFileError", "Sink", "SinkError", "SinkTakenError",
    "folder_url", "is_below", "local_path", "open_sink",
]  # fmt: skip


def open_sink(url: str) -> Sink:
    """The sink at a filled URL; nothing is asked of it yet. Raises SinkError for a URL that is none."""
    scheme = _split(url).scheme
    if scheme == "file":
        return LocalSink(url)
    if scheme in {"s3", "gs", "az", "abfss"}:
        from actorline.delivery.sink.objects import ObjectSink

        return ObjectSink(url)
    message = f"A sink is file:///a/folder/, s3://, gs://, az:// or abfss://, not {scheme or 'without a scheme'}."
    raise SinkError(message)


def is_below(url: str, root: str) -> bool:
    """Whether a sink lies in a root, with `..` and symbolic links resolved."""
    try:
        if _split(url).scheme == "file" == _split(root).scheme:
            return local_path(url).resolve().is_relative_to(local_path(root).resolve())
        return open_sink(url).url.startswith(open_sink(root).url)
    except (SinkError, OSError, RuntimeError):  # RuntimeError: Python before 3.13 on a loop of links
        return False


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:  # a bracket that isn't closed
        message = "The sink is not a URL; take file:///a/folder/."
        raise SinkError(message) from error
