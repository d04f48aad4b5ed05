"""Which row is which: ids for rows that bring none, and what tells a duplicate from a conflict."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feedback_app.model import Feedback


class RowIds:
    """Gives each row of one file an id that the same row gets again when the file is read again.

    The id is made of the file's name, the row's whole content, and, from the second on, the row's ordinal
    among equal rows: `monday.csv#<24 hex digits>-2`. So a file read twice, or grown at its end, adds nothing
    twice, and another --map changes no id. Refused rows need no counting: their equals are refused as well.
    """

    def __init__(self, name: str) -> None:
        # A file's name may be bytes that are no text; the ledger keeps text.
        self._name = name.encode("utf-8", "backslashreplace").decode()
        # 56 bits of each content: a small int, about 80 bytes a row in all. Two contents that share them
        # would cost one of them a needless ordinal, the same one each time.
        self._seen: dict[int, int] = {}

    def next_id(self, content: str) -> str:
        """Return the id of the next row with this content."""
        digest = blake2b(content.encode("utf-8", "surrogatepass"), digest_size=12)
        key = int.from_bytes(digest.digest()[:7], "big")
        ordinal = self._seen.get(key, 0) + 1
        self._seen[key] = ordinal
        row_id = f"{self._name}#{digest.hexdigest()}"
        return row_id if ordinal == 1 else f"{row_id}-{ordinal}"


def content_hash(feedback: Feedback) -> bytes:
    """Return 12 bytes, on every machine the same for equal customer, item, rating, comment and given_at."""
    # No part but the last can hold a NUL, so no two contents run together.
    text = (
        f"{feedback.customer or ''}\0{feedback.item or ''}\0{float(feedback.rating)!r}\0"
        f"{'' if feedback.given_at is None else feedback.given_at}\0{feedback.comment}"
    )
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()
