"""Everybody can read all of it: on a phone, a desk and a wall, in both themes, by axe's rules."""

from collections.abc import Mapping

import pytest

from tests.browser.conftest import Visit
from tests.support.browser import Scheme

SCREENS: tuple[tuple[int, int, Scheme], ...] = (
    (360, 640, "dark"),
    (768, 1024, "light"),
    (1440, 900, "dark"),
    (3840, 2160, "light"),
)
CUT_OFF = """
() => [...document.querySelectorAll('main *, .rail *')].filter((element) => {
  const style = getComputedStyle(element);
  const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  return hasText && /hidden|clip/.test(style.overflowX)
    && !element.closest('.visually-hidden, [title]')
    && element.scrollWidth > element.clientWidth + 1;
}).map((element) => element.outerHTML.slice(0, 200))
"""
"""Elements that hide a part of their text, and have no title that says all of it."""
OUTSIDE = """
() => [...document.querySelectorAll('main *')].filter((element) => {
  const box = element.getBoundingClientRect();
  if (!box.width || box.right <= innerWidth + 1) return false;
  if (element.closest('.visually-hidden, [role=tooltip]')) return false;
  for (let each = element.parentElement; each !== document.body; each = each.parentElement)
    if (getComputedStyle(each).overflowX !== 'visible') return false;
  return true;
}).map((element) => element.outerHTML.slice(0, 200))
"""
"""Elements that end right of the window and cannot be scrolled to."""


@pytest.mark.parametrize("screen", SCREENS, ids=str)
def test_everything_can_be_read(
    visit: Visit, addresses: Mapping[str, str], screen: tuple[int, int, Scheme]
) -> None:
    width, height, scheme = screen
    visitor = visit(size=(width, height), scheme=scheme)
    for view, address in addresses.items():
        page = visitor.open(address)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
        assert (view, page.evaluate(CUT_OFF), page.evaluate(OUTSIDE)) == (view, [], [])
        assert (view, visitor.findings()) == (view, [])
