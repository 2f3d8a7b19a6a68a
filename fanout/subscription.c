/* See subscription.h. The reading thread of nats.c 3.4.1 (Debian 12's) finds the subscription of a
 * message, lets go of the lock that keeps it, copies the message, and only then takes the
 * subscription's own lock (natsConn_processMsg): one that was freed in between ends the process.
 * So it is first taken out of the connection's table, and freed once an answer to a PING says that
 * the thread is past all that came before. */
#include "fanout/subscription.h"

#include <time.h>

#define FLUSH_MS 2000
#define PAUSE_NS                                                                                   \
    10000000 /* where there is no answer to wait for: the thread is in no message long */

void fanout_subscription_free(natsConnection *nats, natsSubscription *subscription) {
    if (subscription == NULL)
        return;
    (void)natsSubscription_Unsubscribe(subscription);
    bool connected = natsConnection_Status(nats) == NATS_CONN_STATUS_CONNECTED;
    if (!connected || natsConnection_FlushTimeout(nats, FLUSH_MS) != NATS_OK) {
        struct timespec pause = {.tv_nsec = PAUSE_NS};
        (void)nanosleep(&pause, NULL);
    }
    natsSubscription_Destroy(subscription);
}
