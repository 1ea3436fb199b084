"""What may happen to a process when it talks to the store."""

from __future__ import annotations

from enum import StrEnum


class Accident(StrEnum):
    """What may happen at a round trip."""

    #: Nothing of it reaches the store.
    UNSENT = "unsent"
    #: It takes effect, and its answer is lost.
    UNANSWERED = "unanswered"
    #: The connection breaks between two of its commands.
    BROKEN = "broken"
    #: Others come between two of its commands.
    SPLIT = "split"
    #: The network is gone for a while after it has arrived: no answer, and nothing that is sent again gets through.
    CUT_OFF = "cut off"
    DIES_BEFORE = "dies before"
    DIES_AMID = "dies amid"
    DIES_AFTER = "dies after"
    #: The process, or its network, stands still before it is sent, or before its answer is read.
    SLEEPS_BEFORE = "sleeps before"
    SLEEPS_AFTER = "sleeps after"
    #: The same before it is sent again, or just as it is.
    SLEEPS_BETWEEN = "sleeps between"
    #: The clock of its machine is set.
    CLOCK_SET = "clock set"


#: Accidents that take place between two commands of a round trip, and those that only a process meets that may die.
CUT = (Accident.BROKEN, Accident.SPLIT, Accident.DIES_AMID)
DEATHS = (Accident.DIES_BEFORE, Accident.DIES_AMID, Accident.DIES_AFTER)
#: Accidents after which everything is as if they had not been, but for the time: no wake-up is lost by them.
HARMLESS = (Accident.SPLIT, Accident.CLOCK_SET)
