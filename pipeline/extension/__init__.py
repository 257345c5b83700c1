"""What a workspace adds to the engine: feature columns in `features/`, segments in review.toml.

Read and checked before anything is opened; built by the step `features`, after the engine's own rows.
"""
