/* The hub's inside, shared by hub.c and hub_spread.c. */
#ifndef WALCAST_WS_HUB_PRIVATE_H
#define WALCAST_WS_HUB_PRIVATE_H

#include "ws/hub.h"
#include "ws/hub_ask.h"
#include "ws/hub_lane.h"
#include "ws/hub_ring.h"
#include "ws/hub_room.h"
#include "ws/hub_snapshot.h"
#include "ws/hub_tail.h"
#include "ws/presence.h"
#include "ws/replayer.h"
#include "ws/session_table.h"

#include "fanout/fanout.h"

#include <pthread.h>

typedef enum {
    HUB_MESSAGE_CHANGE, /* a message of the stream */
    HUB_MESSAGE_LOST,   /* the consumer lost its place */
    HUB_MESSAGE_BEGIN,  /* what follows comes behind `sequence`, in `epoch` */
} hub_message_kind;

typedef struct {
    hub_message_kind kind;
    core_block *payload;
    uint64_t sequence;
    char epoch[CORE_EPOCH_TEXT_SIZE];
} hub_message;

/* A join on its way: see hub_join.c. */
typedef struct hub_joining hub_joining;
struct hub_joining {
    ws_hub *hub;
    hub_joining *next;
    size_t thread;
    ws_command command;
    int64_t asked_ms;
    hub_role *role; /* NULL: not asked for yet */
    bool asked;     /* what the policies say of its private channel */
    auth_channel_rights rights;
};

/* A member's place in a class and a room. */
typedef struct {
    size_t thread;
    uint64_t member;
    uint32_t attempt;
    unsigned rights;
    uint32_t class_id, room_id, presence_id;
    bool lags; /* in the slow audience */
} hub_seat;

/* One who comes back and waits for a lane. */
typedef struct {
    hub_passenger passenger;
    uint64_t position;
} hub_resumer;

/* A change's JSON for one selection of columns. */
typedef struct {
    core_slice columns; /* of the first class that wanted it; empty: all */
    const auth_table *visible;
    bool left;
    bool hides_old;
    core_buffer data;
} hub_encoding;

/* The last frame that was made of the change at hand, for the next class that wants the same: under
 * row-level security each of its subscribers has a class of its own. */
typedef struct {
    core_block *frame; /* NULL: none */
    const core_buffer *data;
    ws_protocol protocol;
    core_buffer head;
} hub_made;

#define HUB_JOINS_MAX ((size_t)1 << 18) /* that wait for the stream or a role; more are refused */
#define HUB_ACCESS_MS 5000              /* the longest that the stream waits for a decision */
#define HUB_NODE_SIZE 17                /* 16 hexadecimal digits and NUL */
#define HUB_JOIN_MS   20000             /* the longest that a join waits; those who ask wait less */
#define HUB_TOLD_MAX  256               /* tables that a class is told it may not see */
#define HUB_ENCODINGS 8 /* kept a change; further selections are encoded again where they recur */

