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
R = TypeVar("R")


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
        prepared = self.output_field.get_db_prep_value
        return orjson.dumps([prepared(each, connection) for each in values[self.name]]).decode()


@dataclass(frozen=True, slots=True)
class _Statement:
    """SQL, what to put into it, and by place in a row what makes Python's values of the database's."""

    sql: str
    parameters: tuple[Any, ...]
    converters: list[tuple[int, list[Callable[..., Any]], Any]]

    @classmethod
    def of(cls, compiler: Any) -> "_Statement":
        sql, parameters = compiler.as_sql()
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        return cls(sql, parameters, [(place, *found) for place, found in converters.items()])

    def rows(self, values: dict[str, Any]) -> list[list[Any]]:
        taken = [each.taken(values) if isinstance(each, Given) else each for each in self.parameters]
        with connection.cursor() as cursor:
            cursor.execute(self.sql, taken)
            rows = [list(row) for row in cursor.fetchall()]
        for place, converters, expression in self.converters:
            for convert in converters:
                for row in rows:
                    row[place] = convert(row[place], expression, connection)
        return rows


@dataclass(frozen=True, slots=True)
class _Shape(Generic[M]):
    """How a row becomes an object. `annotations` are attributes by place in the row."""

    model: type[M]
    columns: list[str]
    annotations: dict[str, int]
    related: list[Any]

    @classmethod
    def of(cls, model: type[M], compiler: Any) -> "_Shape[M]":
        return cls(
            model,
            [compiler.select[place][0].target.attname for place in compiler.klass_info["select_fields"]],
            compiler.annotation_col_map,
            get_related_populators(compiler.klass_info, compiler.select, connection.alias),  # type: ignore[call-arg]
        )

    def made(self, row: list[Any]) -> M:
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
        statement, shape = self._compiled
        return [shape.made(row) for row in statement.rows(values)]

    @cached_property
    def _compiled(self) -> tuple[_Statement, _Shape[M]]:
        queryset = self._build()
        compiler = queryset.query.get_compiler(connection=connection)
        return _Statement.of(compiler), _Shape.of(queryset.model, compiler)


class CompiledRows(Generic[R]):
    """Columns of a queryset, made by `values_list`, to be run with values. `row` makes what is answered of each: a
    fifth of what it takes to make objects."""

    def __init__(self, row: Callable[..., R], build: Callable[[], models.QuerySet[Any, tuple[Any, ...]]]) -> None:
        self._row = row
        self._build = build

    def __call__(self, **values: Any) -> list[R]:
        """Raises ValidationError for a value that its field cannot hold."""
        return [self._row(*row) for row in self._statement.rows(values)]

    @cached_property
    def _statement(self) -> _Statement:
        return _Statement.of(self._build().query.get_compiler(connection=connection))
