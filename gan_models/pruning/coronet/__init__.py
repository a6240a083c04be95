"""CoroNetGAN: a hypernetwork generates the weights from latents that are driven to zero."""
