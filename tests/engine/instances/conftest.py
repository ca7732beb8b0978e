from tests.engine.instances.sites import commands, docker, gateway, site, supervisor, systemd

__all__ = ["commands", "docker", "gateway", "site", "supervisor", "systemd"]
