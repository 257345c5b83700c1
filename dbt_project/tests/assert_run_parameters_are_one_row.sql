-- Every model joins them to all of its rows.
select count(*) as rows_found
from {{ source('ops', 'run_parameters') }}
having count(*) <> 1
