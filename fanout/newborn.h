/* A stream that is being made at this moment. nats-server shows it before it has a store, and dies
 * (2.9.10: a nil pointer in jsMsgGetRequest) when a message is asked of it then. Private to fanout.
 */
#ifndef WALCAST_FANOUT_NEWBORN_H
#define WALCAST_FANOUT_NEWBORN_H

#include <nats/nats.h>
#include <stdint.h>

/* Waits until the stream surely has a store: a quarter of a second from when another connection
 * began to make it, less for one that is our own in all likelihood. `asked_us`: the wall clock
 * before our first request. Nothing to wait for once it is that old. */
void fanout_newborn_wait(const jsStreamInfo *found, int64_t asked_us);

#endif
