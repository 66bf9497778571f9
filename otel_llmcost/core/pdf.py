"""How many pages a PDF has, found as a reader finds it: from its end to the table of objects to the page tree.

A handful of short reads at known places, whatever the size of the file. Where the table is compressed (most PDFs since
version 1.5) only the size is left to go by, unless the file is made for the web and says it at its beginning.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from otel_llmcost.core.media import File

BYTES_PER_PAGE = 40_000
"""Between a page of text and a page with pictures, where the pages cannot be counted."""
MAX_PAGES = 1_000
"""More than any provider takes in one request; guards against a count that is a lie."""

_MAX_VERSIONS = 4
_MAX_SECTIONS = 16
_ENTRY_BYTES = 20
_OBJECT_BYTES = 512
_TREE_BYTES = 16_384
"""The root of a page tree may list a page in 8 bytes each before it says how many they are."""


def is_pdf(file: File) -> bool:
    """Tell whether a file is a PDF, by its first bytes."""
    return file.at(0, 5) == b"%PDF-"


def pages(file: File) -> int:
    """Return the pages of a PDF, counted where it says, else guessed from its size."""
    found = _number(_LINEARIZED, file.at(0, 1_024)) or _page_tree_count(file)
    return min(max(found or round(file.size / BYTES_PER_PAGE), 1), MAX_PAGES)


class _Section(NamedTuple):
    """Consecutive objects in the table: the number of the first, how many, and where their entries begin."""

    first: int
    size: int
    entries_at: int


def _page_tree_count(file: File) -> int | None:
    sections, root = _table(file)
    pages_number = _number(_PAGES, _object(file, sections, root, _OBJECT_BYTES))
    return _number(_COUNT, _object(file, sections, pages_number, _TREE_BYTES))


def _table(file: File) -> tuple[list[_Section], int | None]:
    """Read where the objects lie and which is the root; later versions first, as they replace earlier ones."""
    sections: list[_Section] = []
    root: int | None = None
    at = _number(_START, file.at(max(file.size - 1_024, 0), 1_024))
    for _ in range(_MAX_VERSIONS):
        if at is None or file.at(at, 4) != b"xref":
            break
        at = _read_sections(file, at + 4, sections)
        trailer = file.at(at, 1_024).partition(b"startxref")[0]
        root = root if root is not None else _number(_ROOT, trailer)
        at = _number(_PREVIOUS, trailer)
    return sections, root


def _read_sections(file: File, at: int, sections: list[_Section]) -> int:
    for _ in range(_MAX_SECTIONS):
        if (header := re.match(_SECTION, file.at(at, 48))) is None:
            break
        section = _Section(int(header[1]), int(header[2]), at + header.end())
        sections.append(section)
        at = section.entries_at + section.size * _ENTRY_BYTES
    return at


def _object(file: File, sections: list[_Section], number: int | None, length: int) -> bytes:
    for first, size, entries_at in sections:
        if number is not None and first <= number < first + size:
            entry = file.at(entries_at + (number - first) * _ENTRY_BYTES, 10)
            return file.at(int(entry), length).partition(b"endobj")[0] if entry.isdigit() else b""
    return b""


def _number(pattern: bytes, text: bytes) -> int | None:
    found: list[bytes] = re.findall(pattern, text)
    return int(found[-1]) if found else None


_LINEARIZED = rb"/Linearized[^>]{0,200}?/N\s+(\d{1,9})"
_START = rb"startxref\s+(\d{1,12})"
_SECTION = rb"\s*(\d{1,9})\s+(\d{1,9})\s*[\r\n]+(?=\d{10} )"
_ROOT = rb"/Root\s+(\d{1,9})\s"
_PREVIOUS = rb"/Prev\s+(\d{1,12})"
_PAGES = rb"/Pages\s+(\d{1,9})\s"
_COUNT = rb"/Count\s+(\d{1,9})"
