"""Checks of a generator before any training: cuts against gates, predicted costs against counted ones."""
