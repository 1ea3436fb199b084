"""The faults of those outside: the FTPS service, the receiver of webhooks, slow clients."""

from __future__ import annotations

import signal

from tests.chaos.faults import Fault, pause
from tests.chaos.faults_of_links import link_faults
from tests.chaos.links import Heal
from tests.chaos.outside.trial import OutsideTrial
from tests.chaos.stage import Stage

#: What a receiver that is not well answers: nothing that means that it is gone for good.
ERRORS = (429, 500, 503)


def outside_faults(trial: OutsideTrial) -> list[Fault]:
    """List what may happen to those outside."""

    def fail(stage: Stage) -> Heal:
        return trial.receive_with(stage.random.choice(ERRORS))

    def crowd(stage: Stage) -> Heal:
        return trial.send_crowd(stage.random.choice(stage.fleet.urls))

    return [
        Fault("FTPS: kill -9", lambda stage: stage.fleet.ftps[0].signal(signal.SIGKILL)),
        Fault("FTPS: warm stop", lambda stage: stage.fleet.ftps[0].signal(signal.SIGTERM)),
        Fault("FTPS: stopped", lambda stage: pause(stage.fleet.ftps[0]), lasts_s=(0.5, 3), seizes="FTPS"),
        Fault("webhooks: answered with errors", fail, lasts_s=(1, 6), seizes="webhooks"),
        *link_faults("webhooks", trial.link),
        Fault("ingress: slow clients", crowd, lasts_s=(2, 6), seizes="crowd"),
    ]
