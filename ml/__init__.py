"""Judgement: churn, clusters and health of customers. Tables in, tables out.

No paths, no connections, no clocks and no environment: a learner is handed data frames and returns an
estimator and a log, and the pipeline decides where they are kept. Everything is deterministic: the same
rows, in any order and on any number of processor cores, give the same tables.

`columns` proposes which columns of the feature row are learned from, `churn`, `clusters` and `health` learn
and score, `metrics` judges; `anchors`, `matrix`, `sampling` and `errors` serve them.
"""
