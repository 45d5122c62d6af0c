"""Copy the front-end files we ship out of their npm packages: `make vendor`.

package.json names the exact versions. Node and npm are needed here only: the copies are committed, and
`static/vendor/manifest.json` holds {path: {source, sha256, bytes}} so that a test can tell when one was changed.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "static" / "vendor"
TEST_ONLY = ROOT / "tests" / "browser" / "vendor"
MANIFEST = SHIPPED / "manifest.json"
NPM_FILES = ("package.json", "package-lock.json", ".npmrc")


def font_files(name: str) -> tuple[str, ...]:
    """Both variable subsets we use; the browser fetches the second only where a page holds such letters."""
    return tuple(f"files/{name}-{subset}-wght-normal.woff2" for subset in ("latin", "latin-ext"))


# (package, where <name>-<version>/ is made, files of the package)
COPIES = (
    ("htmx.org", SHIPPED / "htmx", ("dist/htmx.min.js", "LICENSE")),
    ("@fontsource-variable/instrument-sans", SHIPPED / "instrument-sans", (*font_files("instrument-sans"), "LICENSE")),
    ("@fontsource-variable/geist-mono", SHIPPED / "geist-mono", (*font_files("geist-mono"), "LICENSE")),
    ("@tabler/icons", SHIPPED / "icons", ("LICENSE",)),
    ("axe-core", TEST_ONLY / "axe-core", ("axe.min.js", "LICENSE", "LICENSE-3RD-PARTY.txt")),
)
ICONS = """
    adjustments alert-triangle arrow-back-up arrow-left at ban bell check chevron-down chevron-left chevron-right
    chevron-up circle circle-check circle-dashed circle-minus circle-x clipboard clock cloud-upload code columns
    copy cpu device-floppy dots download file-code file-diff file-text filter fingerprint flag folder folder-open
    gavel git-pull-request key lock login logout mail message-circle notes pencil player-pause player-play
    player-stop plug-connected plus progress refresh repeat robot scale search settings template tool trash upload
    user users-group versions x
""".split()

# Django's manifest storage follows these comments and stops at the missing map.
SOURCE_MAP = re.compile(rb"\s*(?:/\*# sourceMappingURL=[^*]*\*/|//# sourceMappingURL=\S+)\s*")
SVG_BODY = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)
ICON_BOUNDS = '<path stroke="none" d="M0 0h24v24H0z" fill="none" />'
SYMBOL = (
    '<symbol id="{name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75"'
    ' stroke-linecap="round" stroke-linejoin="round">{body}</symbol>'
)

Copy = tuple[Path, str, bytes]  # where it goes, "package@version/path", content


def collect(modules: Path) -> Iterator[Copy]:
    """Every file to write, read from an installed `node_modules`."""
    for package, place, names in COPIES:
        version = json.loads((modules / package / "package.json").read_text())["version"]
        target = place.with_name(f"{place.name}-{version}")
        for name in names:
            content = SOURCE_MAP.sub(b"\n", (modules / package / name).read_bytes())
            yield target / Path(name).name, f"{package}@{version}/{name}", content
        if package == "@tabler/icons":
            yield target / "sprite.svg", f"{package}@{version}/icons/outline", sprite(modules / package)


def sprite(package: Path) -> bytes:
    """One SVG holding a `<symbol id=NAME>` per icon of `ICONS`."""
    symbols = (SYMBOL.format(name=name, body=icon_body(package, name)) for name in ICONS)
    return '<svg xmlns="http://www.w3.org/2000/svg">\n{}\n</svg>\n'.format("\n".join(symbols)).encode()


def icon_body(package: Path, name: str) -> str:
    body = SVG_BODY.search((package / "icons" / "outline" / f"{name}.svg").read_text())
    if body is None:
        raise SystemExit(f"The icon {name} is not an SVG any more.")
    return "".join(line.strip() for line in body[1].replace(ICON_BOUNDS, "").splitlines())


def install(directory: Path) -> Path:
    """Install package.json's packages below `directory`, bring the lock file up to date, and return node_modules."""
    npm = shutil.which("npm") or sys.exit("make vendor needs npm; nothing else in this project does.")
    for name in NPM_FILES:
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, directory)
    subprocess.run([npm, "install", "--no-progress"], cwd=directory, check=True)
    lock = json.loads((directory / "package-lock.json").read_text())
    for package in lock["packages"].values():
        package.pop("funding", None)  # an address; hashes are enough
    (ROOT / "package-lock.json").write_text(json.dumps(lock, indent=2, ensure_ascii=False) + "\n")
    return directory / "node_modules"


def write(copies: list[Copy]) -> None:
    for directory in (SHIPPED, TEST_ONLY):
        shutil.rmtree(directory, ignore_errors=True)
    manifest = {}
    for path, source, content in sorted(copies):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        manifest[path.relative_to(ROOT).as_posix()] = {"source": source, "sha256": digest, "bytes": len(content)}
    MANIFEST.write_text(json.dumps(manifest, indent=2) + "\n")
    print(f"{len(manifest)} files, {sum(len(content) for _, _, content in copies) / 1000:.0f} kB")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        write(list(collect(install(Path(scratch)))))
