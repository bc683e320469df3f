"""Puts the tables that `bench/engines` made into ENGINES.md, each device's in its place among the others'.

    python tables.py TABLES
"""

import datetime
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).parent.parent / "ENGINES.md"
BEGIN, END = "<!-- begin tables -->\n", "<!-- end tables -->\n"


def sections(text):
    """The text of each `### device`."""
    parts = text.split("### ")[1:]
    return {part.splitlines()[0].strip(): "### " + part.strip() + "\n" for part in parts}


def main():
    text = FILE.read_text()
    before, rest = text.split(BEGIN)
    old, after = rest.split(END)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=FILE.parent)
    made = f"\nMade by `bench/engines` on {datetime.date.today()}, commit {commit.stdout.strip()}.\n"
    new = {}
    for device, section in sections(Path(sys.argv[1]).read_text()).items():
        heading, tables = section.split("\n", 1)
        new[device] = f"{heading}\n{made}{tables}"
    tables = "\n".join((sections(old) | new).values())
    FILE.write_text(before + BEGIN + tables + END + after)


if __name__ == "__main__":
    main()
