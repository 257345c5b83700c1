"""The feature columns and segments that a workspace adds, read and checked before anything is built.

`features/<model>.sql` is one SELECT of customer_id, review_week and columns of its own over the engine's
views days_of_weeks and events_of_weeks, which end with the week: it cannot look ahead. `<model>.yml` beside
it describes every column, and tests every own one.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
import yaml

from pipeline.dbt import DBT_FOLDER
from pipeline.errors import SettingsError
from pipeline.extension.sql_rules import RuleBrokenError, SqlRules
from pipeline.settings import REVIEW_FILE, Segment
from pipeline.workspace import Workspace

KEYS = {"customer_id": "VARCHAR", "review_week": "DATE"}
# What an own feature may read, each with the column that says when, and how many days it goes back.
READABLE = {"days_of_weeks": ("local_date", 365), "events_of_weeks": ("occurred_at", 90)}
# Where the rendered SQL seems to read from: replaced by the schema in which it is run.
_READS = "vitals_reads"
_FEATURE_ROW = "vitals_checks.feature_row"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TYPES = {
    **{kind: kind.lower() for kind in ("BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "DATE", "TIMESTAMP")},
    "VARCHAR": "string",
    "TINYINT": "integer",
    "SMALLINT": "integer",
    # What a sum of whole numbers is.
    "HUGEINT": "bigint",
    "FLOAT": "double",
}
_ALLOWED = "ref('days_of_weeks'), ref('events_of_weeks') and the macros of dbt_project/macros"


@dataclass(frozen=True)
class OwnColumn:
    """A column that a workspace adds to the feature row; `data_type` in dbt's words."""

    name: str
    data_type: str
    description: str


@dataclass(frozen=True)
class OwnModel:
    """One file of own features. `sql` as dbt gets it, `rendered` without Jinja."""

    name: str
    sql: str
    yml: str
    rendered: str
    columns: tuple[OwnColumn, ...]

    def reading_from(self, schema: str) -> str:
        """The query, over views of a schema."""
        return self.rendered.replace(f"{_READS}.", f"{schema}.")


@dataclass(frozen=True)
class Extension:
    """What a workspace adds. Empty for most."""

    models: tuple[OwnModel, ...] = ()
    segments: tuple[Segment, ...] = ()

    @property
    def columns(self) -> tuple[OwnColumn, ...]:
        return tuple(column for model in self.models for column in model.columns)

    def models_digest(self) -> str:
        """Changes with the own features; empty without any."""
        if not self.models:
            return ""
        texts = "\0".join(f"{model.name}\0{model.sql}\0{model.yml}" for model in self.models)
        return hashlib.sha256(texts.encode()).hexdigest()


def read_extension(workspace: Workspace) -> Extension:
    """The own features and segments of a workspace. Raises SettingsError naming file, what and the remedy."""
    files = _files(workspace.features_folder)
    segments = workspace.settings.segments
    if not files and not segments:
        return Extension()
    engine = {
        **dict.fromkeys(_contract("marts", "customers"), "marts.customers"),
        **dict.fromkeys(_contract("features", "customer_weeks"), "features.customer_weeks"),
    }
    owners = {column: f"a column of the engine's {table}" for column, table in engine.items()}
    models = []
    shapes = {f"{_READS}.{name}": _contract("intermediate", name) for name in READABLE}
    with SqlRules(shapes) as rules:
        for path in files:
            model = _read_model(path, rules, owners)
            owners |= {column.name: f"a column of {path.name}" for column in model.columns}
            models.append(model)
    extension = Extension(tuple(models), segments)
    _check_segments(workspace.folder / REVIEW_FILE, extension)
    return extension


def _files(folder: Path) -> list[Path]:
    """The .sql files of the folder, each with its .yml; nothing else may lie there."""
    if not folder.is_dir():
        return []
    given = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in given:
        if path.suffix not in (".sql", ".yml") or path.is_dir():
            raise SettingsError(
                f"{path} is neither .sql nor .yml; own features are pairs such as order_habits.sql and "
                "order_habits.yml. Move it elsewhere."
            )
    stems = {path.stem for path in given}
    for stem in sorted(stems):
        for suffix in (".sql", ".yml"):
            if folder / f"{stem}{suffix}" not in given:
                what = "describe and test its columns" if suffix == ".yml" else "hold the SELECT"
                raise SettingsError(f"{folder / stem}{suffix} is missing: it has to {what}.")
    return [path for path in given if path.suffix == ".sql"]


