"""What an operator may ask, one file each. `VERBS` is explicit: a verb that is not listed does not exist."""

from tokenpakd.control.dispatch import AnyVerb
from tokenpakd.control.verbs import (
    config,
    doctor,
    logs,
    mode,
    models,
    pause,
    providers,
    recent,
    reload,
    restart,
    resume,
    stats,
    status,
    stop,
    tail,
    trace,
    version,
)

VERBS: tuple[AnyVerb, ...] = (
    config.VERB,
    doctor.VERB,
    logs.VERB,
    mode.VERB,
    models.VERB,
    pause.VERB,
    providers.VERB,
    recent.VERB,
    reload.VERB,
    restart.VERB,
    resume.VERB,
    stats.VERB,
    status.VERB,
    stop.VERB,
    tail.VERB,
    trace.VERB,
    version.VERB,
)
