"""Instances of the application: found, stopped while their data is read, started again.

`stopping.stop_instances` is the way in, `recorded.restart_recorded` what cleans up after a run
that died; `drivers.open_drivers` makes the drivers that both work with from the settings.
"""
