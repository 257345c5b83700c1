"""What the customers of a generated world do: one function for each habit, each with its own chance.

A habit draws from a random stream of its own, named after the world, the account and the habit. So a world
without one of its habits, or with one account less, is otherwise the same world, and a failing one shrinks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

DAY = 24 * 3600.0
# Waits between two events of a visit, in seconds: around the timeout of 30 minutes, and none at all.
WAITS = (0.0, 1.0, 40.0, 660.0, 1500.0, 1799.999, 1800.0, 1800.0, 1800.001, 2700.0)
FEATURE_EVENTS = (
    "dashboard_viewed",
    "task_completed",
    "search_run",
    "search_performed",
    "comment_posted",
    "report_created",
    "file_uploaded",
    "document_uploaded",
    "project_created",
    "export_run",
    "automation_run",
    "integration_connected",
)
PAGES = ("/home", "/help", "/pricing", "/shop", "/settings", "/compare", "/learn")
CHANNELS = ("email", "sms", "push", "in_app", "post", None)
TOPICS = ("planning", "reporting", "security", None)
COUPONS = ("SAVE15", "TEAM15", "PARTNER15")


@dataclass(frozen=True)
class Calendar:
    """The days of a world: day 0 is its first Monday, local dates of the business."""

    first_week: date
    weeks: int
    time_zone: str

    @property
    def days(self) -> int:
        return 7 * self.weeks

    def at(self, day: int, second: float) -> datetime:
        """The UTC moment that many seconds after the local midnight with which a day begins."""
        midnight = datetime.combine(
            self.first_week + timedelta(days=day), time(), tzinfo=ZoneInfo(self.time_zone)
        )
        # Milliseconds, as collectors send them.
        return midnight.astimezone(UTC) + timedelta(milliseconds=round(second * 1000))


@dataclass
class Person:
    """A user of an account, with what tells who it is at different times."""

    user_ids: list[tuple[int, str]]  # (from this day on, id), the first from the beginning
    account_ids: list[tuple[int, str | None]]  # the same for the account
    devices: list[str]
    logs_in_on: int  # before, only its device is known
    is_loose: bool  # whether single events leave out the account or the person

    def calls_itself(self, day: int, random: Random) -> dict[str, str | None]:
        """The ids on an event of a day."""
        user_id = next(name for since, name in reversed(self.user_ids) if since <= day)
        account_id = next(name for since, name in reversed(self.account_ids) if since <= day)
        device = random.choice(self.devices)
        if day < self.logs_in_on:
            return {"anonymousId": device, "userId": None, "groupId": None}
        left_out = random.choices(("", "account", "user", "device", "all"), (80, 6, 3, 6, 1))[0]
        if self.is_loose and left_out:
            return {
                "anonymousId": None if left_out in ("device", "all") else device,
                "userId": None if left_out in ("user", "all") else user_id,
                "groupId": None if left_out in ("account", "all") else account_id,
            }
        return {"anonymousId": device, "userId": user_id, "groupId": account_id}


@dataclass
class Diary:
    """The events of one account, as a collector would send them, without the time of receipt."""

    calendar: Calendar
    name: str
    people: list[Person]
    events: list[dict[str, Any]] = field(default_factory=list)

    def tell(
        self,
        random: Random,
        day: int,
        second: float,
        name: str,
        properties: dict[str, Any] | None = None,
        *,
        person: Person | None = None,
        from_server: bool = False,
        page: str | None = None,
        **members: Any,
    ) -> None:
        """Note one event, if its day lies in the world or before it."""
        if day >= self.calendar.days:
            return
        person = person or random.choice(self.people)
        ids = person.calls_itself(day, random)
        if from_server:
            ids["anonymousId"] = None
        kind = {"page_viewed": "page", "identify": "identify", "group": "group", "alias": "alias"}
        context = {
            "channel": "server" if from_server else random.choice(("web", "mobile")),
            "groupId": ids["groupId"],
            "os": None if from_server else {"name": random.choice(("Windows", "macOS", "iOS", "Android"))},
            "device": None if from_server else {"type": random.choice(("desktop", "mobile"))},
            "sessionId": f"{self.name}-visit-{day}",
            "page": {"path": page or random.choice(PAGES)} if page or random.random() < 0.3 else None,
            "campaign": {"source": "google", "medium": "cpc", "name": "brand"} if day % 9 == 0 else None,
        }
        event = {
            "messageId": f"{self.name}-{len(self.events)}",
            "type": kind.get(name, "track"),
            "event": None if name in kind else name,
            "userId": ids["userId"],
            "anonymousId": ids["anonymousId"],
            "timestamp": self.calendar.at(day, second),
            "context": {key: value for key, value in context.items() if value is not None},
            "properties": {key: value for key, value in (properties or {}).items() if value is not None},
            **members,
        }
        self.events.append({key: value for key, value in event.items() if value is not None})

    def visit(
        self, random: Random, day: int, second: float, events: int, person: Person | None = None
    ) -> None:
        """Some events of one person, one after the other."""
        person = person or random.choice(self.people)
        for _ in range(events):
            name = random.choice(FEATURE_EVENTS) if random.random() < 0.7 else "page_viewed"
            page = random.choice(PAGES) if name == "page_viewed" else None
            self.tell(random, day, second, name, person=person, page=page)
            second += random.choice(WAITS)


def uses(diary: Diary, random: Random) -> None:
    """Visits, in one of the ways in which customers use a product."""
    days = diary.calendar.days
    start = random.choice((0, 0, random.randrange(days)))
    way = random.choice(("daily", "weekly", "declining", "growing", "steady", "rare", "gone", "silent"))
    for day in range(start, days):
        age = (day - start) / days
        chance = {
            "daily": 0.8,
            "weekly": 0.25,
            "declining": 0.9 * max(0.0, 1 - 1.6 * age),
            "growing": 0.9 * age,
            "steady": float(day % 7 in (0, 3)),
            "rare": 0.04,
            "gone": 0.5 if age < 0.3 else 0.0,
            "silent": 0.0,
        }[way]
        if random.random() < chance:
            events = 2 if way == "steady" else random.choice((1, 1, 2, 4))
            diary.visit(random, day, random.randrange(86_400_000) / 1000, events)


def crosses_midnight(diary: Diary, random: Random) -> None:
    """Visits over midnights and ends of weeks, and events on the last and the first moment of a day."""
    for _ in range(random.randint(1, 4)):
        day = random.choice((6, random.randrange(7))) + 7 * random.randrange(diary.calendar.weeks)
        person = random.choice(diary.people)
        diary.visit(random, day, DAY - random.choice((1.0, 300.0, 1800.0, 3600.0)), 5, person)
        for second in (DAY - 0.001, DAY):
            # The moment of midnight belongs to the day that begins.
            diary.tell(random, day + int(second // DAY), second % DAY, "task_completed", person=person)


def changes_clocks(diary: Diary, random: Random) -> None:
    """Visits around the early hours of Sundays, in which clocks are changed."""
    for week in range(diary.calendar.weeks):
        if random.random() < 0.4:
            diary.visit(random, 7 * week + 6, random.choice((-1800.0, 3600.0, 7000.0, 10_000.0)), 4)


def never_sleeps(diary: Diary, random: Random) -> None:
    """A script that works more than a day without a pause."""
    day = random.choice((6, random.randrange(7))) + 7 * random.randrange(diary.calendar.weeks)
    person = random.choice(diary.people)
    for number in range(random.choice((49, 53, 100))):
        second = 3600.0 + 1800 * number
        diary.tell(random, day + int(second // DAY), second % DAY, "automation_run", person=person)


def is_a_bot(diary: Diary, random: Random) -> None:
    """A hundred and more pages in a few minutes, of a device that is a person's on other days."""
    if random.random() < 0.5:
        day, second = random.randrange(diary.calendar.days), random.choice((3600.0, 50_000.0))
        person, every = random.choice(diary.people), random.choice((0.5, 2.0, 3.0, 3.5))
        for number in range(random.choice((99, 100, 110))):
            diary.tell(random, day, second + every * number, "page_viewed", person=person, page="/pricing")


