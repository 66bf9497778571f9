"""Pages are counted by the way a reader takes: end, table of objects, root, page tree."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llmcost.core import pdf
from otel_llmcost.core.media import Payload


def file(data: bytes) -> Payload:
    return Payload(base64.b64encode(data).decode(), 0)


def document(count: int, *, size: int = 0, update: int | None = None) -> bytes:
    """Write a PDF whose page tree lies at its beginning, far from its end."""
    kids = b" ".join(b"%d 0 R" % (number + 10) for number in range(count))
    root = b"1 0 obj\n<< /Type /Catalog /Outlines 9 0 R /Pages 2 0 R >>\nendobj\n"
    pages = b"2 0 obj\n<< /Type /Pages /Kids [ %s ] /Count %d >>\nendobj\n" % (kids, count)
    body = b"%PDF-1.4\n" + root + pages + b"\0" * size
    at = (0, body.index(b"1 0 obj"), body.index(b"2 0 obj"))
    table = len(body)
    body += b"xref\n0 3\n" + b"".join(b"%010d 00000 n \n" % offset for offset in at)
    body += b"trailer\n<< /Size 3 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % table
    if update is not None:
        changed = len(body)
        body += b"2 0 obj\n<< /Count %d /Type /Pages >>\nendobj\n" % update
        newest = len(body)
        body += b"xref\n2 1\n%010d 00000 n \n" % changed
        body += b"trailer\n<< /Root 1 0 R /Prev %d >>\nstartxref\n%d\n%%%%EOF\n" % (table, newest)
    return body


@pytest.mark.parametrize("count", [1, 7, 600])
@pytest.mark.parametrize("size", [0, 1_000_000])
def test_pages_are_counted_in_the_page_tree(count, size):
    assert pdf.pages(file(document(count, size=size))) == count


def test_a_later_version_of_the_page_tree_replaces_the_first():
    assert pdf.pages(file(document(3, update=5))) == 5


def test_a_file_made_for_the_web_says_its_pages_first():
    assert pdf.pages(file(b"%PDF-1.6\n1 0 obj\n<< /Linearized 1 /L 9 /N 12 /T 8 >>\n" + bytes(900))) == 12


def test_a_compressed_table_leaves_the_size_to_go_by():
    assert pdf.pages(file(b"%PDF-1.7\n" + bytes(40_000 * 3) + b"startxref\n9\n%%EOF")) == 3


def test_a_false_count_is_bounded():
    assert pdf.pages(file(document(2, update=999_999_999))) == pdf.MAX_PAGES


def test_a_table_that_names_itself_as_its_forerunner_ends():
    looped = b"%PDF-1.4\nxref\ntrailer << /Prev 9 >>\nstartxref\n9\n%%EOF\n"

    assert pdf.pages(file(looped)) == 1


@settings(deadline=None)
@given(st.integers(0, 400), st.binary(max_size=40))
def test_damage_anywhere_never_raises(at, noise):
    data = document(3, update=5)

    assert 1 <= pdf.pages(file(data[:at] + noise + data[at + len(noise) :])) <= pdf.MAX_PAGES


def test_a_pdf_is_known_by_its_first_bytes():
    assert pdf.is_pdf(file(document(1)))
    assert not pdf.is_pdf(file(b"PK\x03\x04 a word document"))
