"""What the business is made of: its events, pages, plans, products and ways to be found."""

from __future__ import annotations

from dataclasses import dataclass

FEATURE_EVENTS = (
    "dashboard_viewed",
    "task_completed",
    "search_run",
    "comment_posted",
    "report_created",
    "file_uploaded",
    "project_created",
    "export_run",
    "automation_run",
    "integration_connected",
)
OTHER_EVENTS = (
    # in the product
    "page_viewed",
    "error_shown",
    "content_viewed",
    "item_shared",
    "comparison_searched",
    # the way in
    "signed_up",
    "email_verified",
    "profile_completed",
    "tour_started",
    "tour_completed",
    "template_previewed",
    # the shop
    "product_viewed",
    "product_added",
    "checkout_started",
    "payment_failed",
    "order_completed",
    "order_refunded",
    # support and satisfaction
    "ticket_opened",
    "ticket_closed",
    "csat_answered",
    "nps_answered",
    # plans
    "subscription_started",
    "subscription_upgraded",
    "subscription_downgraded",
    "subscription_renewed",
    "subscription_cancelled",
    "trial_started",
    "trial_ended",
    # teams
    "team_member_invited",
    "team_member_joined",
    "team_member_removed",
    # messages
    "message_sent",
    "message_opened",
    "message_clicked",
    "channel_subscribed",
    "channel_unsubscribed",
    # who is who: calls of the Segment spec, which carry no name of an event
    "identify",
    "group",
    "alias",
    # what a collector brings along and no taxonomy lists
    "debug_ping",
    "beta_widget_opened",
)
EVENTS = FEATURE_EVENTS + OTHER_EVENTS
EVENT_CODES = {name: code for code, name in enumerate(EVENTS)}
CALLS_WITHOUT_A_NAME = {"page_viewed": "page", "identify": "identify", "group": "group", "alias": "alias"}
EVENT_TYPES = tuple(CALLS_WITHOUT_A_NAME.get(name, "track") for name in EVENTS)
# Behaviour of customers, as the demo's events.csv says: of these, sessions are made. The others are sent by
# our servers, by mail providers or by the machinery itself.
NO_ACTIVITY = frozenset(
    {
        "error_shown",
        "payment_failed",
        "order_refunded",
        "ticket_closed",
        "subscription_started",
        "subscription_upgraded",
        "subscription_downgraded",
        "subscription_renewed",
        "subscription_cancelled",
        "trial_started",
        "trial_ended",
        "team_member_joined",
        "team_member_removed",
        "message_sent",
        "message_opened",
        "message_clicked",
        "channel_subscribed",
        "channel_unsubscribed",
        "identify",
        "group",
        "alias",
        "debug_ping",
        "beta_widget_opened",
    }
)
IS_ACTIVITY = tuple(name not in NO_ACTIVITY for name in EVENTS)
# Feature events that an update of the product renamed in the middle of the history.
RENAMED_EVENTS = {"search_run": "search_performed", "file_uploaded": "document_uploaded"}

# How much each feature is used, in the order of FEATURE_EVENTS: the everyday ones first. Beginners and
# casual accounts stay with those; power accounts use all.
FEATURE_WEIGHTS_EVERYDAY = (26.0, 24.0, 14.0, 10.0, 4.0, 3.0, 2.0, 1.2, 0.5, 0.2)
FEATURE_WEIGHTS_BEGINNER = (24.0, 14.0, 10.0, 4.0, 3.0, 4.0, 8.0, 0.5, 0.5, 2.0)
FEATURE_WEIGHTS_POWER = (20.0, 22.0, 12.0, 12.0, 9.0, 7.0, 4.0, 6.0, 6.0, 1.5)

FEATURE_PAGES = (
    "/dashboards",
    "/tasks",
    "/search",
    "/discussions",
    "/reports",
    "/files",
    "/projects",
    "/exports",
    "/automations",
    "/integrations",
)
OTHER_PAGES = ("/home", "/settings", "/help", "/shop", "/signup", "/shop/checkout", "/support", "/learn")
PUBLIC_PAGES = ("/", "/product", "/pricing", "/customers", "/blog", "/compare")
PAGES = FEATURE_PAGES + OTHER_PAGES + PUBLIC_PAGES
PAGE_CODES = {path: code for code, path in enumerate(PAGES)}
# How often a customer looks at each page, in the order of FEATURE_PAGES and OTHER_PAGES; nobody strolls to
# sign-up and checkout.
PAGE_WEIGHTS = (10.0, 9.0, 3.0, 4.0, 5.0, 3.0, 5.0, 1.0, 1.5, 1.0, 14.0, 2.0, 2.5, 3.0, 0.0, 0.0, 0.0, 0.0)
# … and a visitor, in the order of PUBLIC_PAGES
PUBLIC_PAGE_WEIGHTS = (30.0, 18.0, 16.0, 6.0, 20.0, 5.0)
CONTENT_TOPICS = ("planning", "reporting", "automation", "leadership", "product_news", "security")
CONTENT_TOPIC_WEIGHTS = (26.0, 20.0, 16.0, 12.0, 18.0, 8.0)

REFERRERS = (
    "https://www.google.com/",
    "https://www.bing.com/",
    "https://www.linkedin.com/",
    "https://news.example.org/",
    "https://partner.example.com/",
)
REFERRER_WEIGHTS = (52.0, 12.0, 14.0, 8.0, 14.0)


@dataclass(frozen=True)
class Campaign:
    """How an advertisement is tagged: utm_source, utm_medium and utm_campaign."""

    source: str
    medium: str
    name: str


