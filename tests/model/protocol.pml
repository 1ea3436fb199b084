/* How batches are submitted, rung for, drained and applied: one partition and two workers, in every order of events.
 *
 * Each atomic block is one script, or one command, of the store; the comment beside it names it.  Between two of them
 * anything may happen: a worker or an ingress process dies, an owner sleeps past its lease, a wake-up is lost or doubled,
 * an answer is lost and the call sent again.  Each of these uses up one of FAULTS.
 *
 * Asserted: the laws of order, once and end at every effect; and, where nothing moves any more, that no batch waits.  There
 * is no cycle (`pan -l`), so every run comes to such an end.
 *
 * tests/model/test_protocol.py runs it, whole and with each protection taken away by -DNAME=0.
 */

#ifndef BATCHES
#define BATCHES 3
#endif
#ifndef FAULTS
#define FAULTS 2
#endif
#ifndef BIG           /* chunks of the last batch; the others have one */
#define BIG 2
#endif
#ifndef CANCELS       /* the task that its sender cancels, if it still can */
#define CANCELS 1
#endif
#ifndef AWAKE         /* workers say that they are awake, and nobody rings meanwhile */
#define AWAKE 1
#endif

/* The protections. */
#ifndef FENCE         /* only the owner's token may write */
#define FENCE 1
#endif
#ifndef HEAD          /* only the head of the stream, not canceled, can be begun or applied */
#define HEAD 1
#endif
#ifndef CHUNK         /* a commit names the chunk it continues from */
#define CHUNK 1
#endif
#ifndef BASE          /* a commit names the last commit whose effects it has read */
#define BASE 1
#endif
#ifndef REPLAY        /* a commit sent again is known by its name */
#define REPLAY 1
#endif
#ifndef NONCE         /* a batch sent again is known by its nonce */
#define NONCE 1
#endif
#ifndef EMPTY_CHECK   /* a partition is released only if nothing waits, in the same script */
#define EMPTY_CHECK 1
#endif
#ifndef LOOK_AGAIN    /* who said to be awake looks at the backlog once more after it stopped saying so */
#define LOOK_AGAIN 1
#endif
#ifndef MARK_AGAIN    /* who takes a partition out of the backlog looks at its stream afterwards */
#define MARK_AGAIN 1
#endif
#ifndef SWEEP         /* workers look for a backlog without an owner, unasked */
#define SWEEP 1
#endif
#ifndef SCAN          /* partitions that are not marked as backlogged are looked at too, slowly */
#define SCAN 1
#endif

#define TASKS 5                            /* more ids than batches: without nonces some are stored twice */
#define NOBODY 0
#define CHUNKS(id) ((id) == BATCHES -> BIG : 1)    /* the last task is a big one */
#define NAME(id, chunk) (4 * (id) + (chunk))       /* of a commit */
#define OWNS(me) (!FENCE || (lease == (me) && knows[me]))
#define WAITS(id) (status[id] == QUEUED || status[id] == IN_PROGRESS)
#define FAULT faults < FAULTS -> faults++

mtype = { ABSENT, QUEUED, IN_PROGRESS, DONE, CANCELED };

/* The store. */
byte seq;                    /* the last id given out */
mtype status[TASKS + 1];
byte chunks_done[TASKS + 1];
byte applied;                /* the last commit's name */
byte lease;                  /* whose token it holds, NOBODY when it is absent */
bool rung, backlog, awake;
/* The broker. */
byte jobs;

/* What no process of Sluice can see. */
byte faults;
bool knows[3];               /* a worker still has the token that the lease holds: neither died nor slept past it */
byte effects[TASKS + 1];
byte stored[BATCHES + 1];    /* how often each batch was stored */
bool sent;                   /* all batches were */

inline find_head(id) {
  id = 1;
  do
  :: id <= seq && !WAITS(id) -> id++
  :: else -> break
  od
  if
  :: id > seq -> id = 0
  :: else
  fi
}

/* The end of a task: a terminal status is for ever. */
inline end_task(id, how) {
  assert(WAITS(id));
  status[id] = how
}