def _read_model(path: Path, rules: SqlRules, owners: dict[str, str]) -> OwnModel:
    if not _NAME.fullmatch(path.stem):
        raise SettingsError(f"{path}: the name has to be snake_case, such as order_habits.sql.")
    if path.stem in _engine_names():
        raise SettingsError(
            f"{path}: the engine has a table or view {path.stem}; give the file another name."
        )
    sql, yml = _text(path), _text(path.with_suffix(".yml"))
    if _READS in sql.lower():
        raise SettingsError(f"{path} names a schema; read ref('days_of_weeks') or ref('events_of_weeks').")
    rendered = _rendered(path, sql)
    try:
        rules.check_query(rendered, {f"{_READS}.{name}" for name in READABLE})
        types = rules.columns_of(rendered)
    except RuleBrokenError as error:
        message = str(error).replace(f"{_READS}.", "")
        remedy = ""
        if message.startswith("reads "):
            remedy = f"; own features read {_ALLOWED} only, so that no week knows what came after it"
        raise SettingsError(f"{path} {message}{remedy}.") from None
    own = _own_types(path, types, owners)
    described = _described(path.with_suffix(".yml"), yml, path.stem, [name for name, _ in types])
    columns = tuple(OwnColumn(name, kind, described[name]) for name, kind in own.items())
    return OwnModel(path.stem, sql, yml, rendered, columns)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as UTF-8 text: {error}.") from None


def _rendered(path: Path, sql: str) -> str:
    """The SQL without Jinja. Only the engine's views and macros can be called."""
    try:
        return _render(path, sql)
    except SettingsError:
        raise
    # Jinja computes: its text can divide by zero, or call a macro with what it does not take.
    except Exception as error:
        said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise SettingsError(
            f"{path} cannot be read as SQL with Jinja: {said}. Look at what stands in {{{{ }}}} and {{% %}}."
        ) from None


def _render(path: Path, sql: str) -> str:
    macros = _macros()
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
    parsed = environment.parse(sql)
    if any(True for _ in jinja2.meta.find_referenced_templates(parsed)):
        raise SettingsError(f"{path} includes or imports another file in its Jinja; write it out.")
    used = jinja2.meta.find_undeclared_variables(parsed)
    wrong = sorted(used - set(macros) - {"ref", "range"})
    if wrong:
        raise SettingsError(f"{path} uses {wrong[0]} in its Jinja; own features use {_ALLOWED} only.")

    def ref(*names: str) -> str:
        if len(names) != 1 or names[0] not in tuple(READABLE):
            raise SettingsError(
                f"{path} reads ref({', '.join(map(repr, names))}); own features read {_ALLOWED} only, so "
                "that no week knows what came after it."
            )
        return f"{_READS}.{names[0]}"

    return environment.from_string(sql).render(ref=ref, **macros).strip().rstrip(";")


