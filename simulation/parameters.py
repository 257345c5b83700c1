"""Every number that is planted in the demo world, with its reason: the one place to look it up.

Rates are per account and week unless the name says otherwise. Shares are 0-1, money is in euro cents.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ARCHETYPES = ("new", "power", "casual", "declining", "dormant", "cancelled")
NEW, POWER, CASUAL, DECLINING, DORMANT, CANCELLED = range(len(ARCHETYPES))


@dataclass(frozen=True)
class ArrivalNumbers:
    """Who the accounts are, and when they sign up."""

    share_known_at_start: float = 0.32  # a business with a past, so that its first week is not empty
    weekly_growth: float = 0.012  # sign-ups more than double in 78 weeks, as a young business would hope
    # Archetypes of the accounts known at the start, in the order of ARCHETYPES.
    archetypes_at_start: tuple[float, ...] = (0.07, 0.13, 0.60, 0.11, 0.09, 0.0)
    oldest_days: int = 3 * 365  # the business is three years old when its world begins
    team_tail: float = 1.15  # Pareto exponent of the team size: most have 1-5 people, a few many
    team_scale: float = 1.3  # with the tail above: half of the teams have one or two people
    team_share_at_start: float = 0.85  # of the wanted people are there already
    team_largest: int = 30  # larger companies buy from the sales team, not from the website
    fit_by_team_size: float = 0.5  # larger teams find more use: correlation of fit and size (logarithm)
    habit_spread: float = 0.40  # of the logarithm: casual accounts differ by a factor of about two
    preference_shape: float = 1.5  # of a gamma with mean 1: each account has its own favourite features
    price_sensitivity_shapes: tuple[float, float] = (1.3, 2.0)  # of a beta: most are a little sensitive
    satisfaction_by_fit: float = 0.4  # who is suited, is pleased
    satisfaction_spread: float = 0.7  # together: about the spread that the weekly process keeps up


@dataclass(frozen=True)
class ArchetypeNumbers:
    """The weekly Markov process between archetypes; what is missing to 1 is the chance to stay."""

    # rows: from new, power, casual, declining, dormant; columns: to the same five
    transitions: tuple[tuple[float, ...], ...] = (
        (0.0, 0.020, 0.096, 0.018, 0.014),  # new: about seven weeks to find its way
        (0.0, 0.0, 0.011, 0.013, 0.0),  # power: stays for most of a year
        (0.0, 0.0038, 0.0, 0.034, 0.002),  # casual: the large middle, leaks slowly
        (0.0, 0.0, 0.060, 0.0, 0.090),  # declining: one in three recovers, the others go quiet
        (0.0, 0.0, 0.05, 0.0, 0.0),  # dormant: a few come back
    )
    fit_effect: float = 0.8  # e-fold of the way to power per standard deviation of the product's fit
    satisfaction_effect: float = 0.6  # e-fold of the way into decline per lost point of satisfaction
    satisfaction_memory: float = 0.93  # per week: a bad experience is half forgotten in ten weeks
    satisfaction_noise: float = 0.30  # with the memory above: a standard deviation of about 0.8
    satisfaction_drift_declining: float = -0.09  # decline is felt by the people, not only counted


@dataclass(frozen=True)
class UsageNumbers:
    """When people come, for how long, and what they do."""

    # chance of activity on a Tuesday; decline starts from the level of the archetype that it came from
    daily_probability: tuple[float, ...] = (0.30, 0.97, 0.245, 0.0, 0.003, 0.0008)
    daily_probability_largest: float = 0.975  # people fall ill
    # Monday to Sunday: the working week peaks from Tuesday to Thursday
    weekday_weights: tuple[float, ...] = (0.93, 1.0, 1.0, 0.99, 0.87, 0.24, 0.20)
    weekend_weight_power: float = 0.42  # who depends on it, opens it on a Saturday
    weekly_variation: float = 0.25  # of the logarithm: holidays, deadlines
    decline_per_week: float = 0.80  # half of the usage is gone after three weeks
    extra_sessions_per_day: float = 0.10  # on an active day, of an account with one person
    extra_sessions_per_member: float = 0.05  # … and for each further person
    events_per_session: tuple[float, ...] = (3.0, 3.1, 2.6, 2.5, 2.0, 1.5)  # means, by archetype
    gap_median_seconds: float = 42.0  # people read between two clicks
    gap_spread: float = 1.1  # of the logarithm: seconds to minutes
    gap_largest_seconds: float = 1500.0  # below the usual session timeout of 30 minutes
    entry_page_share: float = 0.5  # of the sessions start on a page; the others come by a deep link
    page_view_share: float = 0.12  # of the events after the first
    referrer_share: float = 0.15  # of the sessions: the others come by bookmark
    campaign_share: float = 0.03  # of the sessions: customers seldom click on an advertisement
    phone_share: float = 0.13  # of the sessions; work happens at a desk
    member_skew: float = 1.6  # the owner and the first members are the busiest
    # peaks of the day: (share, hour, spread in hours), local time; nobody starts from 2 to 5 at night
    day_peaks: tuple[tuple[float, float, float], ...] = (
        (0.46, 10.2, 1.3),
        (0.43, 14.8, 1.7),
        (0.11, 21.3, 2.0),
    )
    day_opens_hour: float = 5.0
    day_closes_hour: float = 26.0  # 2 at night belongs to the evening before


@dataclass(frozen=True)
class HazardNumbers:
    """The weekly chance to cancel: a logistic function of what can be seen, and of what cannot."""

    intercept: float = -7.0  # gives cancellations by about 5 % of the accounts in 28 days
    usage_fall: float = 3.5  # times 1 - (core events of 4 weeks over those of the 8 before), 0-1
    quiet_week: float = 0.30  # for each week without activity
    most_quiet_weeks: int = 6  # after that, who forgot us has forgotten the contract too
    bad_ticket: float = 0.90  # for each ticket of bad sentiment, fading with time
    most_bad_tickets: float = 3.0  # more do not make it worse
    bad_ticket_memory: float = 0.85  # per week: half forgotten after a month
    starter_plan: float = 0.35  # the smallest plan is the easiest to leave
    young_account: float = 0.30  # in its first weeks a subscription is a trial
    young_weeks: int = 13  # a quarter
    shortest_history_weeks: int = 6  # younger accounts have nothing to fall from
    frailty_spread: float = 0.45  # unobserved, stays with the account: budgets, competitors
    noise_spread: float = 0.35  # unobserved, new every week
    resubscribe_rate: float = 0.004  # of the accounts that left not long ago
    return_within_weeks: int = 26  # half a year: later they have found something else


@dataclass(frozen=True)
class SubscriptionNumbers:
    """Plans and the way between them. There is no free plan."""

    team_sizes_of_plans: tuple[int, ...] = (1, 5, 12)  # from which size on each plan is bought
    larger_plan_share: float = 0.2  # take the next larger one for its features
    seats_margin: float = 1.25  # seats bought over people there
    actions_per_seat_28d: float = 60.0  # core events that a seat of the starter plan includes
    upgrade_rate: float = 0.0012  # without any pressure
    upgrade_rate_at_limit: float = 0.045  # at the limit of the plan
    upgrade_pressure_from: float = 0.75  # share of the limit from which on it is felt
    downgrade_rate: float = 0.0015
    downgrade_rate_declining: float = 0.010  # those who use less try to pay less


@dataclass(frozen=True)
class TeamNumbers:
    """Invitations, and people who leave."""

    invite_rate: float = 0.16  # for each person who is missing from the team
    accept_share: float = 0.85
    hours_to_join_mean: float = 3.0  # most read their mail on the same day
    removal_rate: float = 0.002  # for each member
    removal_rate_declining: float = 0.02


@dataclass(frozen=True)
class CommerceNumbers:
    """The shop beside the software."""

    buyer_share: float = 0.42  # the others never order
    order_rate_median: float = 0.11  # of a buyer in a week of use: about an order in a quarter
    order_rate_spread: float = 0.9  # of the logarithm: some order every week
    further_lines: float = 0.9  # Poisson mean of the lines of a basket after the first
    further_quantity: float = 0.35  # Poisson mean, times the square root of the team
    offer_every_weeks: int = 6  # a coupon by mail
    offer_lift: float = 0.8  # more orders of a fully price-sensitive buyer in such a week
    coupon_share_in_offer: float = 0.75  # … of a fully price-sensitive buyer
    coupon_share_otherwise: float = 0.06
    discount_share: float = 0.15  # of the gross value
    refund_share: float = 0.04
    refund_full_share: float = 0.7  # the others give back half
    refund_days_largest: float = 21.0
    other_payment_share: float = 0.12  # orders not paid by the usual method


@dataclass(frozen=True)
class SupportNumbers:
    """Tickets and the satisfaction survey, which follow what happened to the customer."""

    ticket_rate: float = 0.022  # of accounts with a session in the week
    ticket_rate_declining: float = 0.075  # who struggles, writes
    sentiment_per_satisfaction: float = 0.28
    sentiment_offset: float = 0.12
    sentiment_offset_declining: float = -0.30
    sentiment_spread: float = 0.33
    bad_sentiment_below: float = -0.25  # from here on a ticket weighs on the chance to cancel
    hours_to_close_median: float = 20.0
    hours_to_close_spread: float = 1.0  # of the logarithm
    never_closed_share: float = 0.03
    answer_rate: float = 0.022  # of the survey, for accounts with a session: about one a year
    score_center: float = 7.4
    score_per_satisfaction: float = 1.5
    score_spread: float = 1.3


@dataclass(frozen=True)
class DeliveryNumbers:
    """How events reach the collector: mostly at once, sometimes twice, sometimes much later."""

    latency_median_seconds: float = 0.4
    latency_spread: float = 0.9  # of the logarithm
    late_share_computer: float = 0.007  # of the sessions; together about 1 % of the events
    late_share_phone: float = 0.03  # phones lose their network
    late_shares: tuple[float, ...] = (0.74, 0.23, 0.03)  # hours, days, weeks
    late_hours_mean: float = 6.0
    late_days_range: tuple[float, float] = (1.0, 10.0)
    late_weeks_range: tuple[float, float] = (2.1, 5.0)  # beyond the lateness limit of the demo
    duplicate_share: float = 0.005  # a sender that got no answer sends again
    duplicate_soon_share: float = 0.85  # after seconds; the others after hours
    duplicate_seconds_mean: float = 30.0
    duplicate_hours_mean: float = 20.0


@dataclass(frozen=True)
class WorldParameters:
    """Size, seed and place of a world, and its planted numbers.

    Raises ValueError, in words, for a size below 1, a seed below 0, a first week that does not start on
    a Monday, or an unknown time zone.
    """

    customers: int
    weeks: int
    seed: int
    first_week: date = date(2024, 7, 1)  # 78 weeks from here end with the year 2025
    time_zone: str = "Europe/Berlin"
    currency: str = "EUR"
    arrival: ArrivalNumbers = field(default_factory=ArrivalNumbers)
    archetype: ArchetypeNumbers = field(default_factory=ArchetypeNumbers)
    usage: UsageNumbers = field(default_factory=UsageNumbers)
    hazard: HazardNumbers = field(default_factory=HazardNumbers)
    subscription: SubscriptionNumbers = field(default_factory=SubscriptionNumbers)
    team: TeamNumbers = field(default_factory=TeamNumbers)
    commerce: CommerceNumbers = field(default_factory=CommerceNumbers)
    support: SupportNumbers = field(default_factory=SupportNumbers)
    delivery: DeliveryNumbers = field(default_factory=DeliveryNumbers)

    def __post_init__(self) -> None:
        for name in ("customers", "weeks"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} has to be 1 or more, not {getattr(self, name)}")
        if self.seed < 0:
            raise ValueError(f"seed has to be 0 or more, not {self.seed}")
        if self.first_week.weekday() != 0:
            raise ValueError(f"first_week has to be a Monday; {self.first_week} is a {self.first_week:%A}")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(
                f"time_zone has to be a zone of the IANA database, such as Europe/Berlin, "
                f"not {self.time_zone!r}"
            ) from error
