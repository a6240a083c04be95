"""Commands that measure: images, two generators, a device, and contenders against each other."""
