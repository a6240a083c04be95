"""How trials are chosen, run and recorded: the engine, its samplers, its early stopping and its executors."""
