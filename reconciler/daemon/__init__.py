"""When is each job done, by whom, and how does the daemon come to its end?

Nothing about payments is decided here. APScheduler only says when: intervals and one time of day in UTC, because a clock
that changes twice a year would skip or double a job. A job that is late runs once, never twice at a time, and one that
raises goes on at its next time; after three failures in a row a person is asked. Of several daemons one leads.
"""

from reconciler.daemon.figures import Figures
from reconciler.daemon.jobs import Job, Timing, jobs_of
from reconciler.daemon.leader import Leader
from reconciler.daemon.pulse import beat
from reconciler.daemon.running import run
from reconciler.daemon.watch import Watch

__all__ = ["Figures", "Job", "Leader", "Timing", "Watch", "beat", "jobs_of", "run"]
