"""The serving processes: what the registry says becomes live, and stays so.

A process is handed the app; it does not know what the app's slow doors do.

    keeper      keeps the Service at what the registry says
    resting     closes models that nobody asks
    pulse       asks the process's own models whether they answer rightly
    process     one serving process: port, app, loop
    supervisor  several of them on one port
    board       what they know of one another
"""

from numen.server.keeper import Keeper
from numen.server.process import Server
from numen.server.supervisor import Supervisor

__all__ = ["Keeper", "Server", "Supervisor"]
