"""The container images, run by the engine alone, as strictly as a pod runs them."""
