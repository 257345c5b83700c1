"""Every number that is planted in the demo world, with its reason: the one place to look it up.

Rates are per account and week unless the name says otherwise. Shares are 0-1, money is in euro cents.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ARCHETYPES = ("new", "power", "casual", "declining", "dormant", "seasonal", "cancelled")
NEW, POWER, CASUAL, DECLINING, DORMANT, SEASONAL, CANCELLED = range(len(ARCHETYPES))


@dataclass(frozen=True)
class ArrivalNumbers:
    """Who the accounts are, and when they sign up."""

    share_known_at_start: float = 0.32  # a business with a past, so that its first week is not empty
    weekly_growth: float = 0.012  # sign-ups more than double in 78 weeks, as a young business would hope
    # Archetypes of the accounts known at the start, in the order of ARCHETYPES.
    archetypes_at_start: tuple[float, ...] = (0.07, 0.13, 0.54, 0.11, 0.09, 0.06, 0.0)
    test_share: float = 0.002  # accounts of our own people, who try things out
    # Where accounts live (their clocks, not the language of the business): zone and share. The first is the
    # time zone of the business itself, whatever it is.
    zones: tuple[tuple[str, float], ...] = (
        ("business", 0.50),
        ("Europe/London", 0.16),
        ("America/New_York", 0.20),
        ("America/Los_Angeles", 0.06),
        ("Asia/Singapore", 0.08),
    )
    oldest_days: int = 3 * 365  # the business is three years old when its world begins
    team_tail: float = 1.15  # Pareto exponent of the team size: most have 1-5 people, a few many
    team_scale: float = 1.3  # with the tail above: half of the teams have one or two people
    team_share_at_start: float = 0.85  # of the wanted people are there already
    team_largest: int = 30  # larger companies buy from the sales team, not from the website
    fit_by_team_size: float = 0.5  # larger teams find more use: correlation of fit and size (logarithm)
    habit_spread: float = 0.40  # of the logarithm: casual accounts differ by a factor of about two
    preference_shape: float = 1.5  # of a gamma with mean 1: each account has its own favourite features
    satisfaction_by_fit: float = 0.4  # who is suited, is pleased
    satisfaction_spread: float = 0.7  # together: about the spread that the weekly process keeps up


@dataclass(frozen=True)
class ArchetypeNumbers:
    """The weekly Markov process between archetypes; what is missing to 1 is the chance to stay."""

    # rows: from new, power, casual, declining, dormant, seasonal; columns: to the same six
    transitions: tuple[tuple[float, ...], ...] = (
        (0.0, 0.0165, 0.0895, 0.018, 0.014, 0.012),  # new: about seven weeks to find its way
        (0.0, 0.0, 0.011, 0.013, 0.0, 0.0),  # power: stays for most of a year
        (0.0, 0.0032, 0.0, 0.034, 0.002, 0.0005),  # casual: the large middle, leaks slowly
        (0.0, 0.0, 0.060, 0.0, 0.090, 0.0),  # declining: one in three recovers, the others go quiet
        (0.0, 0.0, 0.05, 0.0, 0.0, 0.0),  # dormant: a few come back
        (0.0, 0.0, 0.006, 0.010, 0.004, 0.0),  # seasonal: comes with its quarter, for years
    )
    # e-fold of the way from new into decline or silence, without and with activation
    activation_effects: tuple[float, float] = (0.5, -0.5)
    fit_effect: float = 0.8  # e-fold of the way to power per standard deviation of the product's fit
    satisfaction_effect: float = 0.6  # e-fold of the way into decline per lost point of satisfaction
    satisfaction_memory: float = 0.93  # per week: a bad experience is half forgotten in ten weeks
    satisfaction_noise: float = 0.30  # with the memory above: a standard deviation of about 0.8
    satisfaction_drift_declining: float = -0.09  # decline is felt by the people, not only counted
    satisfaction_by_errors: float = -0.20  # per unit of log(1 + errors of the week)


@dataclass(frozen=True)
class UsageNumbers:
    """When people come, for how long, and what they do."""

    # chance of activity on a Tuesday; decline starts from the level of the archetype that it came from
    daily_probability: tuple[float, ...] = (0.30, 0.97, 0.245, 0.0, 0.003, 0.06, 0.0008)
    daily_probability_in_season: float = 0.38  # of seasonal accounts, one month in three
    daily_probability_largest: float = 0.975  # people fall ill
    # Monday to Sunday: the working week peaks from Tuesday to Thursday
    weekday_weights: tuple[float, ...] = (0.93, 1.0, 1.0, 0.99, 0.87, 0.24, 0.20)
    weekend_weight_power: float = 0.42  # who depends on it, opens it on a Saturday
    weekly_variation: float = 0.25  # of the logarithm: holidays, deadlines
    decline_per_week: float = 0.80  # half of the usage is gone after three weeks
    extra_sessions_per_day: float = 0.10  # on an active day, of an account with one person
    extra_sessions_per_member: float = 0.05  # … and for each further person
    burst_hours_mean: float = 1.6  # the further sessions of a day come in the hours after its first …
    burst_largest: int = 6  # … unless there are more of them than a burst holds
    events_per_session: tuple[float, ...] = (3.0, 3.1, 2.6, 2.5, 2.0, 3.2, 1.5)  # means, by archetype
    events_per_session_largest: int = 60
    gap_median_seconds: float = 42.0  # people read between two clicks
    gap_spread: float = 1.1  # of the logarithm: seconds to minutes
    gap_largest_seconds: float = 1500.0  # below the usual session timeout of 30 minutes
    longest_session_seconds: float = 7200.0  # then people go home
    # between two sessions on one machine, from the last event of usage on: the usual timeout of 30 minutes,
    # and room for what may still follow in the session
    pause_smallest_seconds: float = 3000.0
    entry_page_share: float = 0.5  # of the sessions start on a page; the others come by a deep link
    page_view_share: float = 0.12  # of the events after the first
    content_share: float = 0.02  # of the events are articles and courses,
    sharing_share: float = 0.008  # … things shown to others,
    comparison_share: float = 0.0015  # … searches for how we compare with others
    pricing_share: float = 0.012  # of the pages are our prices …
    pricing_share_declining: float = 0.12  # … to those who think about leaving
    error_share: float = 0.006  # of the events end in an error …
    error_share_bad_week: float = 0.22  # … where something is broken
    bad_week_rate: float = 0.02  # of the accounts, per week
    unlisted_share: float = 0.004  # of the events bring one along that no taxonomy lists
    referrer_share: float = 0.15  # of the sessions: the others come by bookmark
    campaign_share: float = 0.03  # of the sessions: customers seldom click on an advertisement
    phone_share: float = 0.13  # of the sessions; work happens at a desk
    home_computer_share: float = 0.30  # of the people have one more computer …
    home_computer_use: float = 0.20  # … and sit there in this share of their sessions at a computer
    shared_computer_share: float = 0.04  # of the people have no computer of their own: the owner's serves
    forgetful_share: float = 0.30  # of the machines delete their cookies now and then, and get a new id …
    forgetful_weeks: tuple[int, int] = (6, 30)  # … every so many weeks
    id_change_share: float = 0.01  # of the owners get another user id once (a new mail address)
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
class SeasonNumbers:
    """Factors on usage by the calendar, on top of the weekday."""

    month_start_days: int = 3
    month_start: float = 1.14  # last month's numbers are wanted
    quarter_end_days: int = 7
    quarter_end: float = 1.22  # plans are due
    summer: tuple[tuple[int, int], tuple[int, int]] = ((7, 8), (8, 31))
    summer_factor: float = 0.84  # a sixth of the people is away
    autumn_months: tuple[int, ...] = (10, 11)
    autumn_factor: float = 1.08  # the busiest time of offices
    holidays: tuple[tuple[int, int], tuple[int, int]] = ((12, 23), (1, 2))
    holidays_factor: float = 0.35  # hardly anyone works between the years
    quiet_below: float = 0.6  # mean factor of a week in which silence says nothing about a customer


@dataclass(frozen=True)
class HazardNumbers:
    """The weekly decision to cancel: a logistic function of what can be seen, and of what cannot.

    Who decides at the end of a week stays until the paid month is over: the subscription ends
    `notice_weeks` later. So the chance of an end within the next four weeks follows from what has been seen
    already, and is known exactly once the unobserved part is integrated out.
    """

    notice_weeks: int = 4
    intercept: float = -7.05  # gives cancellations by about 5 % of the accounts in 28 days
    usage_fall: float = 3.4  # times 1 - (core events of 4 weeks over those of the 8 before), 0-1
    quiet_week: float = 0.30  # for each week without activity
    most_quiet_weeks: int = 6  # after that, who forgot us has forgotten the contract too
    bad_ticket: float = 0.90  # for each ticket of bad sentiment, fading with time
    most_bad_tickets: float = 3.0  # more do not make it worse
    errors: float = 0.45  # times log(1 + errors seen, fading)
    pricing_views: float = 0.45  # for each look at the prices, fading
    most_pricing_views: float = 3.0
    removed_member: float = 0.55  # for each person who left the team, fading
    most_removed_members: float = 3.0
    memory: float = 0.85  # of the fading counts, per week: half forgotten after a month
    starter_plan: float = 0.35  # the smallest plan is the easiest to leave
    young_account: float = 0.30  # in its first weeks a subscription is a trial
    young_weeks: int = 13  # a quarter
    shortest_history_weeks: int = 6  # younger accounts have nothing to fall from
    frailty_spread: float = 0.45  # unobserved, stays with the account: budgets, competitors
    noise_spread: float = 0.35  # unobserved, new every week
    resubscribe_rate: float = 0.004  # of the accounts that left not long ago
    return_within_weeks: int = 26  # half a year: later they have found something else


@dataclass(frozen=True)
class VisitNumbers:
    """People who have not said who they are, and programs that pretend to be people."""

    visits_before_sign_up: float = 1.3  # Poisson mean of the visits in the weeks before
    days_between_mean: float = 4.0  # between these visits
    looks_before_signing_up: float = 0.6  # share whose first session begins with public pages
    strangers_per_account: float = 0.05  # visits in a week of people who never sign up
    pages_mean: float = 2.4
    bots_per_account: float = 0.0001  # scraping bots in a week
    bot_pages: tuple[int, int] = (200, 600)
    bot_seconds: tuple[float, float] = (1.0, 2.5)  # between two pages, always the same


@dataclass(frozen=True)
class AnomalyNumbers:
    """Weeks in which an account does what it never did. Rates per steady account and week."""

    steady_core_events: float = 4.0  # in an average week of the last twelve
    drop_rate: float = 0.0015
    drop_factor: float = 0.02  # of the usual chance of an active day
    spike_rate: float = 0.0010
    spike_factor: int = 10  # times the sessions
    pattern_break_rate: float = 0.0010
    pattern_break_hours: float = 11.0  # the day becomes the night
    outlier_rate: float = 0.0006
    outlier_events: tuple[int, int] = (40, 90)  # exports in one session, by a person
    script_rate: float = 0.0003
    script_events: tuple[int, int] = (150, 400)  # exports in one session, by a script …
    script_seconds: float = 1.5  # … with the same pause between any two


@dataclass(frozen=True)
class SubscriptionNumbers:
    """Plans and the way between them. There is no free plan."""

    term_days: int = 364  # a year of whole weeks; renews by itself, and may be cancelled at any time
    team_sizes_of_plans: tuple[int, ...] = (1, 5, 12)  # from which size on each plan is bought
    larger_plan_share: float = 0.2  # take the next larger one for its features
    seats_per_wanted_person: tuple[float, float] = (0.95, 1.8)  # bought at first: some plan too small
    seats_margin: float = 1.25  # seats over people there, after an upgrade
    actions_per_seat_28d: float = 30.0  # core events that a seat of the starter plan includes: many for one
    # The chance to upgrade is logistic: the odds of upgrade_rate times three separate factors.
    upgrade_rate: float = 0.0007  # without any reason; with the factors about 1.5 in 1,000
    upgrade_odds_at_limit: float = 60.0  # where the limit of the plan is reached: 4 % a week
    upgrade_pressure_from: float = 0.75  # share of the limit from which on it is felt, growing to the limit
    upgrade_odds_in_trial: float = 60.0  # in each of the weeks below: about one trial in ten is bought
    trial_felt_weeks: int = 3  # after the one in which it begins: the days of the trial and a week of regret
    upgrade_odds_of_growth: float = 8.0  # of a team in which all have joined in the last four weeks
    smallest_cause: float = 2.0  # what does not even double the odds is not called the cause of an upgrade
    trial_rate: float = 0.008  # of the next larger plan, at most: only who works with it gets curious …
    trial_half_core_events: float = 5.0  # … half of that with these core events in the week before
    trial_days: int = 14
    trial_pause_weeks: int = 26  # before we offer the next one
    downgrade_rate: float = 0.0015
    downgrade_rate_declining: float = 0.010  # those who use less try to pay less


@dataclass(frozen=True)
class TeamNumbers:
    """Invitations, and people who leave."""

    invite_rate: float = 0.16  # for each person who is missing from the team, after the week of the sign-up
    first_invite_share: float = 0.5  # of the missing people, by those who invite in their first session
    accept_share: float = 0.85
    hours_to_join_mean: float = 3.0  # most read their mail on the same day
    removal_rate: float = 0.002  # for each member
    removal_rate_declining: float = 0.02
    admin_share: float = 0.12  # of the people who join after the owner
    guest_share: float = 0.10
    company_largest_factor: float = 60.0  # employees over people wanted in the team, log-uniform from 1 on


@dataclass(frozen=True)
class ActivationNumbers:
    """The first steps after the sign-up, and what they do to the return on the next day.

    Shares of accounts that sign up. The odds to return are those of return_base times the factors; nothing
    else moves them, neither the other steps nor the decoys.
    """

    verifies: float = 0.86  # the others' mail went to a folder that nobody reads
    completes_profile: float = 0.70  # of those who verified; nobody else can
    invites: float = 0.42  # of those with a profile
    invites_without_profile: float = 0.14
    creates_project: float = 0.66  # of those who verified
    creates_project_unverified: float = 0.25
    uses_core: float = 0.72  # of those with a project: there is nothing to do without one
    return_base: float = 0.16  # neither invited nor used the core feature
    invite_odds: float = 6.5  # a colleague's answer is the reason to come back
    core_odds: float = 1.8  # work was begun; a count over all accounts sees 6.4 and 1.7 (they go together)
    # Decoys: frequent, drawn without regard to anything else, and without any effect.
    takes_tour: float = 0.58
    finishes_tour: float = 0.62  # of those who take it
    previews_template: float = 0.46


@dataclass(frozen=True)
class CommerceNumbers:
    """The shop beside the software. Shares of carts are of those that came so far."""

    buyer_share: float = 0.42  # the others never shop
    cart_rate_median: float = 0.17  # of a buyer in a week of use: about an order in a quarter
    cart_rate_spread: float = 0.9  # of the logarithm: some shop every week
    price_sensitivity_shapes: tuple[float, float] = (1.3, 2.0)  # of a beta: most are a little sensitive
    season_months: tuple[int, ...] = (11, 12)  # budgets have to be spent by the end of the year …
    season_factor: float = 1.6  # … and teams get presents

    favourite_category_factor: float = 3.0  # on the weights of its products: habits of a line of work
    cheaper: float = 0.7  # exponent on the price of a fully sensitive buyer's weights
    further_lines: float = 0.9  # Poisson mean of the lines of a basket after the first
    near_view_share: float = 0.3  # look at a product that they then leave on the shelf
    further_quantity: float = 0.35  # Poisson mean, times the square root of the team
    bulk_share: float = 0.05  # buy for the whole team, and more: the heavy tail of order values
    bulk_tail: float = 1.3  # Pareto exponent of the pieces per member: the mean exists, the variance does not
    bulk_price_largest_cents: int = 5_000  # nobody buys fifty workshops
    bulk_quantity_largest: int = 400  # larger companies call

    offer_every_weeks: int = 6  # a coupon by message and in the shop
    offer_lift: float = 0.8  # more carts of a fully price-sensitive buyer in such a week
    coupon_share_in_offer: float = 0.75  # … of a fully price-sensitive buyer
    coupon_share_otherwise: float = 0.06  # codes that partners hand out
    discount_share: float = 0.15  # of the gross value

    # Why carts are abandoned, tried in this order: comparing, distraction, shipping cost, payment failure.
    comparing_share: float = 0.04  # look elsewhere before the checkout …
    comparing_share_sensitive: float = 0.30  # … and that many more if fully price-sensitive
    distraction_share: float = 0.10  # the telephone rings, whoever they are
    distraction_before_checkout_share: float = 0.5
    shipping_shock: float = 3.5  # hazard of a fully sensitive buyer, times shipping over the basket's cost
    coupon_calm: float = 0.5  # factor on comparing and shock: who has a coupon, feels well treated
    payment_failure_shares: tuple[float, ...] = (0.06, 0.015, 0.03, 0.05)  # in the order of PAYMENT_METHODS
    shipping_first_cents: int = 490  # for the first piece: a parcel
    shipping_further_cents: int = 90
    free_shipping_from_cents: int = 10_000  # of the gross value, as shops do

    refund_share: float = 0.04
    refund_full_share: float = 0.7  # the others give back one piece …
    refund_rest_share: float = 0.2  # … and some of these then all the rest
    refund_days_largest: float = 21.0  # between the order and its refund, or one refund and the next
    other_payment_share: float = 0.12  # carts not paid by the usual method


@dataclass(frozen=True)
class MessageNumbers:
    """What we write to the owners, how they take it, and when they have had enough.

    In the order of MESSAGE_CHANNELS: email, sms, push, in_app. Effects are on the logit.
    """

    # Sending: at most one message per account and week, on a channel, day, hour and topic drawn without
    # regard to the reader, so that what they do to the reader can be told apart.
    newsletter_share: float = 0.18  # of the accounts with a consent, in a week without an offer
    tip_share: float = 0.14  # together with offers below 0.35 messages a week
    offer_share: float = 0.50  # in an offer week; the others read of it in the shop only
    channel_weights: tuple[float, ...] = (50.0, 10.0, 16.0, 24.0)  # sms costs money
    # Monday to Sunday; campaigns are made on Monday, and nobody writes to customers on a Sunday
    day_weights: tuple[float, ...] = (0.0, 30.0, 26.0, 24.0, 14.0, 6.0, 0.0)
    first_hour: int = 7  # local; earlier is rude
    last_hour: int = 20
    sending_minutes: float = 10.0  # a campaign leaves in waves

    first_consent_shares: tuple[float, ...] = (0.86, 0.22, 0.41, 0.74)  # at sign-up: by habit of each channel
    consent_seconds_largest: float = 90.0  # after the sign-up: the boxes are on its second page

    preferred_channel_weights: tuple[float, ...] = (46.0, 12.0, 18.0, 24.0)
    # Preferred hours, 0 to 23 local: before work, lunch, the evening
    preferred_hour_weights: tuple[float, ...] = (
        *(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 6.0, 12.0, 14.0, 9.0, 6.0),
        *(9.0, 8.0, 5.0, 5.0, 6.0, 6.0, 5.0, 5.0, 3.0, 1.0, 0.0, 0.0),
    )
    interest_spread: float = 0.6  # of the baseline: some read everything
    open_offsets: tuple[float, ...] = (-1.9, -0.9, -2.2, -1.6)  # with the effects below, 15-32 % are opened
    preferred_channel_effect: float = 1.1
    hour_effect: float = 0.9  # at the preferred hour …
    hour_spread: float = 2.0  # … fading with the distance as a normal curve of this many hours
    topic_effect: float = 0.6  # the preferred topic
    offer_effect: float = 0.3  # money speaks to everyone
    fatigue_effect: float = -0.30  # for each message of the last weeks
    dormant_effect: float = -1.2  # who does not come, does not read
    click_offset: float = -1.6  # of an opened message: about one in four
    click_interest: float = 0.5  # times the interest
    click_offer_effect: float = 0.7  # a coupon wants to be used

    # From the sending to the opening: sms and push are read from the locked screen
    hours_to_open_medians: tuple[float, ...] = (3.0, 0.3, 0.5, 6.0)
    hours_to_open_spread: float = 1.1  # of the logarithm
    hours_to_open_largest: float = 72.0  # later it has sunk below the others
    minutes_to_click_median: float = 1.5
    minutes_to_click_spread: float = 0.8
    minutes_to_click_largest: float = 60.0

    fatigue_memory: float = 0.75  # per week: half forgotten after two and a half weeks
    opt_out_offset: float = -6.4  # without fatigue: 2 in 1,000 messages
    opt_out_fatigue: float = 0.55  # for each message of the last weeks
    opt_out_interest: float = -0.4  # times the interest
    too_many_half: float = 1.5  # the fatigue at which half of those who leave say that it was too much


@dataclass(frozen=True)
class SupportNumbers:
    """Tickets and the satisfaction surveys, which follow what happened to the customer.

    Rates are of accounts with a session in the week, and add up: each part is a cause of its own.
    """

    ticket_rate: float = 0.021  # questions
    ticket_rate_declining: float = 0.05  # and that many more in decline: who struggles, writes
    ticket_rate_per_error: float = 0.05  # and that many more for each error seen in the week …
    most_errors: float = 5.0  # … or felt: after that, people wait for the repair
    # billing, bug, how_to, feature_request (support.TOPICS) by cause: error, decline, question
    topic_shares: tuple[tuple[float, ...], ...] = (
        (0.04, 0.80, 0.12, 0.04),  # what is broken, is reported; some think that it is their fault
        (0.36, 0.16, 0.22, 0.26),  # is it worth its price, and where is what others have?
        (0.22, 0.12, 0.46, 0.20),
    )
    sentiment_per_satisfaction: float = 0.28
    sentiment_offset: float = 0.12
    sentiment_offset_declining: float = -0.30
    sentiment_per_error: float = -0.09  # for each error of the last weeks, fading (hazard.memory)
    sentiment_spread: float = 0.33
    bad_sentiment_below: float = -0.25  # from here on a ticket weighs on the chance to cancel
    hours_to_close_median: float = 20.0
    hours_to_close_spread: float = 1.0  # of the logarithm
    never_closed_share: float = 0.03
    csat_share: float = 0.35  # of those whose ticket was closed, when they come back …
    csat_days_largest: int = 21  # … within this time
    csat_center: float = 3.9  # of 1 to 5
    csat_per_sentiment: float = 1.4  # a bad start is seldom mended by an answer
    csat_per_day_waited: float = -0.25
    csat_days_felt: float = 5.0
    csat_spread: float = 0.7
    answer_rate: float = 0.022  # of the survey, for accounts with a session: about one a year
    score_center: float = 7.4
    score_per_satisfaction: float = 1.5
    score_per_bad_ticket: float = -0.9  # fading count
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
    lateness_limit_days: int = 14  # the demo's own limit; what the truth calls late came after it
    wrong_clock_share: float = 0.004  # of phones and second computers are some minutes to hours off
    wrong_clock_hours: float = 3.0  # standard deviation
    broken_clock_share: float = 0.0003  # … or live weeks in the future
    broken_clock_days: tuple[float, float] = (20.0, 400.0)
    malformed_share: float = 0.00004  # of the lines have a damaged copy of their own
    update_after_share: float = 0.55  # of the history, an update renames events and adds fields


@dataclass(frozen=True)
class WorldParameters:
    """Size, seed and place of a world, and its planted numbers.

    Raises ValueError, in words, for a size below 1, a seed below 0, a first week that does not start on
    a Monday, or an unknown time zone.
    """

    customers: int
    weeks: int
    seed: int
    first_week: date = date(2024, 6, 3)  # 78 weeks from here end in the busy November of 2025
    time_zone: str = "Europe/Berlin"
    currency: str = "EUR"
    arrival: ArrivalNumbers = field(default_factory=ArrivalNumbers)
    archetype: ArchetypeNumbers = field(default_factory=ArchetypeNumbers)
    usage: UsageNumbers = field(default_factory=UsageNumbers)
    hazard: HazardNumbers = field(default_factory=HazardNumbers)
    subscription: SubscriptionNumbers = field(default_factory=SubscriptionNumbers)
    team: TeamNumbers = field(default_factory=TeamNumbers)
    activation: ActivationNumbers = field(default_factory=ActivationNumbers)
    commerce: CommerceNumbers = field(default_factory=CommerceNumbers)
    message: MessageNumbers = field(default_factory=MessageNumbers)
    support: SupportNumbers = field(default_factory=SupportNumbers)
    delivery: DeliveryNumbers = field(default_factory=DeliveryNumbers)
    season: SeasonNumbers = field(default_factory=SeasonNumbers)
    visit: VisitNumbers = field(default_factory=VisitNumbers)
    anomaly: AnomalyNumbers = field(default_factory=AnomalyNumbers)

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
