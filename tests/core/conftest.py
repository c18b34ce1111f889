"""How long may a law take to check? As long as it needs: a busy machine is no counterexample."""

from hypothesis import HealthCheck, settings

settings.register_profile("core", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("core")
