"""Telling: tables in, the review page and the lists out, as text. Imports nothing of the other rooms."""
