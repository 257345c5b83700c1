{#-
    JSON, lists, bits and choices, where engines differ.
-#}

{#- Text at a path of a JSON column, NULL where absent: json_text("properties", "$.plan") -#}
{% macro json_text(document, path) -%}
    json_extract_string({{ document }}, '{{ path }}')
{%- endmacro %}

{#- A number at a path of a JSON column, NULL where absent or no number -#}
{% macro json_number(document, path, type="double") -%}
    try_cast(json_extract_string({{ document }}, '{{ path }}') as {{ type }})
{%- endmacro %}

{#- The elements of a JSON array as a list of JSON documents, for explode_list -#}
{% macro json_elements(document, path) -%}
    from_json(json_extract({{ document }}, '{{ path }}'), '["json"]')
{%- endmacro %}

{#- One row per element of a list; rows of empty and NULL lists vanish -#}
{% macro explode_list(list_value) -%}
    unnest({{ list_value }})
{%- endmacro %}

{#- A list of the values that are not NULL, sorted, so that equal sets make equal lists -#}
{% macro sorted_list(value) -%}
    list_sort(list({{ value }}) filter (where {{ value }} is not null))
{%- endmacro %}

{#- The same without repetitions -#}
{% macro distinct_list(value) -%}
    list_sort(list(distinct {{ value }}) filter (where {{ value }} is not null))
{%- endmacro %}

{#- A list in the order of a key that makes the row unique: ordered_list("gap_days", "local_date") -#}
{% macro ordered_list(value, key) -%}
    list({{ value }} order by {{ key }})
{%- endmacro %}

{#- The lists of a list as one; NULLs among them vanish -#}
{% macro flattened_list(lists) -%}
    flatten({{ lists }})
{%- endmacro %}

{#- Of the lists of several rows: all of their elements, sorted; NULL where no row has a list -#}
{% macro sorted_lists(list_column) -%}
    list_sort(flatten(list({{ list_column }}) filter (where {{ list_column }} is not null)))
{%- endmacro %}

{#- The same without repetitions -#}
{% macro distinct_lists(list_column) -%}
    list_sort(list_distinct(flatten(list({{ list_column }}) filter (where {{ list_column }} is not null))))
{%- endmacro %}

{#- Two lists, one after the other -#}
{% macro joined_lists(left_list, right_list) -%}
    list_concat({{ left_list }}, {{ right_list }})
{%- endmacro %}

{#- The elements from one position to another, both included, counted from 1; none where they cross -#}
{% macro part_of_list(list_value, first, last) -%}
    list_slice({{ list_value }}, cast({{ first }} as bigint), cast({{ last }} as bigint))
{%- endmacro %}

{#- Whether a list has an element; false for NULL -#}
{% macro list_has(list_value, element) -%}
    coalesce(list_contains({{ list_value }}, {{ element }}), false)
{%- endmacro %}

{% macro length_of_list(list_value) -%}
    len({{ list_value }})
{%- endmacro %}

{#- NULL of an empty list, as with the aggregate functions -#}
{% macro median_of_list(list_value) -%}
    list_median({{ list_value }})
{%- endmacro %}

{#- The most frequent element of a sorted list, the smallest of several; NULL of an empty list -#}
{% macro mode_of_list(list_value) -%}
    list_aggregate({{ list_value }}, 'mode')
{%- endmacro %}

{% macro sum_of_list(list_value) -%}
    list_sum({{ list_value }})
{%- endmacro %}

{% macro sum_of_squares_of_list(list_value) -%}
    list_sum(list_transform({{ list_value }}, lambda element: element * element))
{%- endmacro %}

{#- Several keys compare as a row; one is compared as it is, which is faster -#}
{% macro single_key(keys) -%}
    {{ keys[0] if keys | length == 1 else "row(" ~ keys | join(", ") ~ ")" }}
{%- endmacro %}

{#- Of the rows where a value is not NULL, the one with the largest key; give keys that make the row unique -#}
{% macro value_at_largest(value, keys) -%}
    arg_max({{ value }}, {{ single_key(keys) }})
{%- endmacro %}

{#- The same with the smallest key -#}
{% macro value_at_smallest(value, keys) -%}
    arg_min({{ value }}, {{ single_key(keys) }})
{%- endmacro %}

{#- In a window: the newest value that is not NULL -#}
{% macro last_known(value) -%}
    last_value({{ value }} ignore nulls)
{%- endmacro %}

{#- A mask with one bit set: bit_at("feature_number") for numbers from 0 to 61 -#}
{% macro bit_at(position) -%}
    (cast(1 as bigint) << {{ position }})
{%- endmacro %}

{#- Whether a mask has all bits of another one set -#}
{% macro has_bits(mask, wanted) -%}
    ({{ mask }} & {{ wanted }}) = {{ wanted }}
{%- endmacro %}

{#- The bits of a mask that another one has not -#}
{% macro bits_without(mask, others) -%}
    ({{ mask }} & ~{{ others }})
{%- endmacro %}

{#- The bits of both masks -#}
{% macro bits_of_either(mask, other) -%}
    ({{ mask }} | {{ other }})
{%- endmacro %}

{#- A short text that stands for some others, always the same for the same -#}
{% macro hashed_id(parts) -%}
    md5(concat_ws('|', {{ parts | join(", ") }}))
{%- endmacro %}

{#- How many full lengths fit into a number that is not negative -#}
{% macro full_lengths(number, length) -%}
    ({{ number }} // {{ length }})
{%- endmacro %}

{#- What follows the last of a sign in a text: part_after_sign("email", "@"); the text where the sign is missing -#}
{% macro part_after_sign(text_value, sign) -%}
    split_part({{ text_value }}, '{{ sign }}', -1)
{%- endmacro %}

{#-
    A number that stands for a text, always the same for the same; NULL for NULL. Of ten million texts two share a
    number with a chance of three in a million: a data test looks.
-#}
{% macro key_of(text_value) -%}
    case when {{ text_value }} is not null then hash({{ text_value }}) end
{%- endmacro %}

{% macro type_of_key() -%}
    ubigint
{%- endmacro %}
