"""Whether a certificate somebody holds is worth what it says, from the file and public keys alone.

What is signed is the certificate and what it was worth when it was fetched, so a copy is never more than that moment's
truth: the sentence names it.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sessions.certificates.signing import PublicKeys, is_signed
from sessions.engine.certificate import faults

MAX_BYTES = 2_000_000
SIGNED = ("certificate", "id", "session", "issued_at", "status")
BECAUSE = {
    "new_version": "the artifact has a newer version",
    "judged_again": "the session was judged again",
}
# What each result means for a program: the exit codes of `verify_certificate`.
EXIT_CODES = {"valid": 0, "forged": 1, "unreadable": 2, "unknown_key": 3, "superseded": 4, "other_artifact": 5}


@dataclass(frozen=True, slots=True)
class Checked:
    """`code` is one of EXIT_CODES. `warning` is a sentence about something that does not make it invalid."""

    code: str
    sentence: str
    warning: str = ""

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.code]


def check(text: bytes, keys: PublicKeys, artifacts: Collection[str] = ()) -> Checked:
    """`artifacts` are SHA-256 digests of texts that it must have judged."""
    try:
        found = _read(text)
    except ValueError as reason:
        return Checked("unreadable", f"This is no certificate: {reason}")
    signed, signature = {name: found[name] for name in SIGNED}, found["signature"]
    key = keys.get(str(signature.get("key")))
    if key is None:
        return Checked(
            "unknown_key", "It was signed with a key that is not among those given: somebody else issued it."
        )
    if not is_signed(signed, str(signature.get("value")), key):
        return Checked("forged", "The signature does not fit: something in this certificate was changed or forged.")
    if fault := faults(found["certificate"]):
        return Checked("forged", fault)
    return _worth(found, artifacts)


def _worth(found: Mapping[str, Any], artifacts: Collection[str]) -> Checked:
    certificate, status = found["certificate"], found["status"]
    judged = {one["digest"] for one in certificate["artifacts"] if one["judged"]}
    if not set(artifacts) <= judged:
        return Checked("other_artifact", "It is genuine, but this file is not the text that was certified.")
    if status["state"] != "valid":
        because = BECAUSE.get(status["because"], "it was replaced")
        return Checked("superseded", f"It is genuine, but superseded: {because} (known on {status['at']}).")
    simulated = "Simulated models gave it: no model read the artifact." if certificate["simulated"] else ""
    return Checked("valid", f"Valid. {summary(found)}", simulated)


def summary(found: Mapping[str, Any]) -> str:
    """What it says, in one sentence or two."""
    certificate = found["certificate"]
    standard, verdict = certificate["standard"], certificate["verdict"]
    sides = f"{len(verdict['certify'])} certify, {len(verdict['refuse'])} refuse, {len(verdict['abstain'])} abstain"
    dissent = " with dissent" if verdict["reason"] == "with_dissent" else ""
    return (
        f"Certified{dissent} against {standard['name']!r}, version {standard['version']}, by rule"
        f" {certificate['rule']}: {sides}, confidence {verdict['confidence']}. Issued {found['issued_at']}, still"
        f" current on {found['status']['at']}."
    )


def _read(text: bytes) -> dict[str, Any]:
    """Raises ValueError with half a sentence."""
    if len(text) > MAX_BYTES:
        raise ValueError("the file is too large.")
    try:
        found: Any = json.loads(text.decode("utf-8-sig"), object_pairs_hook=_once, parse_float=_no_float)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise ValueError("the file is not JSON.") from None
    missing = [name for name in (*SIGNED, "signature") if not isinstance(found, dict) or name not in found]
    if missing:
        raise ValueError(f"it has no {missing[0]!r}.")
    if set(found) != {*SIGNED, "signature"}:
        raise ValueError("it holds something that no certificate has.")
    if not all(isinstance(found[name], dict) for name in ("certificate", "status", "signature")):
        raise ValueError("its parts are of another sort.")
    return dict(found)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two equal names they take, so neither is."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice in it.")
    return found


def _no_float(text: str) -> float:
    raise ValueError("it holds a number that is not whole.")
