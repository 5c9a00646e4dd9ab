"""The names of a delivery's files: a closed grammar, so that no name out of a manifest, a key-value store or the
platform is a path that leads anywhere else.
"""

import hashlib
import re
from typing import Annotated, Final
from urllib.parse import quote

from pydantic import Field

CLAIM: Final = "_actorline.json"
SUCCESS: Final = "_SUCCESS"
MANIFEST: Final = "manifest.json"
RECORDS: Final = "records"
STAGING: Final = ".staging"
STAGED_PAGES: Final = "_pages"
CHANGES: Final = "changes"

_EXTENSION: Final = r"(?:\.[a-z0-9]{1,10}){1,2}"
ROWS_FILE: Final = rf"(?:part-[0-9]{{5,}}|items){_EXTENSION}"
PAGE_FILE: Final = rf"{STAGED_PAGES}/page-[0-9]{{5,}}{_EXTENSION}"
RECORD_FILE: Final = rf"{RECORDS}/[A-Za-z0-9!'()%~_-][A-Za-z0-9!'()%~_.-]{{0,254}}"
INDEX_FILE: Final = rf"{RECORDS}-[0-9]{{5,}}\.jsonl"
CHANGES_FILE: Final = rf"{CHANGES}/(?:added|removed|changed)-[0-9]{{5,}}{_EXTENSION}"
_FOLDERS: Final = r"(?:superseded-[0-9]+/)?(?:attempt-[0-9]+/)?"

PartName = Annotated[str, Field(pattern=rf"^{_FOLDERS}(?:{ROWS_FILE}|{PAGE_FILE})$")]
RecordName = Annotated[str, Field(pattern=rf"^{_FOLDERS}{RECORD_FILE}$")]
IndexName = Annotated[str, Field(pattern=rf"^{_FOLDERS}{INDEX_FILE}$")]
ChangesName = Annotated[str, Field(pattern=rf"^{_FOLDERS}{CHANGES_FILE}$")]

NAME_CHARS: Final = 143  # the least that a file system in use allows (eCryptfs); the platform's keys have up to 256
_OURS: Final = re.compile(r"[._]|manifest\.", re.IGNORECASE)
"""How files begin that mean something in a folder, also where capitals and small letters are the same."""


def is_name(name: str) -> bool:
    """Return whether a relative name stays in its folder, on every sink."""
    return all(part not in {"", ".", ".."} and "\\" not in part and part.isprintable() for part in name.split("/"))


def changes_file(kind: str, number: int, compression: str) -> str:
    return f"{CHANGES}/{kind}-{number:05}.jsonl{'.gz' if compression == 'gzip' else ''}"


def record_file(record_key: str) -> str:
    """Return the name of a record's file: another one for each key, none that a delivery uses itself, none too long."""
    name = quote(record_key, safe="!'()", errors="surrogatepass") or "%"
    if _OURS.match(name):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if len(name) < NAME_CHARS:
        return name
    digest = hashlib.sha256(record_key.encode(errors="surrogatepass")).hexdigest()
    return f"{name[: NAME_CHARS - len(digest) - 1]}.{digest}"
