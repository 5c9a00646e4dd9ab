"""The receipt: the proof that one page is stored."""

from pydantic import BaseModel, ConfigDict

from actorline.delivery.row_counts import RowCounts
from actorline.errors import Code


class Receipt(BaseModel):
    """`scanned`: items of the window that the platform read; `items`: rows that came of them. `sha256` and `bytes` are
    those of the part as it is stored. `ends`: nothing lies behind the rows. `seen`: what was counted of the rows, where
    the document has a guard or `stop_when`. `seconds`: what reading and storing took; `stored_at`: unix seconds by
    Redis's clock, as the receipt was recorded. A bad receipt says in `code` and `error` why the page isn't stored, with
    the platform's own type of the error; `refused_twice`: the platform refused the request itself, also when it was
    repeated, so that asking again brings nothing.
    """

    model_config = ConfigDict(frozen=True)

    page_no: int
    offset: int
    limit: int
    scanned: int
    items: int
    bytes: int = 0
    sha256: str = ""
    part: str | None = None
    total: int | None = None
    ends: bool = False
    seen: RowCounts | None = None
    error: str | None = None
    code: Code | None = None
    platform_type: str | None = None
    refused_twice: bool = False
    seconds: float = 0.0
    stored_at: float | None = None

    @property
    def is_good(self) -> bool:
        return self.error is None

    @property
    def is_refused(self) -> bool:
        """Return whether the platform refuses to return the page as the document asks for it."""
        return self.code is Code.DOCUMENT_INVALID
