"""What every session about artifacts is made of: who reads which texts, and how much of them fits."""

from dataclasses import dataclass, field

from sessions.engine.prompts import windows
from sessions.engine.roster import Member, Source
from sessions.engine.text import Window


@dataclass(frozen=True, slots=True)
class Reading:
    """`focus` is that of the session; `nonce_seed` is hex. Raises ValueError without a source that is to be judged."""

    members: tuple[Member, ...]
    sources: tuple[Source, ...]
    title: str
    brief: str
    focus: str
    nonce_seed: str
    _read: dict[int, dict[str, Window]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if all(source.context for source in self.sources):
            raise ValueError("a session needs a source that is to be judged")

    def read_by(self, member: Member) -> dict[str, Window]:
        """By source ref, what `member` reads. Numbered once per size of window: members of one size read the same."""
        if member.context_window not in self._read:
            self._read[member.context_window] = windows(self.sources, member)
        return self._read[member.context_window]

    def reads_all(self, member: Member) -> bool:
        return all(window.whole for window in self.read_by(member).values())

    def cut_for(self, member: Member) -> list[dict[str, object]]:
        """The sources that `member` reads only the beginning of, as events hold it."""
        cut = [window for window in self.read_by(member).values() if not window.whole]
        return [{"source": window.ref, "lines": window.lines, "total": window.total} for window in cut]
