"""How: the only room that touches disk, environment, the warehouse and dbt."""
