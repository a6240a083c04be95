"""Images from label maps: GauGAN's task."""
