"""Checks of a generator before anything is trained: cuts beside gates, predicted costs beside counted ones."""
