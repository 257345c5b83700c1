"""The settings of a workspace: review.toml, read once, frozen and validated.

A value that cannot be used is reported with the file, the key, the value and what would be right
(`SettingsError`). Every number carries its unit in its key.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.errors import SettingsError, UnreadableError

REVIEW_FILE = "review.toml"

# The ways in which the engine divides customers, and the columns that hold them: no names for own segments.
SCHEMES = (
    "rfm",
    "rfm_segment",
    "lifecycle",
    "lifecycle_stage",
    "engagement",
    "engagement_level",
    "cluster",
    "cluster_name",
    "health_band",
    "churn_band",
    "own",
)

# The columns of raw.events that a source may fill; load_id and source are the loader's own.
EVENT_COLUMNS = (
    "event_id",
    "event_type",
    "event_name",
    "user_id",
    "anonymous_id",
    "account_id",
    "session_id",
    "occurred_at",
    "received_at",
    "channel",
    "platform",
    "device",
    "page_path",
    "referrer",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "feature",
    "revenue",
    "currency",
    "properties",
    "traits",
)


def _known_time_zone(name: str) -> str:
    # Factory means none, and localtime another one on each machine.
    if name not in available_timezones() - {"Factory", "localtime"}:
        raise ValueError("not a time zone of the IANA database, such as Europe/London")
    return name


def _plain_file_pattern(pattern: str) -> str:
    if not pattern or pattern.startswith(("/", "~")) or ".." in Path(pattern).parts or "\\" in pattern:
        raise ValueError("a pattern below the landing folder, such as *.jsonl or shop/*.csv")
    return pattern


TimeZoneName = Annotated[str, AfterValidator(_known_time_zone)]
FilePattern = Annotated[str, AfterValidator(_plain_file_pattern)]
Share = Annotated[float, Field(ge=0, le=1)]
Score = Annotated[float, Field(ge=0, le=100)]
# Beyond any business, and within what the engine and the models can count.
Days = Annotated[int, Field(gt=0, le=36_500)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Gigabytes = Annotated[float, Field(gt=0, le=1_000_000)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ColumnMapping(_Frozen):
    """How one column of raw.events is filled from a row of a source.

    Exactly one of: `from` (a column, or a dotted path in JSON), `value` (a constant), `product_of`
    (columns multiplied, summed over the rows of a grouped event), `fields` (an object of columns, and of
    `constants` beside them).
    """

    from_: str | None = Field(default=None, alias="from")
    value: str | None = None
    product_of: tuple[str, ...] | None = None
    fields: dict[str, str] | None = None
    constants: dict[str, str] = Field(default_factory=dict)
    remove_suffix: str | None = None
    when_prefix: dict[str, str] | None = None
    otherwise: str | None = None
    format: str | None = None

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _text_is_a_column(cls, given: Any) -> Any:
        given = {"from": given} if isinstance(given, str) else given
        if isinstance(given, dict) and isinstance(given.get("product_of"), list):
            given = {**given, "product_of": tuple(given["product_of"])}
        return given

    @model_validator(mode="after")
    def _one_origin(self) -> ColumnMapping:
        origins = [self.from_, self.value, self.product_of, self.fields]
        if sum(origin is not None for origin in origins) != 1:
            raise ValueError("give exactly one of from, value, product_of, fields")
        if self.constants and self.fields is None:
            raise ValueError("constants need `fields`, beside which they stand")
        if twice := sorted(set(self.constants) & set(self.fields or {})):
            raise ValueError(f"{twice[0]} is given by fields and by constants; keep one of them")
        if (self.when_prefix is not None or self.remove_suffix is not None) and self.from_ is None:
            raise ValueError("when_prefix and remove_suffix need `from`")
        if (self.when_prefix is None) != (self.otherwise is None):
            raise ValueError("when_prefix and otherwise belong together")
        return self

    def source_columns(self) -> tuple[str, ...]:
        """The columns of the source that this mapping reads."""
        if self.from_ is not None:
            return (self.from_,)
        return tuple(self.product_of or ()) + tuple((self.fields or {}).values())


class RowGroup(_Frozen):
    """Rows of a source that together make one event, at the time of the earliest of them."""

    by: tuple[str, ...] = Field(min_length=1)
    items_property: str | None = None
    items: dict[str, str] = Field(default_factory=dict)
    # Property of the event = the sum of these columns over all of its rows.
    sums: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("by"), list):
            given = {**given, "by": tuple(given["by"])}
        if isinstance(given, dict) and isinstance(given.get("sums"), dict):
            sums = {
                name: tuple(columns) if isinstance(columns, list) else columns
                for name, columns in given["sums"].items()
            }
            given = {**given, "sums": sums}
        return given

    @model_validator(mode="after")
    def _items_have_a_name(self) -> RowGroup:
        if bool(self.items) != (self.items_property is not None):
            raise ValueError("items and items_property belong together")
        for name, columns in self.sums.items():
            if not columns:
                raise ValueError(f"sums.{name} names no column to sum")
            if name == self.items_property:
                raise ValueError(f"{name} is the property of the items and cannot be a sum as well")
        return self


class Source(_Frozen):
    """One kind of file in landing, and how its rows become events."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    patterns: tuple[FilePattern, ...] = Field(min_length=1)
    format: Literal["auto", "jsonl", "csv", "parquet", "xlsx"] = "auto"
    time_zone: TimeZoneName = "UTC"
    equal_rows_are_duplicates: bool = True
    unknown_columns: Literal["error", "ignore"] = "error"
    ignored_columns: tuple[str, ...] = ()
    # Identifying columns, hashed to an event_id where the source has no id of its own.
    id_columns: tuple[str, ...] = ()
    # Columns that are numbers: members of objects that come from a table are texts without it.
    number_columns: tuple[str, ...] = ()
    columns: dict[str, ColumnMapping]
    group: RowGroup | None = None

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {
            key: tuple(value)
            if key in ("patterns", "ignored_columns", "id_columns", "number_columns")
            and isinstance(value, list)
            else value
            for key, value in given.items()
        }

    @model_validator(mode="after")
    def _fills_what_an_event_needs(self) -> Source:
        unknown = sorted(set(self.columns) - set(EVENT_COLUMNS))
        if unknown:
            raise ValueError(f"{unknown[0]} is no column of an event; known: {', '.join(EVENT_COLUMNS)}")
        if "occurred_at" not in self.columns:
            raise ValueError("occurred_at has to be mapped")
        if "event_name" not in self.columns and "event_type" not in self.columns:
            raise ValueError("event_name or event_type has to be mapped")
        if ("event_id" in self.columns) == bool(self.id_columns):
            raise ValueError("give either a mapping of event_id, or id_columns to make one from")
        properties = self.columns.get("properties")
        given = {**(properties.fields or {}), **properties.constants} if properties else {}
        if twice := sorted(set(given) & set(self.group.sums if self.group else ())):
            raise ValueError(f"the property {twice[0]} is a sum of the group and mapped; keep one of them")
        return self


