-- A link can bring a day later, never earlier.
select
    customer_id,
    local_date,
    known_from_date
from {{ ref('customer_days') }}
where known_from_date < local_date
