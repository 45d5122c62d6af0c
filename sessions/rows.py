"""Many rows in one statement of fixed text: the rows travel as one JSON parameter.

The ORM's bulk insert costs 60 microseconds a row and its text grows with the rows; here a row costs its JSON, which the
database unpacks (`jsonb_to_recordset`, `json_each`). Columns come from the models, so a migration changes nothing here.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, models, transaction

from sessions.projections import Change, Patch, Put

Rows = list[dict[str, Any]]


@contextmanager
def one_transaction() -> Iterator[None]:
    """A transaction of its own whose statements leave without waiting for one another, from BEGIN to COMMIT. Each wait
    would cost the writer the interpreter, which it gets back only when the engine loop pauses. What the database
    refuses is raised where a result is fetched, or at the end.

    On PostgreSQL this is done below Django, which may not leave a transaction whose COMMIT is still under way. Inside
    of another transaction (a test's) it is a part of that one.
    """
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        with transaction.atomic():
            yield
        return
    connection.ensure_connection()
    raw = connection.connection
    try:
        with connection.wrap_database_errors, raw.pipeline():
            raw.execute("BEGIN")
            yield
            raw.execute("COMMIT")
    finally:
        if not raw.closed and raw.info.transaction_status.name != "IDLE":
            with connection.wrap_database_errors:
                raw.execute("ROLLBACK")


def apply(changes: Iterable[Change]) -> None:
    """Write changes in the caller's transaction: first new rows, table by table in order of first mention, then
    patches. Several patches of one row become one, the later field winning, so that grouping cannot reorder them."""
    puts: dict[tuple[type[models.Model], tuple[str, ...]], dict[Any, dict[str, Any]]] = defaultdict(dict)
    patches: dict[tuple[Any, ...], tuple[Patch, dict[str, Any]]] = {}
    for change in changes:
        if isinstance(change, Put):
            puts[change.model, tuple(change.fields)][change.pk] = {"id": change.pk, **change.fields}
        else:
            patches.setdefault((change.model, *change.by.values()), (change, {}))[1].update(change.fields)
    for (model, fields), found in puts.items():
        put(model, fields, list(found.values()))
    shapes: dict[tuple[Any, ...], Rows] = defaultdict(list)
    for first, fields_set in patches.values():
        shapes[first.model, tuple(first.by), tuple(fields_set)].append({**first.by, **fields_set})
    for (model, by, fields), rows in shapes.items():
        patch(model, by, fields, rows)


def put(model: type[models.Model], fields: tuple[str, ...], rows: Rows) -> None:
    """Insert rows keyed by `id`; where one is there already, overwrite `fields`. Other columns get their defaults."""
    defaults = _defaults(model, fields)
    _run(_insert(connection.vendor, model, fields), model, [{**defaults, **row} for row in rows])


def append(model: type[models.Model], rows: Rows) -> None:
    """Insert rows whose `id` the database gives."""
    _run(_insert(connection.vendor, model, ()), model, rows)


def patch(model: type[models.Model], by: tuple[str, ...], fields: tuple[str, ...], rows: Rows) -> None:
    """Set `fields` of the rows that `by` finds."""
    _run(_update(connection.vendor, model, by, fields), model, rows)


def _run(sql: str, model: type[models.Model], rows: Rows) -> None:
    if connection.vendor == "sqlite":
        columns = _columns(model)
        rows = [{name: _as_text(columns[name], value) for name, value in row.items()} for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(sql, [orjson.dumps(rows).decode()])


def _as_text(field: "models.Field[Any, Any]", value: Any) -> Any:
    """As SQLite keeps it: UUIDs, times and JSON are text of Django's own form."""
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return orjson.dumps(value).decode() if isinstance(field, models.JSONField) and value is not None else value


@cache
def _columns(model: type[models.Model]) -> dict[str, "models.Field[Any, Any]"]:
    """Fields by attribute name (`session_id`)."""
    return {field.attname: field for field in model._meta.concrete_fields}


@cache
def _defaulted(model: type[models.Model], fields: tuple[str, ...]) -> tuple["models.Field[Any, Any]", ...]:
    named = {"id", *fields}
    return tuple(field for name, field in _columns(model).items() if name not in named)


def _defaults(model: type[models.Model], fields: tuple[str, ...]) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        field.attname: now if getattr(field, "auto_now_add", False) else field.get_default()
        for field in _defaulted(model, fields)
    }


@cache
def _insert(vendor: str, model: type[models.Model], fields: tuple[str, ...]) -> str:
    names = [name for name in _columns(model) if fields or name != "id"]
    columns = ", ".join(_quoted(_columns(model)[name]) for name in names)
    source = _source(vendor, model, names)
    sql = f"INSERT INTO {_table(model)} ({columns}) SELECT {columns} FROM {source}"
    if not fields:
        return sql
    sets = ", ".join(f"{_quoted(_columns(model)[name])} = excluded.{_quoted(_columns(model)[name])}" for name in fields)
    # SQLite reads ON CONFLICT as a join condition unless a WHERE ends the SELECT.
    return f"{sql} WHERE true ON CONFLICT (id) DO UPDATE SET {sets}"


@cache
def _update(vendor: str, model: type[models.Model], by: tuple[str, ...], fields: tuple[str, ...]) -> str:
    sets = ", ".join(f"{_quoted(_columns(model)[name])} = v.{_quoted(_columns(model)[name])}" for name in fields)
    keys = [_quoted(_columns(model)[name]) for name in by]
    found = " AND ".join(f"{_table(model)}.{key} = v.{key}" for key in keys)
    return f"UPDATE {_table(model)} SET {sets} FROM {_source(vendor, model, [*by, *fields])} WHERE {found}"


def _source(vendor: str, model: type[models.Model], names: Sequence[str]) -> str:
    """The JSON parameter as a table named `v`."""
    fields = [_columns(model)[name] for name in names]
    if vendor == "postgresql":
        types = ", ".join(f"{_quoted(field)} {_type(field)}" for field in fields)
        return f"jsonb_to_recordset(CAST(%s AS jsonb)) AS v({types})"
    picks = ", ".join(f"json_extract(value, '$.{field.column}') AS {_quoted(field)}" for field in fields)
    return f"(SELECT {picks} FROM json_each(%s)) AS v"


def _type(field: "models.Field[Any, Any]") -> str:
    plain = field.target_field if isinstance(field, models.ForeignKey) else field
    return str(plain.cast_db_type(connection)).replace(" GENERATED BY DEFAULT AS IDENTITY", "")


def _table(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _quoted(field: "models.Field[Any, Any]") -> str:
    return connection.ops.quote_name(str(field.column))
