"""The scaling loop: reads queues and pods, decides with `heavylift_controller.scaling`, and acts on a platform."""
