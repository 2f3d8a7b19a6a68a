/* The parts of `walcast tail`: where it starts, what it shows, how it prints. Private to cli. */
#ifndef WALCAST_CLI_TAIL_H
#define WALCAST_CLI_TAIL_H

#include "fanout/fanout.h"

#define TAIL_NAME_MAX 256 /* PostgreSQL's names are at most 63 bytes */

/* ---- Where to start (tail_place.c) ---- */
typedef enum {
    TAIL_FIRST,
    TAIL_NOW,
    TAIL_SEQUENCE,
    TAIL_LSN,
    TAIL_TIME,
} tail_place_kind;

typedef struct {
    tail_place_kind kind;
    uint64_t sequence;
    core_lsn lsn;
    int64_t time_us;
} tail_place;

/* The value of --from. INPUT error with what was expected. */
CORE_MUST_CHECK bool tail_place_parse(const char *text, tail_place *place, core_error *error);

typedef struct {
    char schema[TAIL_NAME_MAX];
    char table[TAIL_NAME_MAX];
} tail_table;

/* The value of --table: S.T, or T in `home_schema`; each part as it is, or in double quotes, where
 * two of them stand for one. */
CORE_MUST_CHECK bool tail_table_parse(const char *text, const char *home_schema, tail_table *table,
                                      core_error *error);

/* ---- How it prints (tail_print.c) ---- */
/* `table` and `place` must outlive it. */
typedef struct {
    bool json;
    bool shapes;             /* first SCHEMAs too */
    const tail_table *table; /* NULL: all */
    const tail_place *place; /* changes committed before it are left out */
    core_buffer out;         /* lines not yet written */
    core_arena arena;        /* of the run being printed */
} tail_printer;

void tail_printer_init(tail_printer *printer, bool json, const tail_table *table,
                       const tail_place *place);
void tail_printer_fini(tail_printer *printer);
/* Appends a line for each change of the stored message that is to be shown. */
CORE_MUST_CHECK bool tail_print_message(tail_printer *printer, core_slice payload,
                                        uint64_t sequence, core_error *error);

/* ---- Where a place is in the stream (tail_seek.c) ---- */
/* For a place given as LSN or time: a sequence at or shortly before the first message that holds a
 * change at or behind it; one past the last when there is none. Asks for about log2 of the stream's
 * messages. */
CORE_MUST_CHECK bool tail_seek(fanout_connection *connection, const char *stream,
                               const fanout_stream_info *info, const tail_place *place,
                               uint64_t *sequence, core_error *error);
/* The transaction was committed before the place. */
bool tail_place_is_behind(const tail_place *place, const core_transaction *transaction);

#endif
