/* The replayer: reads stored broadcasts for those who join and ask for what was said before.
 *
 * Reading blocks on the broker, so it has a thread of its own, one question at a time; more wait,
 * up to WS_REPLAYS_WAITING. Answers come on that thread. */
#ifndef WALCAST_WS_REPLAYER_H
#define WALCAST_WS_REPLAYER_H

#include "fanout/fanout.h"
#include "ws/broadcast.h"

#define WS_REPLAY_MAX 25 /* messages of one replay */

typedef struct ws_replay ws_replay;

/* One question and its answer; owned by who asks, and by the replayer until `done`. */
struct ws_replay {
    ws_replay *next;
    core_block *topic; /* a reference; "realtime:" included */
    ws_protocol protocol;
    int64_t since_us; /* stored then or later */
    size_t limit;     /* 1 to WS_REPLAY_MAX */
    void (*done)(ws_replay *replay);
    /* The answer. */
    bool ok;
    core_error error;
    size_t count;
    core_block *frames[WS_REPLAY_MAX]; /* the oldest first */
    char ids[WS_REPLAY_MAX][WS_BROADCAST_ID_SIZE];
};

typedef struct ws_replayer ws_replayer;

/* Starts the thread. Everything must outlive it. */
CORE_MUST_CHECK ws_replayer *ws_replayer_new(const core_config *config, const core_clock *clock,
                                             core_error *error);
/* Ends what waits without an answer (`done` with ok false), then the thread. */
void ws_replayer_free(ws_replayer *replayer);
/* Any thread: the connection to read with, which must outlive the replayer. */
void ws_replayer_connect(ws_replayer *replayer, fanout_connection *connection);
/* Any thread; never waits. False: too many wait, `done` is not called. */
CORE_MUST_CHECK bool ws_replayer_ask(ws_replayer *replayer, ws_replay *replay);
/* Its frames and topic. */
void ws_replay_fini(ws_replay *replay);

#endif
