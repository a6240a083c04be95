"""The search: choice, execution and recording of trials."""
