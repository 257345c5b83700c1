{{ config(materialized='ephemeral') }}

with

customers_reviewed as (

    select * from {{ ref('int_customers_reviewed') }}

),

run_parameters as (

    select * from {{ source('ops', 'run_parameters') }}

),

links as (

    select * from {{ ref('identity_links') }}

),

user_merges as (

    select * from {{ ref('user_merges') }}

),

-- The accounts of a user are also those of the ids that merged into it.
accounts_of_users as (

    select
        id as customer_id,
        owner_id as account_id,
        linked_at as named_at,
        linked_at,
        is_shared
    from links
    where id_type = 'user'

    union all

    select
        user_merges.merged_into as customer_id,
        links.owner_id as account_id,
        links.linked_at as named_at,
        greatest(links.linked_at, user_merges.merged_at) as linked_at,
        links.is_shared
    from user_merges
    inner join links
        on
            user_merges.user_id = links.id
            and links.id_type = 'user'

),

accounts_dated as (

    select
        accounts_of_users.customer_id,
        accounts_of_users.account_id,
        accounts_of_users.named_at,
        accounts_of_users.is_shared,
        cast(
            {{ local_time("accounts_of_users.linked_at", "run_parameters.time_zone") }}
            as date
        ) as linked_date
    from accounts_of_users
    cross join run_parameters
    where run_parameters.customer_kind = 'user'

),

newest_accounts as (

    select
        customers_reviewed.customer_id,
        customers_reviewed.review_week,
        {{ value_at_largest(
            "case when accounts_dated.is_shared then '' else accounts_dated.account_id end",
            ["accounts_dated.named_at", "accounts_dated.account_id"]
        ) }} as account_id
    from customers_reviewed
    inner join accounts_dated
        on
            customers_reviewed.customer_id = accounts_dated.customer_id
            and accounts_dated.linked_date
            < {{ add_days("customers_reviewed.review_week", 7) }}
    group by customers_reviewed.customer_id, customers_reviewed.review_week

),

final as (

    select
        customers_reviewed.customer_id,
        customers_reviewed.review_week,
        case
            when run_parameters.customer_kind = 'account'
                then 'account:' || customers_reviewed.customer_id
            when newest_accounts.account_id <> ''
                then 'account:' || newest_accounts.account_id
            else 'user:' || customers_reviewed.customer_id
        end as subscriber_id,
        run_parameters.customer_kind || ':' || customers_reviewed.customer_id
            as own_subscriber_id
    from customers_reviewed
    cross join run_parameters
    left join newest_accounts
        on
            customers_reviewed.customer_id = newest_accounts.customer_id
            and customers_reviewed.review_week = newest_accounts.review_week

)

select * from final
