{#-
    Pages that say what somebody is after, by where their paths begin. A business whose help or prices lie elsewhere
    adds its own here.
-#}
{% macro help_pages() %}
    {{ return(("/help", "/docs", "/faq")) }}
{% endmacro %}

{% macro pricing_pages() %}
    {{ return(("/pricing", "/prices")) }}
{% endmacro %}

{#-
    Whether a path is one of some pages or lies below it, in any case.
    Example: with ("/help",) that holds for /help, /Help/search and /help?page=2, not for /helpers.
-#}
{% macro is_page_below(page_path, pages) -%}
    (
        {%- for page in pages %}
        {{ "or " if not loop.first }}lower({{ page_path }}) = '{{ page }}'
        {%- for separator in ("/", "?", "#") %}
        or lower({{ page_path }}) like '{{ page }}{{ separator }}%'
        {%- endfor %}
        {%- endfor %}
    )
{%- endmacro %}
