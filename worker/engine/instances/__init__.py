"""Instances of the application: found, stopped while their data is read, started again.

`stopping.stop_instances` is the way in, `recorded.restarts` what starts those that a run has left
stopped; `drivers.open_drivers` makes the drivers that both work with from the settings.
"""
