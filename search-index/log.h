/* The search log: the stream `{nats.stream}_SEARCH`, an ordered record of what was asked of the
 * source's indexes. Whoever appends gets the record's sequence, the task's number. The stream is
 * made with the first record. For one thread at a time; blocks up to the connection's time limits.
 */
#ifndef WALCAST_SEARCH_INDEX_LOG_H
#define WALCAST_SEARCH_INDEX_LOG_H

#include "fanout/fanout.h"
#include "search-index/record.h"
#include "search-index/spec.h"

typedef struct search_log search_log;

/* Connects with the first call that needs it; `name` is shown by the server. */
CORE_MUST_CHECK search_log *search_log_new(const search_spec *spec, const char *name,
                                           core_error *error);
void search_log_free(search_log *log); /* NULL is allowed */
/* LIMIT: the record is larger than the server takes; FULL: the log has no room; TRANSIENT: it may
 * have been taken or not. */
CORE_MUST_CHECK bool search_log_append(search_log *log, const search_record *record,
                                       uint64_t *sequence, core_error *error);
/* The body of a record that was read, with all its pieces: in `body`, to which it then points.
 * `stored_us`: when the log took the record. Where pieces are gone, or were taken more than
 * SEARCH_PIECE_AGE_US before, the record is void: every node finds that. */
CORE_MUST_CHECK bool search_record_complete(fanout_connection *connection, const char *stream,
                                            int64_t stored_us, search_record *record,
                                            core_buffer *body, core_error *error);
/* NULL: no server answers. */
CORE_MUST_CHECK fanout_connection *search_log_connection(search_log *log, core_error *error);

/* The stream's name, and the filter that lets all of it through; `*exists` and `info` tell of it.
 * `info->first_sequence` is behind all that the log has forgotten. */
CORE_MUST_CHECK bool search_log_look(const search_spec *spec, fanout_connection *connection,
                                     char stream[FANOUT_NAME_MAX], char filter[CORE_SUBJECT_MAX],
                                     bool *exists, fanout_stream_info *info, core_error *error);

#endif
