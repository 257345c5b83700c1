with

events as (

    select * from {{ ref('int_events') }}

),

links as (

    select * from {{ ref('identity_links') }}

),

identities as (

    select * from {{ ref('identities') }}

),

claims as (

    select * from {{ ref('user_merge_claims') }}

),

ids_shared as (

    select
        id_type,
        id,
        max(owners_so_far) as ids,
        min(case when is_shared then linked_at end) as since_at
    from links
    group by id_type, id
    having max(case when is_shared then 1 else 0 end) = 1

),

-- A span without a customer belongs to an id that too many share, or to a device of a
-- user whose account is unclear for the same reason.
spans_left_out as (

    select
        id_type,
        id,
        linking_key,
        applies_from_at,
        applies_until_at
    from identities
    where is_shared

),

events_left_out as (

    select
        spans_left_out.id_type,
        spans_left_out.id,
        count(*) as events_left_out
    from events
    inner join spans_left_out
        on
            events.attribution_key = spans_left_out.linking_key
            and {{ is_within(
                "events.occurred_at",
                "spans_left_out.applies_from_at",
                "spans_left_out.applies_until_at"
            ) }}
    group by spans_left_out.id_type, spans_left_out.id

),

exceptions as (

    select
        'shared_id' as kind,
        ids_shared.id_type,
        ids_shared.id,
        ids_shared.ids,
        ids_shared.since_at,
        coalesce(events_left_out.events_left_out, 0) as events_left_out
    from ids_shared
    left join events_left_out
        on
            ids_shared.id_type = events_left_out.id_type
            and ids_shared.id = events_left_out.id

    union all

    select
        'claimed_before' as kind,
        'user' as id_type,
        user_id as id,
        count(*) as ids,
        min(merged_at) as since_at,
        cast(null as bigint) as events_left_out
    from claims
    where outcome = 'claimed_before'
    group by user_id

    union all

    select
        'merge_in_a_circle' as kind,
        'user' as id_type,
        user_id as id,
        1 as ids,
        merged_at as since_at,
        cast(null as bigint) as events_left_out
    from claims
    where outcome = 'circle'

    union all

    select
        'too_many_merges' as kind,
        'user' as id_type,
        merged_into as id,
        count(*) as ids,
        min(case when outcome = 'too_many' then merged_at end) as since_at,
        cast(null as bigint) as events_left_out
    from claims
    where user_id <> merged_into
    group by merged_into
    having max(case when outcome = 'too_many' then 1 else 0 end) = 1

),

final as (

    select
        kind,
        id_type,
        id,
        cast(ids as integer) as ids,
        since_at,
        cast(events_left_out as bigint) as events_left_out
    from exceptions

)

select * from final
