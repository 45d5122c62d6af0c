"""How long a text takes to read, in words a person would use."""

WORDS_PER_MINUTE = 220


def count_words(text: str) -> int:
    """Runs of characters between white space."""
    return len(text.split())


def reading_minutes(text: str) -> int:
    """Whole minutes, rounded up; 0 for an empty text."""
    return -(-count_words(text) // WORDS_PER_MINUTE)


def reading_label(text: str) -> str:
    minutes = reading_minutes(text)
    if minutes == 0:
        return "nothing to read"
    if minutes == 1:
        return "1 minute"
    return f"{minutes} minutes"
