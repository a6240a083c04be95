"""Search spaces: budgets, widths, and the settings of methods. Imports no torch."""