class Sessions(_Frozen):
    """When a burst of activity is one session."""

    timeout_minutes: int = Field(gt=0, le=24 * 60)
    cap_hours: int = Field(gt=0, le=24)
    # Whether a source's own session ids divide its activity; then only the cap divides further.
    use_ids_of_sources: bool


class Identity(_Frozen):
    """How far ids are believed when they say who somebody is."""

    owners_per_id_at_most: int = Field(ge=1, le=1000)
    ids_merged_per_customer_at_most: int = Field(ge=0, le=1000)
    # What trackers send in the place of an id, compared without regard to case.
    meaningless_ids: tuple[str, ...]

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, given: Any) -> Any:
        return _lowered_texts(given, "meaningless_ids")


class Exclusions(_Frozen):
    """Who is no customer: bots, and tests of our own people."""

    bot_activities_per_hour: int = Field(ge=2, le=1_000_000)
    bot_seconds_between_activities: float = Field(ge=0, le=3600)
    test_email_domains: tuple[str, ...]

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, given: Any) -> Any:
        return _lowered_texts(given, "test_email_domains")

    @model_validator(mode="after")
    def _domains_have_no_sign(self) -> Exclusions:
        wrong = [domain for domain in self.test_email_domains if "@" in domain or "." not in domain]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no domain; give what follows the @, such as example.com")
        return self


class Loading(_Frozen):
    """How long after it occurred an event may still be received and count."""

    lateness_limit_days: int = Field(ge=0, le=365)


class Waiting(_Frozen):
    """How long a scheduled review waits for the data of its week."""

    # From Monday 00:00 business time on; then the review goes on with what there is.
    hours_after_the_week: float = Field(default=17, ge=0, le=144)


class Churn(_Frozen):
    """What churn is, how far ahead it is foretold, and how its probability is told."""

    definition: Literal["inactivity", "cancellation"]
    horizon_days: int = Field(ge=7, le=365)
    # Piecewise-linear and increasing: [probability, score].
    score_anchors: tuple[tuple[Share, Score], ...] = Field(min_length=2)
    low_band_up_to_score: Score
    medium_band_up_to_score: Score

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, given: Any) -> Any:
        return _tuples(given, "score_anchors")

    @model_validator(mode="after")
    def _monotone(self) -> Churn:
        _check_anchors(self.score_anchors, rising=True)
        if (self.score_anchors[0], self.score_anchors[-1]) != ((0, 0), (1, 100)):
            raise ValueError("score_anchors go from [0.0, 0] to [1.0, 100]")
        if self.low_band_up_to_score >= self.medium_band_up_to_score:
            raise ValueError("low_band_up_to_score lies below medium_band_up_to_score")
        return self


