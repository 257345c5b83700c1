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
    list({{ value }} order by {{ value }}) filter (where {{ value }} is not null)
{%- endmacro %}

{#- The same without repetitions -#}
{% macro distinct_list(value) -%}
    list(distinct {{ value }} order by {{ value }}) filter (where {{ value }} is not null)
{%- endmacro %}

{#- Value of the row with the largest key; give keys that make the row unique -#}
{% macro value_at_largest(value, keys) -%}
    arg_max_null({{ value }}, row({{ keys | join(", ") }}))
{%- endmacro %}

{#- Value of the row with the smallest key; give keys that make the row unique -#}
{% macro value_at_smallest(value, keys) -%}
    arg_min_null({{ value }}, row({{ keys | join(", ") }}))
{%- endmacro %}

{#- A mask with one bit set: bit_at("feature_number") for numbers from 0 to 61 -#}
{% macro bit_at(position) -%}
    (cast(1 as bigint) << {{ position }})
{%- endmacro %}

{#- A short text that stands for some others, always the same for the same -#}
{% macro hashed_id(parts) -%}
    md5(concat_ws('|', {{ parts | join(", ") }}))
{%- endmacro %}
