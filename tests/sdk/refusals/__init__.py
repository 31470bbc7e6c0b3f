"""Requests that must be refused, as data: one module per part of the API, `case.py` for the row itself."""
