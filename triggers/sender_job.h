/* Attempts as jobs: put into the inbox of their queue's partition, as POST /jobs/v1 does. */
#ifndef WALCAST_TRIGGERS_SENDER_JOB_H
#define WALCAST_TRIGGERS_SENDER_JOB_H

#include "triggers/sender.h"

/* A triggers_sender_maker. */
CORE_MUST_CHECK bool triggers_job_sender(const triggers_sender_spec *spec, triggers_sender *sender,
                                         core_error *error);

#endif
