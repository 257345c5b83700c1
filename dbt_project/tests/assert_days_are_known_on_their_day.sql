-- The windows of usage, visits and transactions sum whole calendar weeks, which is the
-- truth of every past week as long as events name their customer themselves. Once links
-- bring days later, those models have to leave out what was not yet known.
select
    customer_id,
    local_date,
    known_from_date
from {{ ref('customer_days') }}
where known_from_date <> local_date