class Stages(_Frozen):
    """The edges of the lifecycle stages."""

    churned_after_quiet_days: Days
    dormant_after_quiet_days: Days
    onboarding_up_to_tenure_days: Days
    adopting_up_to_tenure_days: Days
    at_risk_usage_change_share: float = Field(lt=0, ge=-1)
    at_risk_core_events_before: Count = Field(ge=1)
    power_user_rank_share: Share
    power_user_features: Count

    @model_validator(mode="after")
    def _in_order(self) -> Stages:
        if self.dormant_after_quiet_days >= self.churned_after_quiet_days:
            raise ValueError("dormant_after_quiet_days lies below churned_after_quiet_days")
        if self.onboarding_up_to_tenure_days >= self.adopting_up_to_tenure_days:
            raise ValueError("onboarding_up_to_tenure_days lies below adopting_up_to_tenure_days")
        return self


class Engagement(_Frozen):
    """The edges of the engagement levels."""

    disengaged_after_quiet_days: Days
    highly_engaged_active_days_28d: int = Field(ge=1, le=28)
    highly_engaged_features: Count
    moderately_engaged_features: Count


class HealthComponent(_Frozen):
    """One component of the health score: a column of the feature row, its weight and its anchors."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    column: str
    weight: float = Field(gt=0, le=100)
    # Piecewise-linear: [value of the column, 0-100].
    anchors: tuple[tuple[float, Score], ...] = Field(min_length=2)

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, given: Any) -> Any:
        return _tuples(given, "anchors")

    @model_validator(mode="after")
    def _monotone(self) -> HealthComponent:
        _check_anchors(self.anchors, rising=False)
        return self


class Health(_Frozen):
    """The components of the health score, and its bands."""

    observed_weight_minimum_share: Share
    high_touch_below_score: Score
    advocacy_above_score: Score
    components: tuple[HealthComponent, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("components"), list):
            given = {**given, "components": tuple(given["components"])}
        return given

    @model_validator(mode="after")
    def _weights_sum_to_100(self) -> Health:
        total = sum(component.weight for component in self.components)
        if abs(total - 100) > 1e-9:
            raise ValueError(f"the weights of the components sum to {total:g}; they have to sum to 100")
        if self.high_touch_below_score >= self.advocacy_above_score:
            raise ValueError("high_touch_below_score lies below advocacy_above_score")
        return self


class Clusters(_Frozen):
    """Between how many clusters the silhouette chooses."""

    smallest_count: int = Field(ge=2, le=20)
    largest_count: int = Field(ge=2, le=20)

    @model_validator(mode="after")
    def _in_order(self) -> Clusters:
        if self.smallest_count > self.largest_count:
            raise ValueError("smallest_count is at most largest_count")
        return self


class Training(_Frozen):
    """What models learn from."""

    history_weeks: int = Field(ge=8, le=520)
    sample_rows: Count = Field(ge=1000)
    judged_weeks: int = Field(ge=1, le=52)
    # More the models do not take.
    seed: int = Field(ge=0, le=2**32 - 1)


class Interventions(_Frozen):
    """What the teams can work."""

    capacity_per_owner_team: Count = Field(ge=1)
    # Used once lists are held against what happened; kept here so that a workspace states them.
    cooldown_days: int = Field(ge=0, le=3650)
    holdout_share: Share


class Segment(_Frozen):
    """A segment of the workspace's own: those whose feature row of the week meets the condition."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    # SQL over the columns of one feature row; pipeline/extension reads and tries it.
    condition: str = Field(min_length=1)

    @model_validator(mode="after")
    def _no_scheme(self) -> Segment:
        if self.name in SCHEMES:
            raise ValueError(f"{self.name} is a scheme of segments already; give another name")
        return self


class Marts(_Frozen):
    """How much history readers get."""

    history_weeks: int = Field(ge=1, le=520)


class Warehouse(_Frozen):
    """What the engine may use of the machine."""

    memory_limit_gigabytes: Gigabytes
    threads: int = Field(ge=1, le=256)
    # Where the engine puts what does not fit into memory: absolute, or below the workspace's data folder.
    spill_folder: str = Field(default="build/spill", min_length=1, pattern=r"^[^\x00]*$")
    # Without it the engine stops at nine tenths of what is free on that disk when it first spills.
    spill_gigabytes_at_most: Gigabytes | None = None


