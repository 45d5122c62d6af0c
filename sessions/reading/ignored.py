"""Which files of a folder or an archive are passed over, and why: what a list of files to ignore usually names."""

import re

_VENDORED = frozenset(
    """.git .hg .svn .venv venv node_modules bower_components vendor third_party Pods site-packages __pycache__ .tox
    .nox .mypy_cache .ruff_cache .pytest_cache .gradle .idea .vscode .next .nuxt .cache .terraform dist build target
    out coverage htmlcov __MACOSX""".split()
)
_LOCK_FILES = frozenset(
    """package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb poetry.lock pdm.lock uv.lock
    pipfile.lock cargo.lock composer.lock gemfile.lock go.sum packages.lock.json flake.lock mix.lock podfile.lock
    pubspec.lock gradle.lockfile""".split()
)
_CLUTTER = re.compile(r"^(?:\.ds_store|thumbs\.db|desktop\.ini|\._.*|.*\.(?:swp|swo|bak|orig|tmp|log)|.*~)$")
_GENERATED = re.compile(r"\.min\.(?:js|css)$|\.(?:map|pyc|pyo|class|o|obj|pb\.go|snap)$|_pb2(?:_grpc)?\.pyi?$")
_MEDIA = frozenset(
    """7z a apk avi avif bin bmp bz2 db dll dmg dylib ear eot exe flac gif gz heic ico iso jar jpeg jpg keystore lib
    mkv mov mp3 mp4 npy npz odp ods odt ogg onnx otf parquet pickle pkl png ppt pptx psd pt rar so sqlite sqlite3 tar
    tgz tif tiff ttf war wasm wav webm webp whl woff woff2 xls xlsx xz zst""".split()
)


def vendored_directory(path: str) -> str:
    """The path's beginning down to a directory of others' code or of build output; empty when it has none."""
    parts = path.split("/")[:-1]
    index = next((index for index, part in enumerate(parts) if part in _VENDORED), None)
    return "" if index is None else "/".join(parts[: index + 1])


def why_ignored(path: str) -> str:
    """A code of `unreadable.IGNORED`, or empty for a file that is to be read."""
    name = path.rpartition("/")[2].lower()
    if vendored_directory(path):
        return "vendored"
    if name in _LOCK_FILES:
        return "lock_file"
    if _CLUTTER.match(name):
        return "clutter"
    if _GENERATED.search(name):
        return "generated"
    return "media" if name.rpartition(".")[2] in _MEDIA else ""
