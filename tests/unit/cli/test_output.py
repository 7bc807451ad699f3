"""What a person sees of names that are like instructions of the library that prints them."""

import pytest

from odometer_cli.output import show_rows, show_values

NAMES = ["[/x]", "[red]Demo", ":smile:", "Demo \"A\" & 'B'"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_as_it_is(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_rows(("name",), [{"name": name}])
    show_values({"name": name})
    heading, *shown = capsys.readouterr().out.splitlines()
    assert heading.strip() == "name"
    assert [line.rstrip() for line in shown] == [name, f"name  {name}"]