struct ws_hub {
    uint32_t magic;
    ws_server *server;
    unsigned source; /* its number among the process's */
    core_log *log;
    core_metrics *metrics;
    const core_clock *clock;
    const char *publication; /* postgres.publication */
    void (*readers_changed)(void *context);
    void *readers_context;
    size_t threads;
    core_ring *messages;
    atomic_size_t message_bytes; /* waiting in the ring */
    atomic_bool live;
    atomic_bool stop;
    atomic_bool stop_feeding;
    pthread_t thread;
    hub_ids class_ids;
    hub_classes classes;
    hub_rooms rooms;
    hub_access access;
    pg_pool *pool;
    atomic_bool access_changed;
    bool ordering;       /* DDL was noted, and roles may not have caught up with it */
    bool ordering_blind; /* they do not in time: nothing narrows by what was known before */
    hub_joining *joins;  /* that wait, the last one first */
    size_t joins_waiting;
    int64_t joins_looked_ms; /* when those that waited too long were looked for */
    hub_joining *answers;    /* those whose private channel was decided, under the lock */
    pthread_mutex_t answers_lock;
    char epoch[CORE_EPOCH_TEXT_SIZE]; /* of the last message; empty: none yet */
    bool was_live;                    /* when joins were tried last */
    bool begun;                       /* what is fed goes on from a known place */
    uint64_t position;                /* all up to it was spread to the live classes */
    ws_place last;                    /* of the last change that was */
    int64_t position_told_ms;         /* when the threads were told of it last */
    hub_message held;                 /* waits for what a role may see of it; or no payload */
    uint32_t held_change;             /* its changes before this one were spread */
    int64_t held_since_ms;
    bool impatient; /* what is not decided by now counts as refused */
    hub_tail tail;
    hub_lane lanes[WS_LANES];
    hub_reader readers[WS_LANES];
    struct {
        hub_classes classes;
        uint64_t position;    /* all up to it was spread to them */
        uint32_t next_change; /* of the message behind it */
    } slow;
    hub_ask *asks; /* all that are under way or awaited */
    int64_t policy_timeout_ms;
    hub_resumer *resumes; /* those who wait for a lane */
    size_t resume_count, resume_capacity;
    int64_t resume_gathers_ms; /* they wait for others until then; 0: for a lane only */
    hub_snapshots snapshots;
    /* Other gateways, and presence (hub_bus.c, hub_presence.c). */
    _Atomic(fanout_bus *) bus; /* NULL until there is a connection */
    core_ring *heard;          /* what they say */
    atomic_size_t heard_bytes; /* in the ring */
    atomic_bool bus_lost;      /* some of it was lost */
    core_subject_scope scope;
    char node[HUB_NODE_SIZE]; /* this gateway's name among them */
    core_buffer envelope;
    ws_presence *presence;
    bool presence_changed;
    int64_t ticked_ms;
    ws_replayer *replayer;
    struct hub_replay *replays;          /* under way */
    struct hub_replay *replays_answered; /* under answers_lock */
    /* Of the message and the change at hand. */
    core_arena arena;
    core_buffer head;
    uint64_t stamp;
    hub_class *touched;
    bool unsaid;           /* something is kept from somebody, and memory was out to say so */
    hub_class *settling;   /* whose rules are to be narrowed by their policies */
    hub_classes *audience; /* the live classes, or a lane's */
    const core_run *run;   /* of the message at hand */
    const core_change *change;
    const core_tuple *images[2]; /* its new and old one as policies see them; NULL: not yet made */
    uint64_t images_stamp;       /* of which change */
    core_offset offset;
    hub_encoding encodings[HUB_ENCODINGS];
    size_t encoding_count;
    core_buffer row_key; /* of the frame at hand */
    hub_made made;
};

/* ---- hub.c ---- */
/* Waits while the thread's ring is full. */
void hub_deliver(ws_hub *hub, size_t thread, const ws_delivery *delivery);

/* `reason` goes to the member; one that was joined must join again. */
void hub_refuse(ws_hub *hub, size_t thread, uint64_t member, uint32_t attempt, const char *reason);
/* Into the subscription's room and its class of `classes`; fills the seat. The subscription's
 * reference is taken, whatever comes of it. */
CORE_MUST_CHECK bool hub_enter(ws_hub *hub, hub_classes *classes, ws_subscription *subscription,
                               hub_seat *seat, core_error *error);
/* Into its rooms alone; the seat must be in none. False when memory is out: it may be in one. */
CORE_MUST_CHECK bool hub_enter_rooms(ws_hub *hub, const ws_subscription *subscription,
                                     hub_seat *seat);
/* Tells the member where it sits; `has`: it has all up to there. */
void hub_joined(ws_hub *hub, const hub_seat *seat, bool live, ws_place has);

/* The stream's tail is being consumed, from a known place on. */
bool hub_is_live(ws_hub *hub);

/* A message of the live stream is held in its midst: some of its changes were spread. */
static inline bool hub_is_midway(const ws_hub *hub) {
    return hub->held.payload != NULL && hub->held_change > 0;
}