@cache
def _macros() -> dict[str, Any]:
    """The engine's macros, called as in dbt. Those that give lists need dbt itself and are left out."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((DBT_FOLDER / "macros").rglob("*.sql"))]
    plain = "\n".join(text for text in texts if "return(" not in text and "target." not in text)
    module = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False).from_string(plain).module  # noqa: S701
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


@cache
def _engine_names() -> frozenset[str]:
    files = [*(DBT_FOLDER / "models").rglob("*.sql"), *(DBT_FOLDER / "seeds").rglob("*.csv")]
    others = {"events", "playbook", "own_features", "own_segments", "marts_own_features"}
    return frozenset({path.stem for path in files} | others)


@cache
def _contract(folder: str, model: str) -> dict[str, str]:
    """Column -> type of an engine's model under contract."""
    path = DBT_FOLDER / "models" / folder / f"{model}.yml"
    (described,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    return {column["name"]: column["data_type"] for column in described["columns"]}


def _described(path: Path, text: str, model: str, columns: list[str]) -> dict[str, str]:
    """Column -> description, once all of them are described and tested."""
    if "{{" in text or "{%" in text:
        raise SettingsError(f"{path} has Jinja in it; write descriptions and tests out.")
    try:
        given = yaml.safe_load(text)
    # ValueError: a date that is none.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}.") from None
    given = given if isinstance(given, dict) else {}
    unknown = sorted(set(map(str, given)) - {"version", "models", "unit_tests"})
    if unknown:
        raise SettingsError(f"{path} has the key {unknown[0]!r}; give version, models and unit_tests only.")
    models = given.get("models")
    if not (isinstance(models, list) and len(models) == 1 and _get(models[0], "name") == model):
        raise SettingsError(f"{path} has to describe exactly one model, {model}, under `models`.")
    wrong = sorted(set(map(str, models[0])) - {"name", "description", "columns", "data_tests"})
    if wrong:
        raise SettingsError(
            f"{path}: the model has the key {wrong[0]!r}; give name, description, columns and data_tests. "
            "How it is stored is the engine's affair."
        )
    if not _has_text(_get(models[0], "description")):
        raise SettingsError(f"{path}: the model has no description; say what its rows are.")
    described = _columns_listed(path, models[0])
    tested = _named_in_unit_tests(path, _listed(path, given, "unit_tests"), model)
    for column in columns:
        if not _has_text(_get(described.get(column), "description")):
            raise SettingsError(
                f"{path}: the column {column} has no description; say what it is, with its unit."
            )
        if column not in KEYS and not (_get(described[column], "data_tests") or column in tested):
            raise SettingsError(
                f"{path}: the column {column} has no test; give it data_tests, or expect it in a unit test."
            )
    for name in described:
        if name not in columns:
            raise SettingsError(f"{path} describes {name!r}, which the SELECT does not give; remove it.")
    return {column: " ".join(str(described[column]["description"]).split()) for column in columns}


def _columns_listed(path: Path, model: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Column -> what is said of it."""
    _listed(path, model, "data_tests")
    columns = _listed(path, model, "columns")
    for each in columns:
        if not isinstance(_get(each, "name"), str):
            raise SettingsError(
                f"{path}: one of the columns has no text as its name; give each as `- name: NAME`."
            )
        _listed(path, each, "data_tests")
    return {each["name"]: each for each in columns}


def _listed(path: Path, given: dict[str, Any], key: str) -> list[Any]:
    """What is given as a list, or not at all."""
    listed = given.get(key)
    if listed is not None and not isinstance(listed, list):
        raise SettingsError(f"{path}: {key} is {listed!r}; give a list, each of it after `- `.")
    return listed or []


def _named_in_unit_tests(path: Path, unit_tests: list[Any], model: str) -> set[str]:
    """The columns that unit tests expect."""
    named: set[str] = set()
    for test in unit_tests:
        if _get(test, "model") != model:
            raise SettingsError(
                f"{path}: the unit test {_get(test, 'name')!r} has to be one of the model {model}."
            )
        rows = _get(_get(test, "expect"), "rows")
        if isinstance(rows, list):
            named |= {str(column) for row in rows if isinstance(row, dict) for column in row}
        else:
            named |= set(re.findall(r"\w+", str(rows)))
    return named


def _own_types(path: Path, types: list[tuple[str, str]], owners: dict[str, str]) -> dict[str, str]:
    """Own column -> type, once the keys are there and every name is free."""
    given = dict(types)
    for key, kind in KEYS.items():
        if given.get(key) != kind:
            what = "is missing" if key not in given else f"is {given[key]}"
            raise SettingsError(
                f"{path}: the column {key} {what}; the grain is one row per customer and review week, so "
                f"give customer_id and review_week as the views have them."
            )
    own = [(name, kind) for name, kind in types if name not in KEYS]
    if not own:
        raise SettingsError(f"{path} gives no column of its own; add one beside customer_id and review_week.")
    names = [name for name, _ in own]
    columns = {}
    for name, kind in own:
        if names.count(name) > 1 or not _NAME.fullmatch(name):
            raise SettingsError(f"{path}: the column {name!r} needs a name of its own in snake_case.")
        if name in owners:
            raise SettingsError(f"{path}: the column {name} is already {owners[name]}; give it another name.")
        plain = _TYPES.get(kind) or (kind.lower() if kind.startswith("DECIMAL(") else None)
        if plain is None:
            raise SettingsError(
                f"{path}: the column {name} is {kind}; cast it to a number, text, date or true-or-false."
            )
        columns[name] = plain
    return columns


def _check_segments(path: Path, extension: Extension) -> None:
    """Raises SettingsError for a condition that is none over one feature row."""
    row = _contract("features", "customer_weeks") | {
        column.name: column.data_type for column in extension.columns
    }
    with SqlRules({_FEATURE_ROW: row}) as rules:
        for number, segment in enumerate(extension.segments):
            try:
                rules.check_condition(segment.condition, _FEATURE_ROW, set(row))
            except RuleBrokenError as error:
                message = str(error).replace(f"{_FEATURE_ROW}.", "")
                raise SettingsError(
                    f"{path}: segments.{number}.condition of {segment.name} is {segment.condition!r}: it "
                    f"{message}."
                ) from None


def _get(given: Any, key: str) -> Any:
    return given.get(key) if isinstance(given, dict) else None


def _has_text(given: Any) -> bool:
    return isinstance(given, str) and bool(given.strip())
