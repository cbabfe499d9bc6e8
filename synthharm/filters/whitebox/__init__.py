"""The white-box filters, one a file: each module defines `FILTER`, and the registry finds it."""
