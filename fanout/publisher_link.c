/* The publisher's connection as an external event loop of nats.c, whose loop is the publisher's own
 * thread: _send appends to nats.c's buffer, _flush and _receive are one write(2) and one read(2).
 *
 * Why not nats.c's own threads: its flusher waits a millisecond before every write (a commit would
 * wait that long), its other mode writes once per message (a system call for each), and each ack
 * would cross two threads. Here a burst is one write and its acks are one read.
 *
 * What must hold: nothing else runs on this connection. So no pings (nats.c sends them from a timer
 * thread; the ack time-out tells a dead server) and no callbacks with a context. Over TLS a read
 * may wait for the rest of a record that the server has begun; a write waits at most the write
 * deadline.
 *
 * A 503 ("no responders") comes as a status of NextMsg that hides which message it was for; the
 * epoch ends in any case. */
#include "fanout/publisher_link.h"

#include "fanout/spent.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define LINK_MAGIC UINT32_C(0x6c696e6b)

enum {
    IO_BUFFER_BYTES = 64 * 1024, /* what one read takes */
    FLUSH_BYTES = 32 * 1024,     /* unsent bytes that are worth a write at once */
    REPLY_MAX = 128,
    NUMBER_MAX = 24,
    ANSWER_BYTES_MIN = 48, /* the least that one answer takes on the wire: MSG line and PubAck */
    ANSWERS_SHARE = 8,
};

struct fanout_link {
    uint32_t magic;
    natsConnection *nats;
    natsInbox *inbox;
    natsSubscription *answers;
    natsMsg *answer; /* the one handed out last */
    fanout_spent spent;
    size_t inbox_length;
    int epoll_fd;
    int socket; /* -1: not attached */
    bool waits_for_room;
    int low_water; /* bytes that make the socket readable */
};

static fanout_link *link_of(void *data) {
    fanout_link *link = data;
    CORE_MAGIC_CHECK(link, LINK_MAGIC);
    return link;
}

/* ---- nats.c's view of an event loop ---- */

static natsStatus link_attach(void **data, void *loop, natsConnection *nats, natsSock socket) {
    fanout_link *link = link_of(loop);
    struct epoll_event event = {.events = EPOLLIN};
    (void)nats;
    *data = link;
    link->socket = socket;
    return epoll_ctl(link->epoll_fd, EPOLL_CTL_ADD, socket, &event) == 0 ? NATS_OK : NATS_SYS_ERROR;
}

static natsStatus link_on_read(void *data, bool add) {
    fanout_link *link = link_of(data);
    if (!add && link->socket >= 0) {
        (void)epoll_ctl(link->epoll_fd, EPOLL_CTL_DEL, link->socket, NULL);
        link->socket = -1;
    }
    return NATS_OK;
}

/* Only says that bytes wait; _flush asks the connection itself. */
static natsStatus link_on_write(void *data, bool add) {
    (void)data;
    (void)add;
    return NATS_OK;
}

static natsStatus link_detach(void *data) {
    (void)data;
    return NATS_OK;
}

/* Errors are found by asking the connection; nats.c's default would print them. */
static void link_on_error(natsConnection *nats, natsSubscription *subscription, natsStatus status,
                          void *closure) {
    (void)nats;
    (void)subscription;
    (void)status;
    (void)closure;
}

/* ---- life ---- */

static natsStatus link_options(fanout_link *link, natsOptions *options, int64_t deadline_ms) {
    natsStatus status = natsOptions_SetAllowReconnect(options, false);
    if (status == NATS_OK)
        status = natsOptions_SetPingInterval(options, 0);
    if (status == NATS_OK)
        status = natsOptions_SetIOBufSize(options, IO_BUFFER_BYTES);
    if (status == NATS_OK)
        status = natsOptions_SetWriteDeadline(options, deadline_ms);
    /* With an event loop this sends nothing by itself: it spares a thread of nats.c that each
     * publish would wake for a flush of its own. */
    if (status == NATS_OK)
        status = natsOptions_SetSendAsap(options, true);
    if (status == NATS_OK)
        status = natsOptions_SetErrorHandler(options, link_on_error, NULL);
    if (status == NATS_OK)
        status = natsOptions_SetEventLoop(options, link, link_attach, link_on_read, link_on_write,
                                          link_detach);
    return status;
}

