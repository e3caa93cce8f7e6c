"""`modelfoundry demo`: the whole loop on real images, on this machine."""
