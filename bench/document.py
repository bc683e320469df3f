"""The sections of BENCHMARKS.md, each made by a command of its own and kept when another is made again."""

from pathlib import Path

FILE = Path(__file__).parent.parent / "BENCHMARKS.md"
ORDER = ["networks", "operations", "scaling", "memory", "int8", "cards"]


def write_section(name, text):
    """Puts a section's text between its marks, in its place among the others, and prints it."""
    sections = dict.fromkeys(ORDER)
    if FILE.exists():
        old = FILE.read_text()
        for known in ORDER:
            start, end = (f"<!-- {edge} {known} -->\n" for edge in ["begin", "end"])
            if start in old:
                sections[known] = old.split(start)[1].split(end)[0]
    sections[name] = text.strip() + "\n"
    parts = [f"<!-- begin {n} -->\n{sections[n]}<!-- end {n} -->\n" for n in ORDER if sections[n]]
    FILE.write_text("# Benchmarks\n\n" + "\n".join(parts))
    print(text)
