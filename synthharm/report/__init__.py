"""What a person looks at."""

from synthharm.report.contact_sheet import Row, contact_sheet

__all__ = ["Row", "contact_sheet"]
