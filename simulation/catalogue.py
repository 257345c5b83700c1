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
    "page_viewed",
    "signed_up",
    "order_completed",
    "order_refunded",
    "ticket_opened",
    "ticket_closed",
    "nps_answered",
    "subscription_started",
    "subscription_upgraded",
    "subscription_downgraded",
    "subscription_cancelled",
    "team_member_invited",
    "team_member_joined",
    "team_member_removed",
)
EVENTS = FEATURE_EVENTS + OTHER_EVENTS
EVENT_CODES = {name: code for code, name in enumerate(EVENTS)}
EVENT_TYPES = tuple("page" if name == "page_viewed" else "track" for name in EVENTS)

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
OTHER_PAGES = ("/home", "/settings", "/help", "/pricing", "/shop", "/signup", "/shop/checkout", "/support")
PAGES = FEATURE_PAGES + OTHER_PAGES
PAGE_CODES = {path: code for code, path in enumerate(PAGES)}
# How often each page is looked at, in the order of PAGES; nobody strolls to sign-up and checkout.
PAGE_WEIGHTS = (10.0, 9.0, 3.0, 4.0, 5.0, 3.0, 5.0, 1.0, 1.5, 1.0, 14.0, 2.0, 2.5, 1.0, 3.0, 0.0, 0.0, 0.0)

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
NO_DEVICE, COMPUTER, PHONE = range(3)
DEVICE_TYPES = (None, "desktop", "mobile")
CHANNELS = ("server", "web", "mobile")
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
PAYMENT_METHODS = ("card", "invoice", "paypal", "sepa_debit")
PAYMENT_WEIGHTS = (48.0, 24.0, 16.0, 12.0)
COUPONS = ("SAVE15", "TEAM15")

CANCELLATION_REASONS = ("too_expensive", "not_used", "missing_feature", "support", "closed_business")
CANCELLATION_REASON_WEIGHTS = (26.0, 34.0, 18.0, 10.0, 12.0)
