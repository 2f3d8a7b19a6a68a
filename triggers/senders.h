/* All senders of a source, and before them each trigger's endpoint: its rate, its places and its
 * breaker, whatever the action is. What fails again and again is left alone for a while, so that a
 * receiver, a database or a service that is away does not use up the attempts of every key.
 *
 * What a definition's texts mean (secrets put in, keys read) is kept for half a minute, so that a
 * rotated secret is used soon and the broker is not asked for each delivery. Lives on the worker's
 * thread, but for its beginning and its end. */
#ifndef WALCAST_TRIGGERS_SENDERS_H
#define WALCAST_TRIGGERS_SENDERS_H

#include "triggers/sender.h"

typedef struct triggers_senders triggers_senders;

/* Starts them. */
CORE_MUST_CHECK triggers_senders *triggers_senders_new(const triggers_sender_spec *spec,
                                                       core_error *error);
/* Ends what is under way; all deliveries have ended then. The worker must still be there. */
void triggers_senders_stop(triggers_senders *senders);
/* Behind the worker's end. NULL is allowed, as above. */
void triggers_senders_free(triggers_senders *senders);

/* Which partitions the worker holds, as bits (spread.h): endpoints' rates and places are their
 * share. At first none are. */
void triggers_senders_share(triggers_senders *senders, uint32_t held);
/* Whether no more is under way than may be for who holds these. */
bool triggers_senders_fit(const triggers_senders *senders, uint32_t held);
/* 0: an attempt may begin, and _send or _unadmit follows; else not before that time (wall clock,
 * milliseconds), for `*reason`, which is static. */
int64_t triggers_senders_admit(triggers_senders *senders, const triggers_definition *definition,
                               int64_t now_ms, const char **reason);
/* What was admitted is not sent after all. */
void triggers_senders_unadmit(triggers_senders *senders, core_slice project, core_slice trigger);
/* Ends with triggers_delivery_ended, once, on any thread, perhaps from within. */
void triggers_senders_send(triggers_senders *senders, triggers_delivery *delivery);
/* It has ended. True: others of the trigger may be admitted now that were not. */
bool triggers_senders_done(triggers_senders *senders, triggers_delivery *delivery);

#endif
