"""Where the figures of the benchmark are published: between the markers of a document."""

from pathlib import Path

PICTURES = Path(__file__).parents[1] / "docs"
DOCUMENT = PICTURES / "performance.md"


def publish(part: str, text: str) -> None:
    """Put a text between the markers of its part."""
    begin, end = f"<!-- bench {part} -->\n", f"<!-- end of bench {part} -->"
    before, rest = DOCUMENT.read_text().split(begin)
    DOCUMENT.write_text(f"{before}{begin}\n{text}\n\n{end}{rest.split(end)[1]}")
