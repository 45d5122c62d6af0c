"""What is reviewed: a source file and a document of this repository, and a range in a Git repository made of them."""

import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SOURCE, DOCUMENT = ROOT / "sessions" / "writer.py", ROOT / "ARCHITECTURE.md"
RANGE = "base...HEAD"


def make_repository(home: Path) -> Path:
    """Two commits: the first has half of the source file, the second all of it and the document."""
    lines = SOURCE.read_text().splitlines(keepends=True)
    git(home, "init", "--quiet", "--initial-branch=main")
    commit(home, {"writer.py": "".join(lines[: len(lines) // 2])})
    git(home, "tag", "base")
    commit(home, {"writer.py": "".join(lines), "docs/plan.md": DOCUMENT.read_text()})
    return home


def commit(home: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(text)
    git(home, "add", ".")
    git(home, "-c", "user.name=Somebody", "-c", "user.email=somebody@localhost", "commit", "--quiet", "-m", "change")


def git(home: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=home, check=True, capture_output=True, text=True, timeout=30).stdout


def misplaced(findings: list[Any], texts: dict[str, str]) -> list[str]:
    """Findings with a verified quote that does not stand in the lines they name. `texts` by path."""
    wrong = []
    for finding in findings:
        place = finding["location"]
        lines = texts[place["path"]].split("\n")[place["start_line"] - 1 : place["end_line"]]
        words = " ".join(" ".join(lines).split())
        if finding["evidence_verified"] and " ".join(finding["evidence"].split()) not in words:
            wrong.append(finding["id"])
    return wrong