CAMPAIGNS = (
    Campaign("google", "cpc", "brand"),
    Campaign("google", "cpc", "team_software"),
    Campaign("linkedin", "social", "operations_leads"),
    Campaign("newsletter", "email", "monthly_letter"),
    Campaign("partner", "referral", "partner_directory"),
)
CAMPAIGN_WEIGHTS = (22.0, 30.0, 18.0, 20.0, 10.0)

# Devices of a person: none stands for our own servers.
NO_DEVICE, COMPUTER, PHONE, HOME_COMPUTER = range(4)
DEVICE_TYPES = (None, "desktop", "mobile", "desktop")
CHANNELS = ("server", "web", "mobile", "web")
COMPUTER_PLATFORMS = ("Windows", "macOS", "Linux")
PHONE_PLATFORMS = ("iOS", "Android")
PLATFORMS = COMPUTER_PLATFORMS + PHONE_PLATFORMS
COMPUTER_PLATFORM_SHARES = (0.62, 0.31, 0.07)
PHONE_PLATFORM_SHARES = (0.55, 0.45)


@dataclass(frozen=True)
class Plan:
    """A plan: its price per seat and month, and how many times the starter plan's actions it includes."""

    name: str
    seat_cents: int
    included_actions: float


PLANS = (Plan("starter", 1_200, 1.0), Plan("team", 2_200, 1.8), Plan("business", 3_800, 3.5))
STARTER = 0


@dataclass(frozen=True)
class Product:
    """A product of the shop: its price, and its share of the basket lines (relative)."""

    product_id: str
    name: str
    category: str
    price_cents: int
    weight: float


PRODUCTS = (
    Product("p_101", "Planning template pack", "templates", 1_900, 9.0),
    Product("p_102", "Reporting template pack", "templates", 2_900, 8.0),
    Product("p_103", "Retrospective template pack", "templates", 1_400, 6.0),
    Product("p_104", "Onboarding template pack", "templates", 2_400, 5.0),
    Product("p_105", "Brand template pack", "templates", 4_900, 3.0),
    Product("p_201", "Wall planner", "stationery", 1_290, 10.0),
    Product("p_202", "Task cards", "stationery", 690, 12.0),
    Product("p_203", "Notebook", "stationery", 990, 14.0),
    Product("p_204", "Marker set", "stationery", 1_150, 9.0),
    Product("p_205", "Magnet board", "stationery", 7_900, 3.0),
    Product("p_301", "Getting started course", "training", 9_900, 5.0),
    Product("p_302", "Automation course", "training", 19_900, 3.0),
    Product("p_303", "Report writing course", "training", 14_900, 2.5),
    Product("p_304", "Team workshop", "training", 89_000, 0.8),
    Product("p_305", "Administrator certificate", "training", 34_900, 1.2),
    Product("p_401", "Meeting room display", "hardware", 42_900, 1.0),
    Product("p_402", "Badge scanner", "hardware", 12_900, 1.6),
    Product("p_403", "Desk timer", "hardware", 3_900, 5.0),
    Product("p_404", "Label printer", "hardware", 17_900, 1.8),
    Product("p_405", "Office button", "hardware", 2_990, 4.0),
    Product("p_501", "Handbook of team work", "books", 3_490, 6.0),
    Product("p_502", "Handbook of reports", "books", 3_990, 4.0),
    Product("p_503", "Automation cookbook", "books", 4_490, 3.0),
    Product("p_504", "Pocket guide", "books", 1_290, 7.0),
)
CATEGORIES = tuple(dict.fromkeys(product.category for product in PRODUCTS))
SHIPPED_CATEGORIES = frozenset({"stationery", "hardware", "books"})  # the others are downloads and seats


@dataclass(frozen=True)
class Affinity:
    """Companions: who takes one of the products, takes each of the others `factor` times as readily."""

    products: tuple[str, ...]
    factor: float


AFFINITIES = (
    Affinity(("p_203", "p_204"), 14.0),  # a notebook wants markers
    Affinity(("p_201", "p_205"), 10.0),  # the planner hangs on the board
    Affinity(("p_202", "p_103"), 12.0),  # retrospectives are held with cards
    Affinity(("p_301", "p_501", "p_504"), 12.0),  # beginners buy the course and the books to it
    Affinity(("p_302", "p_503"), 14.0),  # the cookbook is read in the course
    Affinity(("p_102", "p_303", "p_502"), 12.0),  # everything about reports
    Affinity(("p_402", "p_404"), 25.0),  # badges have to be printed
    Affinity(("p_401", "p_403", "p_405"), 12.0),  # a meeting room is furnished at once
)
ABANDONMENT_CAUSES = ("comparing", "distraction", "shipping_cost", "payment_failure")
PAYMENT_METHODS = ("card", "invoice", "paypal", "sepa_debit")
PAYMENT_WEIGHTS = (48.0, 24.0, 16.0, 12.0)
COUPONS = ("SAVE15", "TEAM15")  # of the offers, in turn
PARTNER_COUPON = "PARTNER15"  # holds without an offer

MESSAGE_CHANNELS = ("email", "sms", "push", "in_app")
OPT_OUT_REASONS = ("too_many", "not_relevant")

CANCELLATION_REASONS = ("too_expensive", "not_used", "missing_feature", "support", "closed_business")
CANCELLATION_REASON_WEIGHTS = (26.0, 34.0, 18.0, 10.0, 12.0)
