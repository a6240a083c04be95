"""Studies in a notebook: one line, a front with its table, data frames, figures, a progress bar."""
