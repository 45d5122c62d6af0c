"""Every way that something brought here cannot be read: one code, one sentence, what to do next."""

import math

UNREADABLE: dict[str, tuple[str, str]] = {
    "empty": ("There is no text in it.", "Bring a file that has text."),
    "too_large": ("It has {size}; at most {limit} can be read.", "Bring the part that matters."),
    "too_many_lines": ("It has {size} lines; at most {limit} can be read.", "Bring the part that matters."),
    "too_many_files": ("More than {limit} files were brought at once.", "Bring those that matter."),
    "total_too_large": ("The files together have more than {limit}.", "Bring those that matter."),
    "unsupported_format": ("A {format} cannot be read here yet.", "{advice}"),
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


class Unreadable(Exception):
    """Why something cannot be read (`sentence`) and what a person can do (`next_step`). `code` is contract."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.sentence, self.next_step = (text.format(**facts) for text in UNREADABLE[code])


def megabytes(size: int) -> str:
    """`size` bytes in words, rounded up so that what is over a limit looks so."""
    return f"{math.ceil(size / 100_000) / 10:g} MB"
