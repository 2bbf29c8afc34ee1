"""Reports as one HTML page that needs nothing else: no script, no request, no other file."""

from racelab_operator.report.html.page import reports_as_html

__all__ = ["reports_as_html"]
