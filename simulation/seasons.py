"""The calendar: month starts, quarter ends, summer, autumn and the days between the years."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from simulation.parameters import SeasonNumbers
from simulation.weeks import DAYS_PER_WEEK, Week

MONTHS_PER_QUARTER = 3


def usage_factors(week: Week, numbers: SeasonNumbers) -> np.ndarray:
    """How much more or less the product is used on each of the seven days than on an ordinary one."""
    days = [week.monday + timedelta(days=day) for day in range(DAYS_PER_WEEK)]
    return np.array([_usage_factor(day, numbers) for day in days])


def is_in_season(season_phase: np.ndarray, week: Week) -> np.ndarray:
    """Whether seasonal accounts are busy in the week: in one month of each quarter, by their phase (0-2)."""
    midweek = week.monday + timedelta(days=DAYS_PER_WEEK // 2)
    return season_phase == (midweek.month - 1) % MONTHS_PER_QUARTER


def _usage_factor(day: date, numbers: SeasonNumbers) -> float:
    factor = 1.0
    if day.day <= numbers.month_start_days:
        factor *= numbers.month_start
    ahead = day + timedelta(days=numbers.quarter_end_days)
    if (ahead.month - 1) // MONTHS_PER_QUARTER != (day.month - 1) // MONTHS_PER_QUARTER:
        factor *= numbers.quarter_end
    month_and_day = (day.month, day.day)
    if numbers.summer[0] <= month_and_day <= numbers.summer[1]:
        factor *= numbers.summer_factor
    if day.month in numbers.autumn_months:
        factor *= numbers.autumn_factor
    if month_and_day >= numbers.holidays[0] or month_and_day <= numbers.holidays[1]:
        factor *= numbers.holidays_factor
    return factor