/* ---- hub_join.c ---- */
/* Takes the command's subscription. */
void hub_join(ws_hub *hub, size_t thread, const ws_command *command);
/* Goes on with those whose private channel was decided. */
void hub_joins_answered(ws_hub *hub);
/* The stream is live, or what a role may see has changed: tries all that wait. */
void hub_joins_again(ws_hub *hub);
/* Forgets those that have waited for too long. */
void hub_joins_expire(ws_hub *hub, int64_t now_ms);
/* The pool must have stopped. */
void hub_joins_fini(ws_hub *hub);

/* ---- hub_bus.c ---- */
CORE_MUST_CHECK bool hub_bus_init(ws_hub *hub, const core_config *config, core_error *error);
void hub_bus_fini(ws_hub *hub);
/* Spreads a broadcast here and hands it to the other gateways. */
void hub_say(ws_hub *hub, ws_broadcast *broadcast);
/* What this gateway tells the others about presence. */
void hub_bus_presence(ws_hub *hub, core_slice bytes);
/* What other gateways said. */
void hub_bus_take(ws_hub *hub);
/* A logical message of the stream, that of realtime.send among them: spread here, as each gateway
 * does for itself. */
void hub_spread_message(ws_hub *hub, const core_change *change);

/* ---- hub_presence.c ---- */
CORE_MUST_CHECK bool hub_presence_init(ws_hub *hub, const core_config *config, core_error *error);
/* Says goodbye to the other gateways. */
void hub_presence_fini(ws_hub *hub);
/* Each takes the wish. */
void hub_presence_track(ws_hub *hub, size_t thread, uint64_t member, ws_presence_wish *wish);
void hub_presence_state(ws_hub *hub, size_t thread, uint64_t member, ws_presence_wish *wish);
void hub_presence_untrack(ws_hub *hub, uint64_t member);
/* After each round: tells what has changed, and looks at the clock. */
void hub_presence_round(ws_hub *hub);

/* ---- hub_replay.c ---- */
CORE_MUST_CHECK bool hub_replay_init(ws_hub *hub, const core_config *config, core_error *error);
void hub_replay_fini(ws_hub *hub);
/* The member was joined: asks for what was said before, if its subscription wants that. */
void hub_replay_begin(ws_hub *hub, const hub_seat *seat, const ws_subscription *subscription);
/* A broadcast was spread: replays under way need not tell it. */
void hub_replay_note(ws_hub *hub, const ws_broadcast *broadcast);
void hub_replays_answered(ws_hub *hub);

/* ---- hub_resume.c ---- */
CORE_MUST_CHECK bool hub_resume_init(ws_hub *hub, size_t row_max, core_error *error);
void hub_resume_fini(ws_hub *hub);
/* A join with `since`, while the stream is live. Takes the passenger's reference. */
void hub_resume(ws_hub *hub, const hub_passenger *passenger, const core_offset *since);
/* The same, behind `position` of the present epoch. */
void hub_resume_behind(ws_hub *hub, const hub_passenger *passenger, uint64_t position);
/* The threads have enough history to send: more would hold up what is live. They wake the hub. */
bool hub_history_is_ahead(const ws_hub *hub);
/* A bounded piece of history for those who catch up. True: there is more to do at once. */
CORE_MUST_CHECK bool hub_resume_step(ws_hub *hub);
/* Somebody is catching up: look again soon. */
bool hub_resume_waits(const ws_hub *hub);
/* The live stream was interrupted: all must begin anew. */
void hub_resume_reset(ws_hub *hub);

/* ---- hub_secure.c ---- */
typedef enum {
    HUB_SECURED_NO,
    HUB_SECURED_YES,
    HUB_SECURED_LATER, /* once its members have joined anew, or PostgreSQL has answered */
} hub_secured;
/* Whether the class gets the change at hand, of a table on which row-level security applies to its
 * role; may turn what it matched into leaves. */
