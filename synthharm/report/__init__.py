"""What a person looks at."""

from synthharm.report.contact_sheet import TITLES, Row, contact_sheet

__all__ = ["TITLES", "Row", "contact_sheet"]
