/* What other threads bring to the jobs' thread: words over NATS, requests over HTTP. A bounded
 * line; what finds no room is refused, and whoever asked asks again. */
#ifndef WALCAST_TRIGGERS_JOB_MAILBOX_H
#define WALCAST_TRIGGERS_JOB_MAILBOX_H

#include "core/core.h"

#include <pthread.h>

#define TRIGGERS_JOB_MAILS_MAX      8192
#define TRIGGERS_JOB_MAIL_BYTES_MAX ((size_t)64 << 20)

typedef struct triggers_job_mail triggers_job_mail;
struct triggers_job_mail {
    triggers_job_mail *next;
    core_route_reply *http; /* a request over HTTP; NULL: one over NATS, which is: */
    core_slice subject;
    core_slice reply; /* where the answer goes; may be empty */
    core_slice payload;
    uint8_t texts[];
};

typedef struct {
    pthread_mutex_t lock;
    triggers_job_mail *first, **last;
    size_t count, bytes;
    bool closed;
    int wake_fd; /* readable when something came */
} triggers_job_mailbox;

CORE_MUST_CHECK bool triggers_job_mailbox_init(triggers_job_mailbox *mailbox, core_error *error);
/* Empty. */
void triggers_job_mailbox_fini(triggers_job_mailbox *mailbox);
/* Any thread; never waits. Copies. False: no room, or closed. */
CORE_MUST_CHECK bool triggers_job_mailbox_word(triggers_job_mailbox *mailbox, const char *subject,
                                               const char *reply, core_slice payload);
/* The same; false: the reply is the caller's still. */
CORE_MUST_CHECK bool triggers_job_mailbox_http(triggers_job_mailbox *mailbox,
                                               core_route_reply *reply);
/* All that came, oldest first, for the caller to free one by one; NULL: nothing. */
triggers_job_mail *triggers_job_mailbox_take(triggers_job_mailbox *mailbox);
/* What is put from here on is refused. */
void triggers_job_mailbox_close(triggers_job_mailbox *mailbox);

#endif
