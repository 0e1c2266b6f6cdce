"""One module a row of the bench; each has `measure(options) -> Result`."""
