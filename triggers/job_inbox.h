/* The reader of one partition's inbox: an ordered consumer whose thread puts messages into a
 * bounded line, and waits while that is full; the jobs' thread takes them out. */
#ifndef WALCAST_TRIGGERS_JOB_INBOX_H
#define WALCAST_TRIGGERS_JOB_INBOX_H

#include "fanout/fanout.h"

typedef struct triggers_job_inbox triggers_job_inbox;

/* From the message behind `taken`. `wake_fd`, an eventfd, is set when something came. */
CORE_MUST_CHECK triggers_job_inbox *triggers_job_inbox_new(fanout_connection *connection,
                                                           const char *stream, const char *subject,
                                                           uint64_t taken, int wake_fd,
                                                           core_log *log, core_error *error);
void triggers_job_inbox_free(triggers_job_inbox *inbox);
/* The oldest message; it stays until it is dropped. False: there is none. */
CORE_MUST_CHECK bool triggers_job_inbox_peek(triggers_job_inbox *inbox, uint64_t *sequence,
                                             core_slice *payload);
void triggers_job_inbox_drop(triggers_job_inbox *inbox);
/* Its place in the stream was lost: it is to be made anew. */
bool triggers_job_inbox_is_lost(triggers_job_inbox *inbox);

#endif
