/* The connection of a publisher or a courier: its own, driven by its owner's thread; a publisher's
 * is of one writer epoch.
 *
 * It never reconnects: a disconnect ends the epoch. Nothing here waits for the server after _new,
 * and no other thread touches it. */
#ifndef WALCAST_FANOUT_PUBLISHER_LINK_H
#define WALCAST_FANOUT_PUBLISHER_LINK_H

#include "fanout/connection.h"

typedef struct fanout_link fanout_link;

/* `epoll_fd` gets the socket as long as the link lives: readable when an answer came or when
 * unsent bytes can go. It must outlive the link. */
CORE_MUST_CHECK fanout_link *fanout_link_new(const core_config *config, const char *name,
                                             int epoll_fd, core_error *error);
/* Drops what was not sent yet. */
void fanout_link_free(fanout_link *link);

typedef enum {
    FANOUT_EXPECT_STREAM,  /* expected_sequence is the stream's last */
    FANOUT_EXPECT_SUBJECT, /* the last one on the message's subject */
    FANOUT_EXPECT_NOTHING,
} fanout_link_expectation;

typedef struct {
    const char *subject;
    const char *message_id;  /* NULL: no such header */
    const char *expected_id; /* the same */
    fanout_link_expectation expects;
    uint64_t expected_sequence;   /* 0 is sent too */
    uint64_t n;                   /* comes back in fanout_link_answer */
    const fanout_header *headers; /* further ones */
    size_t header_count;
    core_slice payload; /* copied */
} fanout_link_message;

/* Into the send buffer, which goes to the socket when it is large enough, or by _flush. */
CORE_MUST_CHECK bool fanout_link_send(fanout_link *link, const fanout_link_message *message,
                                      core_error *error);
/* Gives the socket what it takes without waiting. */
void fanout_link_flush(fanout_link *link);
/* False while the socket does not take all that was sent: send no more until a flush empties it. */
bool fanout_link_has_room(const fanout_link *link);

typedef struct {
    uint64_t n;
    bool nobody;      /* 503: no stream took the message */
    core_slice bytes; /* valid until the next call */
} fanout_link_answer;

/* Says how many answers are due, so that the socket becomes readable for an eighth of them at once
 * and not for each. */
void fanout_link_expect(fanout_link *link, size_t answers);
/* Reads what the socket holds (once). */
void fanout_link_receive(fanout_link *link);
/* The next answer. False: none is left; see then whether the link is still alive. */
CORE_MUST_CHECK bool fanout_link_next(fanout_link *link, fanout_link_answer *answer);
/* False once the connection is lost. */
bool fanout_link_alive(const fanout_link *link);
/* Why, as nats.c knows it. */
const char *fanout_link_reason(const fanout_link *link);

/* Room that headers take in a message, at most. */
#define FANOUT_LINK_HEADERS_MAX 256
int64_t fanout_link_max_payload(const fanout_link *link);

#endif
