{#- The ways customers are divided: (name of the scheme, column of the reviewed customer). -#}
{% macro segment_schemes() %}
    {{ return([
        ("rfm", "rfm_segment"),
        ("lifecycle", "lifecycle_stage"),
        ("engagement", "engagement_level"),
        ("cluster", "cluster_name"),
        ("health_band", "health_band"),
        ("churn_band", "churn_band"),
    ]) }}
{% endmacro %}