static natsStatus link_subscribe(fanout_link *link) {
    char subject[REPLY_MAX];
    natsStatus status = natsInbox_Create(&link->inbox);
    if (status != NATS_OK)
        return status;
    link->inbox_length = strlen((const char *)link->inbox);
    (void)snprintf(subject, sizeof subject, "%s.*", (const char *)link->inbox);
    status = natsConnection_SubscribeSync(&link->answers, link->nats, subject);
    if (status == NATS_OK)
        status = natsSubscription_SetPendingLimits(link->answers, -1, -1);
    return status;
}

fanout_link *fanout_link_new(const core_config *config, const char *name, int epoll_fd,
                             core_error *error) {
    char object[512];
    natsOptions *options = fanout_options_new(config, name, error);
    if (options == NULL)
        return NULL;
    fanout_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        natsOptions_Destroy(options);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a publisher's connection");
        return NULL;
    }
    link->magic = LINK_MAGIC;
    link->epoll_fd = epoll_fd;
    link->socket = -1;
    link->low_water = 1;
    natsStatus status =
        link_options(link, options, core_config_integer(config, "nats.ack_timeout"));
    if (status == NATS_OK)
        status = fanout_connect(&link->nats, options);
    if (status == NATS_OK)
        status = link_subscribe(link);
    natsOptions_Destroy(options);
    if (status == NATS_OK)
        return link;
    fanout_options_describe(config, object, sizeof object);
    (void)fanout_status_error(error, status, 0, "connect the publisher to", object);
    fanout_link_free(link);
    return NULL;
}

/* nats.c would send what is buffered and wait for an answer that nobody reads: cut the socket. */
static void link_cut(fanout_link *link) {
    if (link->nats == NULL || link->socket < 0)
        return;
    (void)shutdown(link->socket, SHUT_RDWR);
    for (int reads = 0; reads < 1024 && link->socket >= 0; reads++)
        natsConnection_ProcessReadEvent(link->nats);
}

void fanout_link_free(fanout_link *link) {
    if (link == NULL)
        return;
    CORE_MAGIC_CHECK(link, LINK_MAGIC);
    fanout_spent_add(&link->spent, link->answer);
    fanout_spent_free_all(&link->spent);
    link_cut(link);
    natsSubscription_Destroy(link->answers);
    natsConnection_Destroy(link->nats);
    natsInbox_Destroy(link->inbox);
    link->magic = 0;
    free(link);
}

/* ---- sending ---- */

static natsStatus link_headers(natsMsg *message, const fanout_link_message *from) {
    char sequence[NUMBER_MAX];
    (void)snprintf(sequence, sizeof sequence, "%" PRIu64, from->expected_sequence);
    natsStatus status = NATS_OK;
    if (from->message_id != NULL)
        status = natsMsgHeader_Set(message, "Nats-Msg-Id", from->message_id);
    if (status == NATS_OK && from->expects == FANOUT_EXPECT_STREAM)
        status = natsMsgHeader_Set(message, "Nats-Expected-Last-Sequence", sequence);
    if (status == NATS_OK && from->expects == FANOUT_EXPECT_SUBJECT)
        status = natsMsgHeader_Set(message, "Nats-Expected-Last-Subject-Sequence", sequence);
    if (status == NATS_OK && from->expected_id != NULL)
        status = natsMsgHeader_Set(message, "Nats-Expected-Last-Msg-Id", from->expected_id);
    for (size_t i = 0; status == NATS_OK && i < from->header_count; i++)
        status = natsMsgHeader_Set(message, from->headers[i].name, from->headers[i].value);
    return status;
}

