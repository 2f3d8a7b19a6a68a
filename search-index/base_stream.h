/* Where bases of the search log are kept: the stream `{nats.stream}_SEARCHBASE`; see base.h.
 *
 * One writes at a time: each message is stored under the sequence of the one before it, so whoever
 * has begun keeps an earlier writer from storing anything more, its head above all. A base's
 * messages therefore stand one behind the other, and the newest head is of a base that is whole.
 * For one thread; blocks up to the connection's time limits. */
#ifndef WALCAST_SEARCH_INDEX_BASE_STREAM_H
#define WALCAST_SEARCH_INDEX_BASE_STREAM_H

#include "fanout/fanout.h"
#include "search-index/base.h"
#include "search-index/spec.h"

/* ---- Reading ---- */

typedef struct {
    bool exists;
    uint64_t sequence; /* of its head */
    uint64_t bytes;    /* of the stream */
    int64_t stored_us;
    search_base_head head;
} search_base_found;

/* The newest one. One that this version cannot read is an error. */
CORE_MUST_CHECK bool search_base_find(const search_spec *spec, fanout_connection *connection,
                                      search_base_found *found, core_error *error);
/* One message's bytes, which `bytes` is reset to. INPUT: it is there no more, for there is a newer
 * base. */
CORE_MUST_CHECK bool search_base_message(const search_spec *spec, fanout_connection *connection,
                                         uint64_t sequence, core_buffer *bytes, core_error *error);
/* All of the catalog. `bytes` holds its texts. */
CORE_MUST_CHECK bool search_base_catalog_load(const search_spec *spec,
                                              fanout_connection *connection,
                                              const search_base_found *found, core_buffer *bytes,
                                              search_base_catalog *catalog, core_error *error);

/* ---- Writing ---- */

typedef struct {
    const search_spec *spec;
    fanout_connection *connection;
    char stream[FANOUT_NAME_MAX];
    char subject[CORE_SUBJECT_MAX]; /* of its parts */
    bool is_second;                 /* that is the second of two */
    char id[CORE_SNAPSHOT_ID_SIZE];
    uint64_t count;      /* messages that were stored */
    uint64_t last;       /* the sequence of the last one */
    uint64_t first;      /* of the first one */
    uint64_t room_bytes; /* that are left for it */
    size_t most_bytes;   /* of one message */
} search_base_writer;

/* Makes the stream if need be, and keeps all others from writing; what they left unfinished goes.
 * `found`: the newest base, which stays so until this one is whole. */
CORE_MUST_CHECK bool search_base_write_begin(search_base_writer *writer, const search_spec *spec,
                                             fanout_connection *connection,
                                             search_base_found *found, core_error *error);
/* The next message, at most `most_bytes`. CONFLICT: somebody else writes now; FULL: there is no
 * room. */
CORE_MUST_CHECK bool search_base_write(search_base_writer *writer, core_slice bytes,
                                       core_error *error);
/* With it the base counts. Fills in the head's `first` and `is_second`. */
CORE_MUST_CHECK bool search_base_write_head(search_base_writer *writer, search_base_head *head,
                                            core_error *error);
/* What lies before the base goes. */
CORE_MUST_CHECK bool search_base_forget_older(const search_spec *spec,
                                              fanout_connection *connection,
                                              const search_base_head *head, core_error *error);

#endif