/* An effect that readers can see. */
inline take_effect(id, chunk) {
  assert(WAITS(id));                                     /* End: nothing happens to what has ended */
  assert(chunk == effects[id]);                          /* Once: each chunk, in turn */
  assert(applied == base);                               /* and made from what is there */
  for (before : 1 .. TASKS) {
    assert(before >= id || !WAITS(before))               /* Order: all before it have ended */
  }
  before = 0;
  effects[id]++
}

/* What an owner is handed; of two small tasks in a row both, to be applied with one read and one round trip. */
inline read_window() {
  chunk = chunks_done[id]; base = applied;
  ahead = id < seq && CHUNKS(id) == 1 && CHUNKS(id + 1) == 1 && WAITS(id + 1)
}

inline forget() {
  id = 0; chunk = 0; base = 0; before = 0; ahead = false; more = false; none_left = false
}

inline ring() {
  if
  :: awake                                               /* is_watched: it will be found without */
  :: else -> jobs++
  fi
}

proctype Sender() {
  byte batch = 1;
  bool must_ring;
  do
  :: batch > BATCHES -> break
  :: else ->
     backlog = true;                                     /* Backlog.before_submit */
send:
     atomic {                                            /* submit_batch */
       if
       :: NONCE && stored[batch] > 0
       :: else ->
          seq++;
          status[seq] = QUEUED;
          stored[batch]++;
          assert(stored[batch] == 1);                    /* Once: a batch is one task */
          must_ring = lease == NOBODY && !rung;
          rung = rung || must_ring
       fi
     }
     if
     :: atomic { FAULT; must_ring = false; goto send }   /* the answer was lost: sent again with the same nonce */
     :: atomic { FAULT; goto died }                      /* ingress dies */
     :: backlog = true                                   /* Backlog.after_submit */
     fi;
     if
     :: atomic { must_ring -> ring() }                   /* Bell */
     :: else
     fi;
died:
     must_ring = false;
     batch++
  od;
  sent = true
}

