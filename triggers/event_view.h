/* A stored event as GET /events/v1 shows it, and its id: "{epoch}-{sequence}", the epoch that of
 * the stream (when it was made), so that an id of another stream is never another event's. Pure.
 * Private to the room. */
#ifndef WALCAST_TRIGGERS_EVENT_VIEW_H
#define WALCAST_TRIGGERS_EVENT_VIEW_H

#include "fanout/fanout.h"

#define TRIGGERS_EVENT_ID_SIZE 48

void triggers_event_id(int64_t created_us, uint64_t sequence, char id[TRIGGERS_EVENT_ID_SIZE]);
typedef enum {
    TRIGGERS_EVENT_ID_OURS,
    TRIGGERS_EVENT_ID_OTHERS, /* of a stream that is no more */
    TRIGGERS_EVENT_ID_NONE,   /* not an id */
} triggers_event_id_kind;
triggers_event_id_kind triggers_event_id_read(core_slice id, int64_t created_us,
                                              uint64_t *sequence);

/* {"id","type","time","source","data"}, and "offset" of one that was a logical message, "depth" of
 * one that triggers caused. Data that is no JSON is a string, or "data_base64" where it is no
 * UTF-8. */
void triggers_event_write(const fanout_answer *answer, int64_t created_us, core_json_writer *json);

#endif
