"""What people run: the command line, the runner, the store and the report. Knows papers only through the registry."""
