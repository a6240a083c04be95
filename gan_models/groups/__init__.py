"""Channel groups of a traced network: discovery, plans, surgery."""
