"""Where rows go. A delivery is `part-00000.jsonl.gz ...`, `records/<name>`, `manifest.json` and last `_SUCCESS`."""

from urllib.parse import SplitResult, unquote, urlsplit

from actorline.delivery.sink.local import LocalSink, folder_url, local_path
from actorline.delivery.sink.names import CLAIM, MANIFEST, RECORDS, SUCCESS
from actorline.delivery.sink.protocol import MissingFile, Sink, SinkError, SinkTaken

__all__ = [
    "CLAIM", "MANIFEST", "RECORDS", "SUCCESS", "LocalSink", "MissingFile", "Sink", "SinkError", "SinkTaken",
    "folder_url", "holds_root", "is_below", "local_path", "open_sink", "path_in", "split_root",
]  # fmt: skip


def open_sink(url: str) -> Sink:
    """Return the sink at a filled URL; no request is sent to it yet. Raises SinkError for any other URL."""
    scheme = _split(url).scheme
    if scheme == "file":
        return LocalSink(url)
    if scheme in {"s3", "gs", "az", "abfss"}:
        from actorline.delivery.sink.objects import ObjectSink

        return ObjectSink(url)
    raise SinkError(
        f"A sink is file:///a/folder/, s3://, gs://, az:// or abfss://, not {scheme or 'without a scheme'}."
    )


def is_below(url: str, root: str) -> bool:
    """Return whether a sink is in a root, not on it, with `..` and symbolic links resolved.

    A root may have a placeholder: `file:///srv/rows-{key}/` holds whatever begins with `file:///srv/rows-`.
    """
    folder, stem = split_root(root)
    name = (path_in(url, folder) or "").partition("/")[0]
    return name.startswith(stem) and name != stem


def holds_root(url: str, root: str) -> bool:
    """Return whether a sink is a root, or has one in it."""
    return path_in(split_root(root)[0], url) is not None


def split_root(root: str) -> tuple[str, str]:
    """Split a root: `file:///srv/rows-{key}/` -> the folder `file:///srv/`, and `rows-`, the names' beginning."""
    text, placeholder, _ = root.partition("{")
    if not placeholder:
        return root, ""
    folder, _, stem = text.rpartition("/")
    return f"{folder}/", unquote(stem, errors="surrogateescape") if folder.startswith("file:") else stem


def path_in(url: str, folder: str) -> str | None:
    """Return the path of a sink from a folder on, "" if it is the folder; None if it is elsewhere."""
    try:
        if _split(url).scheme == "file" == _split(folder).scheme:
            inner = local_path(url).resolve().relative_to(local_path(folder).resolve())
            return "" if not inner.parts else inner.as_posix()
        whole, outer = open_sink(url).url, open_sink(folder).url
        return whole.removeprefix(outer) if whole.startswith(outer) else None
    except (SinkError, OSError, ValueError, RuntimeError):  # RuntimeError: Python before 3.13 on a loop of links
        return None


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:  # a bracket that isn't closed
        raise SinkError("The sink is not a URL; use file:///a/folder/.") from error
