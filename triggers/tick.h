/* One schedule of the ticker's: what it has decided, kept and read again, and its events.
 * Everything here blocks on the broker. Private to the ticker. */
#ifndef WALCAST_TRIGGERS_TICK_H
#define WALCAST_TRIGGERS_TICK_H

#include "fanout/fanout.h"
#include "triggers/definition.h"
#include "triggers/timetable.h"

typedef struct {
    fanout_connection *connection;
    fanout_bucket *state;
    const core_config *config;
    core_log *log;
    const core_clock *clock;
    char stream[FANOUT_NAME_MAX]; /* of events */
} triggers_tick_place;

typedef struct {
    const triggers_definition *definition; /* held */
    triggers_timetable *timetable;
    bool loaded;
    int64_t last_us;   /* decided up to here */
    int64_t next_us;   /* NEVER: none comes */
    uint64_t sequence; /* of the last event on its subject; 0: none */
    uint64_t revision; /* of the record; 0: none */
} triggers_tick;

/* {"schedule","time"}. */
void triggers_tick_body(const triggers_definition *definition, int64_t moment_us,
                        core_buffer *body);

/* Reads what was decided last: of the record and the last event the later one. A schedule that is
 * new, or was made anew or switched on again since, begins now. */
CORE_MUST_CHECK bool triggers_tick_load(const triggers_tick_place *place, triggers_tick *tick,
                                        core_error *error);
/* Has what is due happen. CONFLICT: somebody else wrote; load it again. `due` is room for it. */
CORE_MUST_CHECK bool triggers_tick_fire(const triggers_tick_place *place, triggers_tick *tick,
                                        int64_t now_us, triggers_timetable_due *due,
                                        core_error *error);

/* An event of type walcast.run.NAME, for one that was asked for by hand; asked again under the same
 * key within the stream's duplicate window it is written once. `key` may be empty. */
CORE_MUST_CHECK bool triggers_tick_run(fanout_connection *connection, const core_config *config,
                                       const triggers_definition *definition, int64_t moment_us,
                                       core_slice key, core_error *error);

/* ---- The record ---- */
typedef struct {
    int64_t last_us;
    core_slice since; /* the definition's: another one, another schedule of the same name */
    bool off;         /* it was disabled */
} triggers_tick_record;

void triggers_tick_record_write(const triggers_tick_record *record, core_buffer *out);
CORE_MUST_CHECK bool triggers_tick_record_read(core_slice text, triggers_tick_record *record);

#endif
