/* Runs of the store's servers, ids, and a reader of the change feed: one catalog, in every order of events.
 *
 * A server gives out ids, a copy of it is put aside, it restarts, the copy is put back, and again.  Time passes in ticks; in
 * each a run gives out one id at most, as no catalog gives out more than a run has room for.  A run lasts a tick at least.
 *
 * Asserted: no id is given out twice, in whatever history; and a reader is never told to go on from a position whose task
 * is not the one that it followed.
 *
 * tests/model/test_runs.py goes through it, whole and with each protection taken away by -DNAME=0.
 */

#ifndef NUMBER        /* each run has a number, and its ids begin further up */
#define NUMBER 1
#endif
#ifndef ELAPSED       /* numbers grow with the time since the store was last alive, as far as it knows */
#define ELAPSED 1
#endif
#ifndef GAP           /* ids that were passed over are noted */
#define GAP 1
#endif
#ifndef LOSES         /* the store may come back without its last id, whose number is on the disk all the same */
#define LOSES 1
#endif

#ifndef TICKS
#define TICKS 6
#endif
#define IDS 110
#define RUNS 8
#define ROOM 1        /* ids of each number */

/* The store: what is on its disk. */
byte seq, last, alive, noted;         /* last id; highest number; last tick noted; number of the run that gave it out */
bool knows[RUNS];                     /* runs that it had */
bool passed[IDS];                     /* ids in gaps */
byte owner[IDS];                      /* run that gave out each of its ids; 0: none */

/* A copy of it. */
bool copied;
byte seq_c, last_c, alive_c, noted_c;
bool knows_c[RUNS], passed_c[IDS];
byte owner_c[IDS];

/* What nobody in it can see. */
byte now, current, since, runs;                  /* the tick; the run that is on, since when; runs there ever were */
byte given[IDS];                      /* by which run, in whatever history; 0: not yet */
bool gave;                            /* in this tick */
byte at, at_run, at_owner;            /* a position told to a reader: task, run, and the run that had given it out */
byte i;

inline number_run() {                                    /* number_run */
  if
  :: knows[current]
  :: else ->
     last = last + 1 + (ELAPSED -> 3 * (now - alive) : 0);
     knows[current] = true
  fi;
  alive = now
}

inline submit() {                                        /* _submission: next_task_id */
  alive = now;                                           /* a sign of life, of id_writes */
  if
  :: NUMBER && noted != last ->
     i = seq + 1;
     seq = seq + ROOM * (last - noted);
     do
     :: i > seq -> break
     :: else -> passed[i] = GAP; i++
     od;
     noted = last
  :: else
  fi;
  seq++;
  assert(seq < IDS);
  assert(given[seq] == 0);                               /* no id twice */
  given[seq] = current;
  owner[seq] = current;
  gave = true;
  i = 0
}

inline ask() {                                           /* list_ended, from the position that was told */
  if
  :: !knows[at_run]                                      /* 410 */
  :: else ->
     if
     :: at > seq || passed[at]                           /* 410 */
     :: else -> assert(owner[at] == at_owner)            /* no silent gap */
     fi
  fi
}

inline start() {
  runs++;
  current = runs;
  since = now;
  number_run()
}

active proctype World() {
  atomic { start() }
  do
  :: now < TICKS -> atomic { now++; gave = false }
  :: atomic { !gave && now < TICKS -> submit() }
  :: atomic { at == 0 && seq > 0 && owner[seq] != 0 -> at = seq; at_run = current; at_owner = owner[seq] }
  :: atomic { at != 0 -> ask() }
  :: atomic { !copied -> copied = true;                  /* a backup */
       seq_c = seq; last_c = last; alive_c = alive; noted_c = noted;
       for (i : 0 .. RUNS - 1) { knows_c[i] = knows[i] }
       for (i : 0 .. IDS - 1) { passed_c[i] = passed[i]; owner_c[i] = owner[i] }
       i = 0
     }
  :: atomic { copied && runs < RUNS - 1 && now < TICKS && now > since -> /* put back, or a replica takes over; a tick goes by */
       now++; gave = false;
       seq = seq_c; last = last_c; alive = alive_c; noted = noted_c;
       for (i : 0 .. RUNS - 1) { knows[i] = knows_c[i] }
       for (i : 0 .. IDS - 1) { passed[i] = passed_c[i]; owner[i] = owner_c[i] }
       i = 0;
       start()
     }
  :: atomic { LOSES && runs < RUNS - 1 && now < TICKS && now > since && seq > 0 && owner[seq] == current && gave ->    /* a crash */
       now++; gave = false;
       owner[seq] = 0; seq--;
       start()
     }
  :: now == TICKS -> break
  od
}
