/* Whether changes flow beside a snapshot, which then gives way: it reads little at a time, one
 * piece after the other, and rests in between, so that a change waits for a small message at the
 * most and finds the processors free most of the time (snapshot.live_share). Pure logic. */
#ifndef WALCAST_CDC_SNAPSHOT_FLOW_H
#define WALCAST_CDC_SNAPSHOT_FLOW_H

#include "core/core.h"

#define CDC_FLOW_TRANSACTIONS 20 /* a second: from here on changes flow */
#define CDC_FLOW_WINDOW_US    1000000

/* What a piece and a message come to while changes flow. */
#define CDC_FLOW_PIECE_BYTES ((uint64_t)64 << 10)
#define CDC_FLOW_RUN_BYTES   ((size_t)8 << 10)
#define CDC_FLOW_SEND_RATE   ((uint64_t)1 << 20) /* bytes a second, of rows that were read */

typedef struct {
    int64_t window_us; /* when it began; 0: never */
    uint64_t seen;
    bool flows;
} cdc_snapshot_flow;

/* Transactions with changes that were just taken in, perhaps none. They flow as soon as a window
 * has enough, and no more once a whole window had less. */
bool cdc_snapshot_flow_count(cdc_snapshot_flow *flow, uint64_t transactions, int64_t now_us);
/* How long to rest after a piece that took so long, for work to be `share_percent` of the time. */
int64_t cdc_snapshot_flow_rest_ms(int64_t took_ms, int64_t share_percent);

/* How long after a message of rows the next one goes out. */
int64_t cdc_snapshot_flow_send_ms(size_t bytes);

#endif
