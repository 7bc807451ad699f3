"""The pictures that README and documents show: `make pictures` takes them, and all are shown."""

import os
import re
from pathlib import Path

import pytest

from tests.browser.conftest import PRODUCT, Visit
from tests.support.browser import Scheme

FOLDER = Path("docs/pictures")
DOCUMENTS = (Path("README.md"), *Path("docs").rglob("*.md"))
MOST_BYTES = 150_000
ADDRESSES = {
    "overview": "#/overview?period=90d&granularity=week",
    "product": f"#/product/{PRODUCT}?period=90d&granularity=week",
    "seats": "#/seats?status=inactive",
    "data": "#/data",
    "reference": "docs",
}
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
SIZES = {"desk": (1160, 740), "phone": (390, 844)}


@pytest.mark.skipif("UPDATE" not in os.environ, reason="`make pictures` takes pictures")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_pictures_are_taken(visit: Visit, scheme: Scheme, size: str) -> None:
    for view, address in ADDRESSES.items():
        page = visit(size=SIZES[size], scheme=scheme).open(address)
        page.screenshot(path=FOLDER / f"{view}-{size}-{scheme}.png")


def test_every_picture_is_small_and_shown_somewhere() -> None:
    wanted = {f"{v}-{size}-{scheme}.png" for v in ADDRESSES for size in SIZES for scheme in SCHEMES}
    texts = "".join(document.read_text() for document in DOCUMENTS)
    assert {path.name for path in FOLDER.glob("*.png")} == wanted
    assert set(re.findall(r"pictures/([\w-]+\.png)", texts)) == wanted
    others = {path.name for path in FOLDER.iterdir()} - wanted
    assert [name for name in others if f"pictures/{name}" not in texts] == []
    assert {path.name for path in FOLDER.iterdir() if path.stat().st_size > MOST_BYTES} == set()