CORE_MUST_CHECK hub_secured hub_secure(ws_hub *hub, hub_class *class,
                                       const auth_table_decision *sight);

/* ---- hub_order.c ---- */
/* A message of the stream tells of DDL that the hub has not passed yet: what stands behind it
 * waits. */
void hub_order_note(ws_hub *hub, const core_change *change);
/* The live stream begins: what was in it before is not known. */
void hub_order_begin(ws_hub *hub);
/* The live change at hand, before anything is looked up for it, must wait. */
CORE_MUST_CHECK bool hub_order_holds(ws_hub *hub);

/* ---- hub_slow.c ---- */
void hub_slow_init(ws_hub *hub);
void hub_slow_fini(ws_hub *hub);
/* Whether what a subscription asks for is decided by PostgreSQL. */
bool hub_slow_suits(const hub_role *role, const ws_subscription *subscription);
/* To be entered: an empty one stands where the live classes do. */
hub_classes *hub_slow_audience(ws_hub *hub);
/* A bounded number of messages. True: there is more to do at once. */
CORE_MUST_CHECK bool hub_slow_step(ws_hub *hub);
/* It is behind the live classes: look again soon. */
bool hub_slow_waits(const ws_hub *hub);
/* The live stream was interrupted: all its members are told by hub_reset. */
void hub_slow_reset(ws_hub *hub);

/* ---- hub_settle.c ---- */
/* The class was held against that policy of the change's table, of those grants: its rules are to
 * be narrowed by it. */
void hub_settle_note(ws_hub *hub, hub_class *class, const hub_class_policy *policy,
                     uint64_t generation);
/* Behind a change: narrows the rules of those that were noted. */
void hub_settle(ws_hub *hub);
/* What roles may see has changed: takes out what no longer counts; or all that is there. */
void hub_unsettle(ws_hub *hub);
void hub_unsettle_all(ws_hub *hub);

/* ---- hub_spread.c ---- */
/* That changes of the table at hand are kept from the class: once a table and kind of reason. */
typedef enum {
    HUB_TOLD_ACCESS,
    HUB_TOLD_FAILED,
    HUB_TOLD_UPDATE,
    HUB_TOLD_DELETE,
    HUB_TOLD_OLD_KEY,
    HUB_TOLD_LEAVE,
} hub_told;
void hub_access_tell(ws_hub *hub, hub_class *class, hub_told kind, const char *reason);
/* What the class may see cannot be known now: its members must join again, and go on from what they
 * have once it can. */
void hub_access_cut(ws_hub *hub, const hub_class *class, const char *reason);
typedef enum { HUB_SPREAD, HUB_RESET, HUB_HELD } hub_outcome;
/* Gives one message's changes to whom they concern. RESET: the message says that changes are
 * missing, is of another epoch than the one before it, or cannot be understood. HELD: what a role
 * may see of it is not known yet; call again with the same `*next`, which is 0 at first: the
 * changes before it were spread. */
CORE_MUST_CHECK hub_outcome hub_spread(ws_hub *hub, core_slice payload, uint64_t sequence,
                                       uint32_t *next);
/* The same of history, to a lane's classes. */
CORE_MUST_CHECK hub_outcome hub_spread_history(ws_hub *hub, hub_classes *audience,
                                               core_slice payload, uint64_t sequence,
                                               uint32_t *next);
/* What is wrong, for who has such a subscription: a system message, or an event with that status.
 * NULL when memory is out. */
core_block *hub_problem_frame(const ws_subscription *subscription, unsigned status,
                              const char *text);
/* One frame a serializer to everybody in the broadcast's room. */
void hub_broadcast(ws_hub *hub, const ws_broadcast *broadcast);
/* A frame to the members of a part, but for `but` of thread `thread` (0: none). */
void hub_spread_part(ws_hub *hub, const hub_part *part, ws_delivery_kind kind, core_block *frame,
                     uint64_t but, size_t thread);
void hub_encodings_init(ws_hub *hub);
void hub_encodings_fini(ws_hub *hub);

#endif