proctype Worker(byte me) {
  byte id, chunk, base, before;
  bool ahead, refused, more, none_left;

end_idle:
  if
  :: atomic { jobs > 0 -> jobs-- }                       /* the job ingest.drain_partition */
  :: atomic { SWEEP && backlog && lease == NOBODY }      /* Backlog.unowned, of the sweep */
  fi;

look:
  atomic {                                               /* acquire_lease */
    find_head(id);
    if
    :: id == 0 -> rung = false; goto seen_empty
    :: id != 0 && lease != NOBODY -> goto pull           /* OWNED */
    :: else -> lease = me; knows[me] = true; rung = false; read_window()
    fi
  }

work:
  if
  :: atomic { CHUNKS(id) > 1 && chunk == 0 ->            /* begin */
       find_head(before);
       if
       :: !OWNS(me) -> goto pull                         /* FENCED */
       :: OWNS(me) && HEAD && before != id -> goto changed   /* CANCELED, NOT_HEAD */
       :: else -> assert(WAITS(id)); status[id] = IN_PROGRESS
       fi;
       before = 0
     }
  :: CHUNKS(id) == 1 || chunk > 0
  :: atomic { FAULT; goto die }
  fi;

commit:
  atomic {                                               /* commit_chunk */
    find_head(before);
    if
    :: !OWNS(me) -> goto pull                            /* FENCED */
    :: OWNS(me) && REPLAY && applied == NAME(id, chunk)   /* ALREADY_DONE */
    :: else ->
       if
       :: HEAD && before != id -> refused = true         /* CANCELED, NOT_HEAD */
       :: CHUNK && chunks_done[id] != chunk -> refused = true   /* WRONG_CHUNK */
       :: BASE && applied != base -> refused = true      /* STALE */
       :: else ->
          take_effect(id, chunk);
          chunks_done[id]++;
          applied = NAME(id, chunk);
          status[id] = (chunks_done[id] == CHUNKS(id) -> DONE : IN_PROGRESS)
       fi
    fi;
    before = 0;
    if
    :: ahead -> base = NAME(id, chunk); id++; ahead = false; refused = false; goto commit    /* sent together */
    :: else
    fi;
    if
    :: refused -> refused = false; goto changed
    :: else
    fi;
    find_head(before);
    none_left = before == 0;
    before = 0;
    if                                                   /* wants_more, until the slice is spent */
    :: more = true
    :: more = false
    fi;
    if
    :: EMPTY_CHECK && more && none_left -> lease = NOBODY    /* RELEASED */
    :: else
    fi
  }
  if
  :: atomic { FAULT; none_left = false; more = false; goto commit }    /* the answer was lost: sent again */
  :: atomic { FAULT; goto die }
  :: atomic { more && none_left -> more = false; none_left = false;
       if
       :: EMPTY_CHECK -> goto seen_empty
       :: else -> goto release
       fi
     }
  :: atomic { more && !none_left ->                      /* the next window, which came with the answer */
       more = false;
       goto changed
     }
  :: atomic { !more -> none_left = false;                /* yield_lease */
       if
       :: !OWNS(me) -> goto pull
       :: else -> lease = NOBODY; rung = true
       fi
     }
     if
     :: atomic { FAULT; goto die }
     :: atomic { true -> ring(); goto pull }             /* Bell */
     fi
  fi;

changed:                                                 /* acquire_lease with the same nonce: what is the head now? */
  atomic {
    before = 0;
    find_head(id);
    if
    :: id == 0 -> rung = false
    :: id != 0 && lease == NOBODY -> lease = me; knows[me] = true; rung = false; read_window(); goto work
    :: id != 0 && lease == me && knows[me] -> read_window(); goto work
    :: else -> goto pull
    fi
  }

release:
  atomic {                                               /* release_lease */
    find_head(before);
    if
    :: !OWNS(me) -> goto pull                            /* FENCED */
    :: OWNS(me) && EMPTY_CHECK && before != 0 -> goto changed   /* NOT_EMPTY */
    :: else -> lease = NOBODY
    fi
  }

seen_empty:
  atomic { forget(); backlog = false };                  /* Backlog.remove: take it out ... */
  atomic {                                               /* ... and look */
    find_head(id);
    if
    :: MARK_AGAIN && id != 0 -> backlog = true
    :: else
    fi
  }

pull:                                                    /* Puller */
  atomic {
    forget();
    awake = AWAKE;                                       /* Backlog.stay_awake */
    if
    :: backlog && lease == NOBODY -> goto look           /* Backlog.unowned */
    :: else -> if :: AWAKE :: else -> goto end_idle fi
    fi
  }
  awake = false;                                         /* Backlog.fall_asleep */
  if
  :: atomic { LOOK_AGAIN && backlog && lease == NOBODY }; goto look
  :: else -> goto end_idle
  fi;

die:                                                     /* and another takes its place; its lease stays */
  atomic { forget(); knows[me] = false; goto end_idle }
}

proctype Canceler() {
  atomic {                                               /* change_tasks */
    if
    :: status[CANCELS] == QUEUED -> end_task(CANCELS, CANCELED)
    :: status[CANCELS] != QUEUED && status[CANCELS] != ABSENT
    fi
  }
}

/* Time, and what happens to the broker. */
proctype World() {
end_of_world:
  do
  :: atomic { lease != NOBODY && !knows[lease] -> lease = NOBODY }                            /* a dead owner's lease */
  :: atomic { lease != NOBODY && knows[lease] && FAULT; knows[lease] = false; lease = NOBODY }  /* a sleeping one's */
  :: rung && faults > 0 -> rung = false                  /* its TTL; before the first fault the ring is heard first */
  :: awake && faults > 0 -> awake = false                /* its TTL; nobody's flag outlives its owner otherwise */
  :: atomic { jobs > 0 && FAULT; jobs-- }
  :: atomic { jobs > 0 && FAULT; jobs++ }
  :: atomic { SCAN && !backlog && seq > 0 && (WAITS(1) || WAITS(2) || WAITS(3)) -> backlog = true }   /* add_forgotten */
  od
}

init {
  byte id;
  atomic {
    for (id : 1 .. TASKS) { status[id] = ABSENT }
    run Sender();
    run Canceler();
    run Worker(1); run Worker(2);
    run World()
  }
  timeout;                                               /* nothing moves any more: */
  assert(sent);
  for (id : 1 .. TASKS) {
    assert(!WAITS(id))                                   /* End: nothing waits for ever */
  }
}
