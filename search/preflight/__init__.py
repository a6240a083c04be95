"""The preflight of a search: errors, notes and an estimate of hours before anything starts."""
