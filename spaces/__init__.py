"""What may be searched: budgets, widths, the settings of methods. Imports no torch."""
