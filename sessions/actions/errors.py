"""How an action refuses: a code for programs, a sentence for people, what to do next."""


class Refused(Exception):  # noqa: N818 - caught at every edge and shown as it is
    """Nothing was changed. `status` is the HTTP status that says so."""

    def __init__(self, code: str, sentence: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.sentence, self.status = code, sentence, status
