"""Configuration of Flower, which executes this file with the environment of `make up`.

On loopback only, with one user.  Its `/metrics` and `/healthcheck` answer without that password: whoever has a shell on
this machine can read how many jobs ran, but no catalog key.
"""

import os

from shared.errors import Misconfigured
from shared.settings import Settings

_settings = Settings.from_env(os.environ)
if not _settings.flower_auth:
    # Without it Flower would ask nobody for a password.
    raise Misconfigured("SLUICE_FLOWER_AUTH is not set: user:password")

address = "127.0.0.1"
port = _settings.flower_port
basic_auth = [_settings.flower_auth]

# To look, not to touch: a job is only a wake-up; what is to change about the queue goes through the Tasks API.
read_only = True

# The arguments name the catalog; a job keeps no result.
tasks_columns = "name,args,state,worker,received,started,runtime"
natural_time = False
# Kept in memory, six kilobytes each.
max_tasks = 2_000
# Seconds after which a worker that is gone leaves the screen.
purge_offline_workers = 60