class Settings(_Frozen):
    """Everything that differs between two businesses."""

    title: str = Field(min_length=1)
    # Shown wherever numbers are shown; empty for real data.
    data_notice: str = ""
    customer: Literal["user", "account"]
    time_zone: TimeZoneName
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    sources: tuple[Source, ...] = Field(min_length=1)
    loading: Loading
    waiting: Waiting = Waiting()
    sessions: Sessions
    identity: Identity
    exclusions: Exclusions
    churn: Churn
    stages: Stages
    engagement: Engagement
    health: Health
    clusters: Clusters
    training: Training
    interventions: Interventions
    segments: tuple[Segment, ...] = ()
    marts: Marts
    warehouse: Warehouse

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {
            key: tuple(value) if key in ("sources", "segments") and isinstance(value, list) else value
            for key, value in given.items()
        }

    @model_validator(mode="after")
    def _names_differ(self) -> Settings:
        for kind, names in (
            ("sources", [source.name for source in self.sources]),
            ("segments", [segment.name for segment in self.segments]),
        ):
            if len(set(names)) != len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise ValueError(f"two {kind} have the name {twice!r}; give each its own")
        return self

    def load_hash(self) -> str:
        """Hash of what decides the content of raw: a change of it means reading landing again."""
        return _digest(self.model_dump(mode="json", include={"sources", "loading"}))

    def build_hash(self) -> str:
        """Hash of what decides, beside raw, the content of intermediate and features."""
        kept = self.model_dump(
            mode="json",
            include={
                "customer",
                "time_zone",
                "sessions",
                "identity",
                "exclusions",
                "stages",
                "engagement",
            },
        )
        return _digest([kept, self.churn.definition, self.churn.horizon_days])

    def segments_hash(self) -> str:
        """Hash of the own segments: a change of it means sorting all kept weeks anew."""
        return _digest([segment.model_dump() for segment in self.segments])

    def publication_hash(self) -> str:
        """Hash of what a publication depends on: all but how long is waited and what the engine may use."""
        return _digest(self.model_dump(mode="json", exclude={"waiting", "warehouse"}))


def read_settings(folder: Path) -> Settings:
    """Read and validate `review.toml` of a workspace folder.

    Raises SettingsError, naming file, key, value and what would be right.
    """
    path = folder / REVIEW_FILE
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SettingsError(
            f"{path} is missing; `vitals init NAME --from demo` makes a workspace that has one."
        ) from None
    except OSError as error:
        # Of the kind that stands for review.toml, in the words for all files.
        raise SettingsError(str(UnreadableError(path, error))) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{path} cannot be read as TOML: {error}.") from None
    except ValueError:
        raise SettingsError(f"{path} has a number of thousands of digits; give one that fits.") from None
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        raise SettingsError(_in_words(path, error)) from None


def _in_words(path: Path, error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    key = ".".join(str(part) for part in first["loc"]) or "the file"
    message = first["msg"].removeprefix("Value error, ")
    value = "" if first["type"] == "missing" else f" is {_short(first['input'])}"
    if first["type"] == "missing":
        message = "it is missing and has to be given"
    elif first["type"] == "extra_forbidden":
        message = "there is no such key; see the demo's review.toml for all keys"
    more = f" ({len(problems) - 1} more after this one)" if len(problems) > 1 else ""
    return f"{path}: {key}{value}: {message}.{more}"


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:
        # Python writes no number of so many digits.
        return "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."


def _tuples(given: Any, key: str) -> Any:
    if isinstance(given, dict) and isinstance(given.get(key), list):
        pairs = tuple(tuple(pair) if isinstance(pair, list) else pair for pair in given[key])
        return {**given, key: pairs}
    return given


def _lowered_texts(given: Any, key: str) -> Any:
    if isinstance(given, dict) and isinstance(given.get(key), list):
        texts = tuple(text.lower() if isinstance(text, str) else text for text in given[key])
        return {**given, key: texts}
    return given


def _check_anchors(anchors: tuple[tuple[float, float], ...], *, rising: bool) -> None:
    positions = [position for position, _ in anchors]
    scores = [score for _, score in anchors]
    if any(later <= earlier for earlier, later in pairwise(positions)):
        raise ValueError("the first numbers of the anchors have to rise")
    if rising and any(later < earlier for earlier, later in pairwise(scores)):
        raise ValueError("the scores of the anchors must not fall")


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> str:
    if isinstance(value, (date, Decimal)):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in settings")
