/* The ticker: has each schedule's moments happen, each once over all nodes.
 *
 * A moment happens by an event on the schedule's own subject in the stream of events, of type
 * `walcast.cron.NAME`, data {"schedule": NAME, "time": RFC 3339}, with `Walcast-Time` the moment.
 * Who holds the lease `cron` writes it. The lease is only a hint: each event is appended under the
 * sequence of the one before it on its subject, so a holder that slept cannot write what somebody
 * else has written since; and the last event says which moment was the last, whoever wrote it.
 * Events age away: what was decided last is in the bucket `{nats.stream}_state` too. Private to the
 * room. */
#ifndef WALCAST_TRIGGERS_TICKER_H
#define WALCAST_TRIGGERS_TICKER_H

#include "triggers/host.h"

#define TRIGGERS_TICK_TYPE "walcast.cron." /* and the schedule's name */
#define TRIGGERS_RUN_TYPE  "walcast.run."  /* the same, of one that was asked for by hand */

/* The part. */
CORE_MUST_CHECK triggers_part *triggers_ticker_part(triggers_host *host, core_error *error);

#endif
