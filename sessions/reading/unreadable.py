"""Every way that something brought here cannot be read: one code, one sentence, what to do next."""

import math

UNREADABLE: dict[str, tuple[str, str]] = {
    "empty": ("There is no text in it.", "Bring a file that has text."),
    "too_large": ("It has {size}; at most {limit} can be read.", "Bring the part that matters."),
    "too_many_lines": ("It has {size} lines; at most {limit} can be read.", "Bring the part that matters."),
    "too_many_files": ("More than {limit} files were brought at once.", "Bring those that matter."),
    "total_too_large": ("The files together have more than {limit}.", "Bring those that matter."),
    "unsupported_format": ("A {format} cannot be read here yet.", "{advice}"),
    "encrypted": ("It is locked with a password.", "Save a copy without the password and bring that."),
    "scanned": (
        "None of its {pages} pages holds text: it is a scan or pictures.",
        "Run text recognition (OCR) on it first, or bring the original document.",
    ),
    "too_many_pages": ("It has {size} pages; at most {limit} can be read.", "Bring the part that matters."),
    "damaged": ("This {format} is damaged or not what its name says.", "Save it again and bring that."),
    "too_complex": (
        "This {format} needs more than {seconds} seconds or more memory than it may have.",
        "Bring the part that matters, or export it as text.",
    ),
    "busy": ("Several large documents are being read right now.", "Bring it again in a minute."),
    "zip_too_many": ("The archive lists {size} files; at most {limit} can be unpacked.", "Pack the part that matters."),
    "zip_too_large": ("Unpacked, the archive would have more than {limit}.", "Pack the part that matters."),
    "zip_bomb": ("A file in the archive grows more than {limit} times when unpacked.", "Pack the text files alone."),
    "zip_empty": ("There is no file in the archive that can be reviewed.", "Pack text files."),
    "unpacking_broke": ("It was not unpacked: all {tries} tries broke off.", "Unpack it and bring the files in it."),
    "binary": ("It holds binary data, not text.", "Bring text; if it should be text, save it as UTF-8."),
    "unknown_encoding": ("Its text is in an encoding that cannot be told.", "Save it as UTF-8 and bring it again."),
    "combined_diff": ("It is a combined diff of a merge.", "Compare it with one parent: git diff PARENT MERGE."),
    "git_missing": ("The git program was not found.", "Install Git, or bring the output of git diff as a file."),
    "not_a_repository": ("There is no Git repository here that Git trusts.", "Name a repository that is yours."),
    "unknown_revision": ("Git does not know the revision {revision}.", "Check its name; fetch it if it is new."),
    "no_merge_base": ("The two revisions have no common ancestor.", "Write BASE..HEAD, with two dots."),
    "empty_range": ("Nothing changed in this range.", "Name another range, such as main...HEAD."),
    "git_failed": ("Git could not make this diff in {seconds} seconds.", "Name a smaller range."),
}

# Why a file of a folder or an archive is passed over.
IGNORED: dict[str, str] = {
    "vendored": "Code of others or output of a build, by its directory.",
    "lock_file": "A lock file: written by a tool, and long.",
    "generated": "Written by a tool, by its name.",
    "media": "An image, font, archive or program, by its name.",
    "clutter": "A file of an editor or of the system.",
    "unsafe_path": "Its path leads out of the archive.",
    "link": "A link, not a file.",
    "too_deep": "It lies more than {limit} directories deep.",
    "locked_entry": "It is locked with a password.",
    "nested_archive": "An archive inside of an archive.",
}


class Unreadable(Exception):
    """Why something cannot be read (`sentence`) and what a person can do (`next_step`). `code` is contract."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts
        self.sentence, self.next_step = (text.format(**facts) for text in UNREADABLE[code])


def megabytes(size: int) -> str:
    """`size` bytes in words, rounded up so that what is over a limit looks so."""
    return f"{math.ceil(size / 100_000) / 10:g} MB"
