"""The HTTP front of Heavylift: validate, admit, submit, report. It never does the work itself."""
