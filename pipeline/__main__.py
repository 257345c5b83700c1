"""`python -m pipeline` is the command `vitals`."""

from pipeline.cli import app

app(prog_name="vitals")
