"""One module a family of autoscalers."""