bool fanout_link_send(fanout_link *link, const fanout_link_message *message, core_error *error) {
    char reply[REPLY_MAX];
    natsMsg *copy = NULL;
    (void)snprintf(reply, sizeof reply, "%s.%" PRIu64, (const char *)link->inbox, message->n);
    natsStatus status =
        natsMsg_Create(&copy, message->subject, reply, (const char *)message->payload.data,
                       (int)message->payload.length);
    if (status == NATS_OK)
        status = link_headers(copy, message);
    if (status == NATS_OK)
        status = natsConnection_PublishMsg(link->nats, copy);
    fanout_spent_add(&link->spent, copy);
    if (status != NATS_OK)
        return fanout_status_error(error, status, 0, "publish to", message->subject);
    if (natsConnection_Buffered(link->nats) >= FLUSH_BYTES)
        fanout_link_flush(link);
    return true;
}

static void link_watch_room(fanout_link *link, bool wanted) {
    if (wanted == link->waits_for_room || link->socket < 0)
        return;
    struct epoll_event event = {.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN};
    if (epoll_ctl(link->epoll_fd, EPOLL_CTL_MOD, link->socket, &event) == 0)
        link->waits_for_room = wanted;
}

void fanout_link_flush(fanout_link *link) {
    if (natsConnection_Buffered(link->nats) <= 0)
        return;
    natsConnection_ProcessWriteEvent(link->nats);
    link_watch_room(link, natsConnection_Buffered(link->nats) > 0);
}

bool fanout_link_has_room(const fanout_link *link) {
    return !link->waits_for_room;
}

/* ---- answers ---- */

/* nats-server writes acks one or two at a time, and a wake-up for each would cost more than they
 * do. All answers that are due take at least ANSWER_BYTES_MIN each, so the low-water mark of a part
 * of them is always reached, and a closed connection is readable at any mark. Powers of two: not a
 * system call for each change. */
void fanout_link_expect(fanout_link *link, size_t answers) {
    size_t bytes = answers / ANSWERS_SHARE * ANSWER_BYTES_MIN;
    int mark = 1;
    while ((size_t)mark * 2 <= bytes && mark < FLUSH_BYTES)
        mark *= 2;
    if (mark == link->low_water || link->socket < 0)
        return;
    if (setsockopt(link->socket, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark) == 0)
        link->low_water = mark;
}

void fanout_link_receive(fanout_link *link) {
    struct pollfd ready = {.fd = link->socket, .events = POLLIN};
    if (link->socket >= 0 && poll(&ready, 1, 0) == 1)
        natsConnection_ProcessReadEvent(link->nats);
}

bool fanout_link_next(fanout_link *link, fanout_link_answer *answer) {
    fanout_spent_add(&link->spent, link->answer);
    link->answer = NULL;
    *answer = (fanout_link_answer){0};
    int waiting = 0;
    if (natsSubscription_GetPending(link->answers, &waiting, NULL) != NATS_OK || waiting == 0)
        return false;
    natsStatus status = natsSubscription_NextMsg(&link->answer, link->answers, 0);
    if (status == NATS_NO_RESPONDERS) {
        answer->nobody = true;
        return true;
    }
    if (status != NATS_OK)
        return false;
    const char *subject = natsMsg_GetSubject(link->answer);
    core_slice number = core_slice_text(subject + link->inbox_length + 1);
    answer->bytes =
        core_slice_make(natsMsg_GetData(link->answer), (size_t)natsMsg_GetDataLength(link->answer));
    /* The server fills in the '*' with what we sent; 0 was never sent and is refused later. */
    if (!core_slice_to_u64(number, &answer->n))
        answer->n = 0;
    return true;
}

bool fanout_link_alive(const fanout_link *link) {
    return link->socket >= 0 && !natsConnection_IsClosed(link->nats);
}

const char *fanout_link_reason(const fanout_link *link) {
    const char *text = NULL;
    if (natsConnection_GetLastError(link->nats, &text) == NATS_OK || text == NULL ||
        text[0] == '\0')
        return "connection closed";
    return text;
}

int64_t fanout_link_max_payload(const fanout_link *link) {
    return natsConnection_GetMaxPayload(link->nats);
}
