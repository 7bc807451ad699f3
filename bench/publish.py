"""Where the figures of the benchmark are published: between the markers of a document."""

from pathlib import Path

from bench import goals

PICTURES = Path(__file__).parents[1] / "docs"
DOCUMENT = PICTURES / "performance.md"


def publish(part: str, text: str) -> None:
    """Put a text between the markers of its part, and what it says of the goals between theirs."""
    document = with_part(DOCUMENT.read_text(), part, text)
    DOCUMENT.write_text(with_part(document, "goals", goals.table(document)))


def with_part(document: str, part: str, text: str) -> str:
    begin, end = f"<!-- bench {part} -->\n", f"<!-- end of bench {part} -->"
    before, rest = document.split(begin)
    return f"{before}{begin}\n{text}\n\n{end}{rest.split(end)[1]}"
