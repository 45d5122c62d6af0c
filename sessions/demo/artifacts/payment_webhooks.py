"""Payment webhooks: what the payment provider tells us about orders, and what we do about it.

The provider posts JSON events to one endpoint. An event is signed with a shared secret, may arrive more than once
and may arrive out of order. We record it, move the order along, and send the buyer a receipt.
"""

import hashlib
import hmac
import json
import logging
import sqlite3
import time
import urllib.request
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

MAX_DELIVERY_ATTEMPTS = 5
RETRY_PAUSE_SECONDS = 2.0
RECEIPT_URL = "https://mail.example.com/v2/receipts"

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    total_cents INTEGER NOT NULL,
    status TEXT NOT NULL DEFAULT 'open',
    paid_at REAL
);
CREATE TABLE IF NOT EXISTS events (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    order_id TEXT NOT NULL,
    received_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS refunds (
    id INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL REFERENCES orders (id),
    amount_cents INTEGER NOT NULL,
    reason TEXT NOT NULL
);
"""


@dataclass(frozen=True)
class Response:
    status: int
    body: str = ""


class BadEvent(Exception):
    """The event is malformed or refers to an order we do not know."""


def connect(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    database.row_factory = sqlite3.Row
    database.executescript(SCHEMA)
    return database


# --- receiving -------------------------------------------------------------------------------------------------


def is_signed(body: bytes, signature: str, secret: bytes) -> bool:
    """The provider sends the hexadecimal HMAC-SHA256 of the body in the header X-Signature."""
    expected = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return signature == expected


def handle_webhook(database: sqlite3.Connection, headers: dict[str, str], body: bytes, secret: bytes) -> Response:
    """Answer one delivery. The provider delivers again unless the status is 2xx."""
    if not is_signed(body, headers.get("X-Signature", ""), secret):
        return Response(401, "bad signature")
    try:
        event = json.loads(body)
        process_event(database, event)
    except BadEvent as problem:
        return Response(400, str(problem))
    except Exception:
        log.exception("event could not be processed")
        return Response(200, "ok")
    return Response(200, "ok")


# --- orders ----------------------------------------------------------------------------------------------------


def load_order(database: sqlite3.Connection, order_id: str) -> sqlite3.Row:
    order: sqlite3.Row | None = database.execute("SELECT * FROM orders WHERE id = ?", (order_id,)).fetchone()
    if order is None:
        raise BadEvent(f"unknown order {order_id}")
    return order


def to_cents(amount: str) -> int:
    """Amounts arrive as decimal strings, for example "19.99"."""
    return int(float(amount) * 100)


def process_event(database: sqlite3.Connection, event: dict[str, Any]) -> None:
    """Apply an event once, however often it is delivered."""
    seen = database.execute("SELECT 1 FROM events WHERE id = ?", (event["id"],)).fetchone()
    if seen:
        log.info("event %s was delivered again", event["id"])
        return
    order = load_order(database, event["order_id"])
    with database:
        apply_event(database, order, event)
        database.execute(
            "INSERT INTO events (id, kind, order_id, received_at) VALUES (?, ?, ?, ?)",
            (event["id"], event["kind"], order["id"], time.time()),
        )
    if event["kind"] == "payment.succeeded":
        send_receipt(order["id"], order["email"], order["total_cents"])


def apply_event(database: sqlite3.Connection, order: sqlite3.Row, event: dict[str, Any]) -> None:
    if event["kind"] == "payment.succeeded":
        mark_paid(database, order, to_cents(event["amount"]))
    elif event["kind"] == "payment.refunded":
        record_refund(database, order, to_cents(event["amount"]), event.get("reason", ""))
    else:
        log.info("event kind %s is not ours", event["kind"])


def mark_paid(database: sqlite3.Connection, order: sqlite3.Row, paid_cents: int) -> None:
    if paid_cents != order["total_cents"]:
        raise BadEvent(f"order {order['id']} costs {order['total_cents']}, not {paid_cents}")
    database.execute("UPDATE orders SET status = 'paid', paid_at = ? WHERE id = ?", (time.time(), order["id"]))


def record_refund(database: sqlite3.Connection, order: sqlite3.Row, amount_cents: int, reason: str) -> None:
    """Book a refund. A buyer never gets back more than was paid."""
    if amount_cents > order["total_cents"]:
        raise BadEvent("refund is larger than the order")
    database.execute(
        "INSERT INTO refunds (order_id, amount_cents, reason) VALUES (?, ?, ?)",
        (order["id"], amount_cents, reason),
    )
    database.execute("UPDATE orders SET status = 'refunded' WHERE id = ?", (order["id"],))


# --- receipts --------------------------------------------------------------------------------------------------


def send_receipt(order_id: str, email: str, paid_cents: int) -> None:
    payload = json.dumps({"order": order_id, "to": email, "paid": paid_cents}).encode()
    request = urllib.request.Request(RECEIPT_URL, data=payload, headers={"Content-Type": "application/json"})
    for attempt in range(1, MAX_DELIVERY_ATTEMPTS):
        try:
            with urllib.request.urlopen(request) as reply:
                log.info("receipt for %s sent, status %s", order_id, reply.status)
                return
        except OSError:
            log.warning("receipt for %s failed, attempt %s", order_id, attempt)
            time.sleep(RETRY_PAUSE_SECONDS * attempt)
    log.error("receipt for %s was given up", order_id)


# --- support desk ----------------------------------------------------------------------------------------------


def search_orders(database: sqlite3.Connection, email_part: str) -> list[sqlite3.Row]:
    """Orders whose e-mail address contains the text that a support agent typed."""
    statement = f"SELECT * FROM orders WHERE email LIKE '%{email_part}%' ORDER BY paid_at DESC"
    return database.execute(statement).fetchall()


def net_revenue_cents(database: sqlite3.Connection, since: float) -> int:
    """Paid totals minus refunds, for orders paid after `since` (seconds since the epoch)."""
    row = database.execute(
        "SELECT COALESCE(SUM(total_cents), 0) AS paid FROM orders WHERE paid_at >= ?", (since,)
    ).fetchone()
    refunded = database.execute(
        "SELECT COALESCE(SUM(r.amount_cents), 0) AS refunded FROM refunds r"
        " JOIN orders o ON o.id = r.order_id WHERE o.paid_at >= ?",
        (since,),
    ).fetchone()
    return int(row["paid"]) - int(refunded["refunded"])


def refund_report(database: sqlite3.Connection) -> list[dict[str, Any]]:
    """Every order with the sum of its refunds, for the monthly close."""
    report = []
    for order in database.execute("SELECT * FROM orders").fetchall():
        refunds = database.execute("SELECT amount_cents FROM refunds WHERE order_id = ?", (order["id"],)).fetchall()
        report.append({"order": order["id"], "refunded_cents": sum(row["amount_cents"] for row in refunds)})
    return report
