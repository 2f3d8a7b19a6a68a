/* What the fanout room's tests share: a private server, a configuration that points to it, and a
 * publisher's loop that sends, polls and opens again until the stream holds what it should. */
#ifndef WALCAST_TESTS_INTEGRATION_FANOUT_HOUSE_H
#define WALCAST_TESTS_INTEGRATION_FANOUT_HOUSE_H

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fanout/fanout.h"
#include "tests/lib/nats_server.h"

typedef struct fanout_house {
    nats_server server;
    core_config *config;
    core_log *log;
    char subjects[CORE_SUBJECT_MAX];
    fanout_stream_spec spec;
} fanout_house;

#define HOUSE_SUBJECT "atlasdb.default.dev.todos.INSERT"

/* `extra` goes into the server's configuration. Fails the test by itself. */
void house_open(fanout_house *house, const char *extra);
void house_close(fanout_house *house);
/* Sets a key and makes the spec anew. */
void house_set(fanout_house *house, const char *key, const char *value);

fanout_publisher *house_publisher(fanout_house *house);
/* Opens, trying for up to 30 s while the reason is TRANSIENT. Returns the tail. */
const fanout_tail *house_reopen(fanout_publisher *publisher);
/* Sends one message; waits for room as long as it takes. False when broken. */
bool house_send(fanout_publisher *publisher, const char *subject, core_slice payload,
                uint64_t *sequence, core_error *error);
/* Waits until everything sent is acked. False when broken. */
bool house_settle(fanout_publisher *publisher, uint64_t *acked, core_error *error);
/* Sleeps on the wake descriptor for up to `timeout_ms`. */
void house_wait(fanout_publisher *publisher, int timeout_ms);
/* A number as the message's text, and back. */
core_slice house_number(char text[32], uint64_t number);
uint64_t house_parse(core_slice payload);
/* Message `sequence`'s number, read from the stream. */
uint64_t house_stored(fanout_connection *connection, uint64_t sequence);
int64_t house_now_ms(void);

#endif
