"""Querysets that are compiled once.

The ORM takes up to a millisecond to turn a queryset into SQL, more than the database takes to answer it. What every
request asks is compiled when it is asked first; `Given` stands in it for a value that comes with the request.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import orjson
from django.db import connection, models
from django.db.models.expressions import Expression
from django.db.models.query import get_related_populators

M = TypeVar("M", bound=models.Model)


class Given(Expression):
    """The value that is given as `name` when the query is run; `field` says how the database takes it."""

    def __init__(self, name: str, field: "models.Field[Any, Any]") -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        return "%s", [self]

    def taken(self, values: dict[str, Any]) -> Any:
        return self.output_field.get_db_prep_value(values[self.name], connection)


class GivenMany(Given):
    """Values for `__in`, as many as there are: they travel as one JSON parameter, so the statement stays the same."""

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        if connection.vendor == "postgresql":
            kind = self.output_field.cast_db_type(connection)
            return f"(SELECT CAST(value AS {kind}) FROM jsonb_array_elements_text(CAST(%s AS jsonb)))", [self]
        return "(SELECT value FROM json_each(%s))", [self]

    def taken(self, values: dict[str, Any]) -> str:
        return orjson.dumps([*values[self.name]]).decode()


@dataclass(frozen=True, slots=True)
class _Statement(Generic[M]):
    """How a row becomes an object. `annotations` are attributes by place in the row."""

    sql: str
    parameters: tuple[Any, ...]
    model: type[M]
    columns: list[str]
    annotations: dict[str, int]
    related: list[Any]
    converters: list[tuple[int, list[Callable[..., Any]], Any]]

    def made(self, found: tuple[Any, ...]) -> M:
        row = list(found)
        for place, converters, expression in self.converters:
            for convert in converters:
                row[place] = convert(row[place], expression, connection)
        made = self.model.from_db(connection.alias, self.columns, row[: len(self.columns)])
        for relation in self.related:
            relation.populate(row, made)
        vars(made).update({name: row[place] for name, place in self.annotations.items()})
        return made


class Compiled(Generic[M]):
    """A queryset of objects to be run with values. `select_related` and annotations work as ever."""

    def __init__(self, build: Callable[[], models.QuerySet[M]]) -> None:
        self._build = build

    def __call__(self, **values: Any) -> list[M]:
        """Raises ValidationError for a value that its field cannot hold."""
        statement = self._statement
        taken = [each.taken(values) if isinstance(each, Given) else each for each in statement.parameters]
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, taken)
            return [statement.made(row) for row in cursor.fetchall()]

    @cached_property
    def _statement(self) -> _Statement[M]:
        queryset = self._build()
        compiler = queryset.query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        select = [column for column, *_ in compiler.select]
        return _Statement(
            sql,
            parameters,
            queryset.model,
            [select[place].target.attname for place in compiler.klass_info["select_fields"]],
            compiler.annotation_col_map,
            get_related_populators(compiler.klass_info, compiler.select, connection.alias),  # type: ignore[call-arg]
            [(place, *found) for place, found in compiler.get_converters(select).items()],
        )
