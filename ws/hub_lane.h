/* A lane: clients that catch up together, from about the same place in the stream's history.
 *
 * It has classes of its own and a position: all up to it was spread to them. It is fed from the
 * hub's tail, or, where that does not reach back so far, by a reader. Once it has come to where the
 * live stream is, its passengers move to the live classes. */
#ifndef WALCAST_WS_HUB_LANE_H
#define WALCAST_WS_HUB_LANE_H

#include "ws/hub_class.h"
#include "ws/hub_reader.h"

typedef enum {
    HUB_LANE_FREE,
    HUB_LANE_OPENING, /* its reader is not open yet: nobody has been answered */
    HUB_LANE_RUNNING,
    HUB_LANE_CLEARING, /* its passengers are gone; their threads have yet to say so */
} hub_lane_state;

/* A client that catches up. */
typedef struct {
    size_t thread;
    uint64_t member;
    uint32_t attempt;
    unsigned rights;
    ws_subscription *subscription; /* a reference */
} hub_passenger;

typedef struct {
    core_state state;
    hub_classes classes;
    hub_reader *reader; /* NULL: from the tail */
    uint64_t position;
    uint32_t next_change; /* of the message behind the position: those before it were spread */
    hub_reader_message message; /* of the reader, when it holds one */
    bool holds;
    uint64_t end;     /* of the stream when the reader was wanted: it has come so far at its last */
    int64_t heard_ms; /* when its reader was wanted, or gave something last */
    uint64_t read_from; /* where the last reader that it began with started, and when; 0: none */
    int64_t read_ms;
    size_t read_boarded; /* clients that came along then */
    hub_passenger *passengers;
    size_t count, capacity;
} hub_lane;

void hub_lane_init(hub_lane *lane, hub_ids *ids, size_t threads, const core_tenants *tenants);
void hub_lane_fini(hub_lane *lane);
/* Takes the passenger's reference over, whatever comes of it. False when memory is out. */
CORE_MUST_CHECK bool hub_lane_add(hub_lane *lane, const hub_passenger *passenger);
/* Forgets all passengers. */
void hub_lane_empty(hub_lane *lane);

#endif