def was_here_before(diary: Diary, random: Random) -> None:
    """Visits and orders up to more than a year before, around the edges of the windows of 365 days."""
    for _ in range(random.randint(1, 6)):
        day = -random.choice((1, 30, 91, 270, 330, 357, 364, 365, 366, 371))
        diary.visit(random, day, random.randrange(80_000), 2)
        _order(diary, random, day)
    diary.tell(random, -random.randrange(400), 40_000.0, "channel_unsubscribed", {"message_channel": "email"})


def _order(diary: Diary, random: Random, day: int) -> None:
    second = random.randrange(86_400_000) / 1000
    products = [
        {"product_id": f"p{number}", "category": random.choice(("books", "toys", None)), "quantity": quantity}
        for number, quantity in enumerate(random.choices((1, 2, 0.5, None), k=random.randint(0, 3)))
    ]
    order = {
        "order_id": f"{diary.name}-order-{day}",
        # Few amounts, so that orders and customers are equal in what they are worth.
        "revenue": random.choice((20, 20, 49.9, 80)),
        "currency": "EUR",
        "discount": random.choice((None, 0, 2.5)),
        "coupon": random.choice((None, *COUPONS)),
        "payment_method": random.choice(("card", "invoice", None)),
        "products": [{key: value for key, value in item.items() if value is not None} for item in products],
    }
    for _ in range(random.choice((1, 1, 1, 2))):
        diary.tell(random, day, second, "order_completed", order)
    if random.random() < 0.25:
        refund = {"order_id": order["order_id"], "revenue": -random.choice((5, 20)), "currency": "EUR"}
        diary.tell(random, day + random.randint(0, 20), second, "order_refunded", refund, from_server=True)


def shops(diary: Diary, random: Random) -> None:
    """Carts, orders and refunds."""
    for _ in range(random.randint(0, 7)):
        day, second = random.randrange(diary.calendar.days), random.randrange(80_000)
        cart = {"cart_id": f"{diary.name}-cart-{day}", "value": 20, "products": [{"product_id": "p1"}]}
        steps = ("product_viewed", "product_added", "checkout_started", "payment_failed")
        for number, step in enumerate(steps[: random.randint(0, 4)]):
            diary.tell(random, day, second - 400.0 + 90 * number, step, cart)
        _order(diary, random, day)


def is_written_to(diary: Diary, random: Random) -> None:
    """Messages on all channels, with offers, sent twice, answered late, never, or before they were sent."""
    for number in range(random.randint(0, 16)):
        day, second = random.randrange(diary.calendar.days), random.randrange(86_400)
        message = {
            "message_id": random.choice((f"{diary.name}-m{number}",) * 9 + (None,)),
            "message_channel": random.choice(CHANNELS),
            "campaign_id": f"campaign-{number % 3}",
            "topic": random.choice(TOPICS),
            "coupon": random.choice((None, None, *COUPONS)),
            "offer_id": random.choice((None, None, f"offer-{number}")),
        }
        diary.tell(random, day, second, "message_sent", message, from_server=True)
        if random.random() < 0.15:
            diary.tell(random, day + random.randint(0, 9), second, "message_sent", message, from_server=True)
        if (message["offer_id"] or message["coupon"]) and random.random() < 0.5:
            redemption = {key: message[key] for key in ("offer_id", "coupon")}
            redeemed_on = day + random.choice((-1, 0, 0, 3, 40))
            diary.tell(random, redeemed_on, second, "coupon_redeemed", redemption, from_server=True)
        for name, chance in (("message_opened", 0.6), ("message_clicked", 0.4)):
            if random.random() < chance:
                after = random.choice((-1, 0.2, 3, 30, 80, 200)) * 3600 + second
                diary.tell(random, day + int(after // DAY), after % DAY, name, message)


def consents(diary: Diary, random: Random) -> None:
    """Consents given, withdrawn and given again, some at the very same moment."""
    for channel in CHANNELS:
        for _ in range(random.randint(0, 3)):
            day, second = random.randrange(diary.calendar.days), random.choice((30_000.0, 60_000.0))
            name = random.choice(("channel_subscribed", "channel_unsubscribed"))
            reason = random.choice((None, "too_many", "not_relevant"))
            diary.tell(random, day, second, name, {"message_channel": channel, "reason": reason})


def asks_for_help(diary: Diary, random: Random) -> None:
    """Tickets with a mood, closed or not, and what customers answer when asked how it was."""
    for number in range(random.randint(0, 5)):
        day, second = random.randrange(diary.calendar.days), random.randrange(86_400)
        ticket = {"ticket_id": random.choice((f"{diary.name}-t{number}",) * 9 + (None,))}
        mood = {"sentiment": random.choice((None, -1, -0.55, 0, 0.3, 1)), "topic": "billing"}
        diary.tell(random, day, second, "ticket_opened", ticket | mood)
        for _ in range(random.choice((0, 1, 1, 2))):
            closed = day + random.choice((0, 0, 1, 6, 30))
            diary.tell(random, closed, min(second + 5000, DAY - 1), "ticket_closed", ticket, from_server=True)
            if random.random() < 0.7:
                score = {"score": random.choice((1, 3, 5, "great"))}
                diary.tell(random, closed + 1, second, "csat_answered", ticket | score)
    for _ in range(random.randint(0, 2)):
        score = {"score": random.choice((0, 6, 9, 10, None, "ten"))}
        diary.tell(random, random.randrange(diary.calendar.days), 50_000.0, "nps_answered", score)


def subscribes(diary: Diary, random: Random) -> None:
    """Plans that start, change, are renewed, end and begin again; trials."""
    day = random.randrange(diary.calendar.days)
    for number in range(random.randint(1, 7)):
        name = (
            "started"
            if number == 0
            else random.choice(("upgraded", "downgraded", "renewed", "cancelled", "started"))
        )
        until = str(diary.calendar.first_week + timedelta(days=day + random.choice((10, 30, 365))))
        plan = {
            "plan": random.choice(("starter", "team", "business", None)),
            "mrr": random.choice((49, 99.5, 0, None)),
            "seats": random.choice((3, 12, None)),
            "limit_used_share": random.choice((0.1, 0.75, 1.2, None)),
            "reason": "too_expensive" if name == "cancelled" else None,
            "renewal_date": until,
            "renews_on": until,
            "renews_at": f"{until}T00:00:00Z",
        }
        diary.tell(
            random, day, random.choice((0.0, 40_000.0)), f"subscription_{name}", plan, from_server=True
        )
        day += random.choice((0, 1, 9, 35))
    trial = {"plan": "business", "trial_days": 14}
    day = random.randrange(diary.calendar.days)
    diary.tell(random, day, 100.0, "trial_started", trial, from_server=True)
    diary.tell(random, day + 14, 100.0, "trial_ended", trial, from_server=True)


def works_in_a_team(diary: Diary, random: Random) -> None:
    """Invitations, and people who join and leave."""
    for number in range(random.randint(0, 6)):
        day = random.randrange(diary.calendar.days)
        member = {"member_id": f"{diary.name}-member-{number % 3}"}
        diary.tell(random, day, 30_000.0, "team_member_invited", member)
        diary.tell(
            random, day + random.choice((0, 2)), 40_000.0, "team_member_joined", member, from_server=True
        )
        if random.random() < 0.4:
            day += random.choice((2, 20))
            diary.tell(random, day, 50_000.0, "team_member_removed", member, from_server=True)


def takes_first_steps(diary: Diary, random: Random) -> None:
    """The way in, with some of its steps left out, repeated or out of order."""
    day = random.randrange(diary.calendar.days)
    steps = ["signed_up", "email_verified", "profile_completed", "tour_started", "tour_completed"]
    steps += ["template_previewed", "team_member_invited", "project_created", "task_completed"]
    if random.random() < 0.4:
        random.shuffle(steps)
    chance = random.choice((0.6, 1.0))
    for step in steps:
        if random.random() < chance:
            diary.tell(random, day, random.randrange(80_000), step)
            day += random.choice((0, 0, 1, 4))


def reads(diary: Diary, random: Random) -> None:
    """Content, comparisons, things shared, pages of help and prices, and errors on the way."""
    for _ in range(random.randint(0, 12)):
        day, second = random.randrange(diary.calendar.days), random.randrange(86_400)
        topic = {"topic": random.choice(TOPICS), "content_topic": random.choice(TOPICS)}
        diary.tell(
            random, day, second, random.choice(("content_viewed", "content_viewed", "item_shared")), topic
        )
        diary.tell(
            random, day, second + 60, "page_viewed", page=random.choice(("/help", "/pricing", "/help/x"))
        )
        if random.random() < 0.4:
            diary.tell(random, day, second + 90, "comparison_searched", {"query": "us or them"})
        if random.random() < 0.4:
            diary.tell(random, day, second + 95, "error_shown", {"code": "timeout"})
            diary.tell(random, day, second + 99, "comment_posted")


def introduces_itself(diary: Diary, random: Random) -> None:
    """Calls that say who is who: of the first login, of later ones, of the account."""
    for person in diary.people:
        for day in (person.logs_in_on, random.randrange(diary.calendar.days)):
            if day < diary.calendar.days:
                domain = random.choice(("example.org",) * 7 + ("internal.vitals-demo.example",))
                traits = {"role": "admin", "email_domain": domain}
                diary.tell(random, max(day, 0), 20_000.0, "identify", person=person, traits=traits)
                traits = {"industry": "retail", "is_test": random.random() < 0.1}
                diary.tell(random, max(day, 0), 20_001.0, "group", person=person, traits=traits)


def renames_itself(diary: Diary, random: Random) -> None:
    """Aliases: an old id and its new one, chains, oneself, circles, and ids that nobody else uses."""
    for person in diary.people:
        ids = [name for _, name in person.user_ids]
        days = [since for since, _ in person.user_ids]
        for before, after, day in zip(ids, ids[1:], days[1:], strict=False):
            at = max(day + random.choice((0, 0, 0, 2)), 0)
            diary.tell(random, at, 30_000.0, "alias", {"previous_id": before}, person=person, userId=after)
            if random.random() < 0.2:
                diary.tell(random, at + 1, 9.0, "alias", {"previous_id": after}, person=person, userId=before)
        odd = random.choice((None, ids[0], person.devices[0], f"{diary.name}-unheard-of"))
        if odd is not None:
            day = random.randrange(diary.calendar.days)
            diary.tell(random, day, 10_000.0, "alias", {"previous_id": odd}, person=person, userId=ids[-1])


def sends_noise(diary: Diary, random: Random) -> None:
    """What no taxonomy lists."""
    for _ in range(random.randint(0, 5)):
        name = random.choice(("debug_ping", "beta_widget_opened", "experiment_viewed"))
        variant = {"experiment_id": "e1", "variant": random.choice(("a", "b"))}
        diary.tell(random, random.randrange(diary.calendar.days), random.randrange(86_400), name, variant)


HABITS: dict[str, Callable[[Diary, Random], None]] = {
    habit.__name__: habit
    for habit in (
        uses,
        crosses_midnight,
        changes_clocks,
        never_sleeps,
        is_a_bot,
        was_here_before,
        shops,
        is_written_to,
        consents,
        asks_for_help,
        subscribes,
        works_in_a_team,
        takes_first_steps,
        reads,
        introduces_itself,
        renames_itself,
        sends_noise,
    )
}
