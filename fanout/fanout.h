/* The fanout room's public header: everything JetStream. No other room knows nats.c.
 *
 * Four nouns: a connection, a stream made or checked, the fenced publisher that is a stream's only
 * writer, and consumers (ordered for whoever keeps its own place, durable for whoever wants the
 * server to keep it), besides key-value buckets. All calls that ask the server something block up
 * to a time limit, so they belong on a role's own thread and never on a service thread.
 *
 * What JetStream does when it is killed, filled or taken over, and hence why the fence looks as it
 * does, stands at fanout/publisher.c. */
#ifndef WALCAST_FANOUT_FANOUT_H
#define WALCAST_FANOUT_FANOUT_H

#include "core/core.h"

#define FANOUT_NAME_MAX 128

/* ---- Connection ---- */
typedef struct fanout_connection fanout_connection;

/* Connects with `nats.url`, `nats.creds` and `nats.tls_*`; `name` is shown by the server. Waits up
 * to `nats.connect_timeout`. Errors: CONFIG for credentials and certificates that cannot be read or
 * are refused, TRANSIENT when no server answers. Reconnects by itself afterwards, for ever, also
 * when the server refuses it for a while. `config` must outlive it. */
CORE_MUST_CHECK fanout_connection *fanout_connection_new(const core_config *config,
                                                         const char *name, core_log *log,
                                                         core_metrics *metrics, core_error *error);
/* Consumers and publishers on it must be gone. */
void fanout_connection_free(fanout_connection *connection);
/* True while the socket is up. Any thread. */
bool fanout_connection_alive(const fanout_connection *connection);
/* The server's limit on one message, headers included. */
int64_t fanout_connection_max_payload(const fanout_connection *connection);

/* ---- Messages ---- */
typedef struct {
    const char *subject;
    core_slice payload; /* valid during the call (ordered) or until the ack (durable) */
    uint64_t sequence;
    uint64_t pending;   /* messages behind it: 0 means the tail is reached */
    int64_t stored_us;  /* when JetStream stored it */
    const void *source; /* of fanout_message_header; NULL: its headers were not kept */
} fanout_message;
/* A header's value, which lives as long as the payload; empty when there is none. */
core_slice fanout_message_header(const fanout_message *message, const char *name);
/* On the calling thread; the message is valid during the call. False, with `error` set, ends it. */
typedef bool (*fanout_each_handler)(void *context, const fanout_message *message,
                                    core_error *error);

/* ---- Stream ---- */
typedef struct {
    const char *name;
    const char *subjects; /* one filter with a fixed number of tokens, never '>' */
    int64_t max_age_ms;   /* 0: no limit */
    int64_t max_bytes;    /* 0: no limit */
    int replicas;
    int64_t duplicate_window_ms;
    bool discards_old;  /* at its limits the oldest go; else new ones are refused */
    bool keeps_limits;  /* of a stream that is there already: what differs stays */
    bool allows_purge;  /* its owner removes what is done with */
    bool allows_delete; /* and single messages among others */
} fanout_stream_spec;

typedef struct {
    uint64_t first_sequence;
    uint64_t last_sequence;
    uint64_t messages;
    uint64_t bytes;
    uint64_t deleted;   /* missing between first and last: the broker lost them */
    int64_t created_us; /* since 1970; another value means another stream of the same name */
    int64_t max_bytes;
    int64_t max_age_ms;
} fanout_stream_info;

/* The change stream's spec from the configuration. */
fanout_stream_spec fanout_stream_change_spec(const core_config *config, char *subjects,
                                             size_t subjects_size);
/* The stream of events' spec: four tokens, many writers, deduplicated by id over ten minutes. */
fanout_stream_spec fanout_stream_event_spec(const core_config *config, char name[FANOUT_NAME_MAX],
                                            char *subjects, size_t subjects_size);
/* The stream of stored broadcasts, for replay: four tokens, discard old. */
fanout_stream_spec fanout_stream_realtime_spec(const core_config *config,
                                               char name[FANOUT_NAME_MAX], char *subjects,
                                               size_t subjects_size);
/* The stream of audit records: four tokens, many writers, discard old; ids count two minutes. */
fanout_stream_spec fanout_stream_audit_spec(const core_config *config, char name[FANOUT_NAME_MAX],
                                            char *subjects, size_t subjects_size);
/* The streams that triggers and search indexes live on. */
typedef enum {
    FANOUT_WORK_TASKS,       /* {nats.stream}_TRIGGERS: what is to be done, one fenced writer */
    FANOUT_WORK_DELIVERIES,  /* _DELIVERIES: the partitions' logs */
    FANOUT_WORK_PARKED,      /* _PARKED: tasks that wait for their key's next attempt */
    FANOUT_WORK_DEAD,        /* _DLQ: those that were given up */
    FANOUT_WORK_JOBS,        /* _JOBS: jobs that no partition has taken yet */
    FANOUT_WORK_JOB_LOGS,    /* _JOBLOG: the logs of the jobs' partitions */
    FANOUT_WORK_WORKFLOWS,   /* _WORKFLOWS: runs that were asked for, a subject a run */
    FANOUT_WORK_SEARCH,      /* _SEARCH: what was asked of search indexes, in order */
    FANOUT_WORK_SEARCH_BASE, /* _SEARCHBASE: what that had come to at some record */
} fanout_work;
fanout_stream_spec fanout_stream_work_spec(const core_config *config, fanout_work work,
                                           char name[FANOUT_NAME_MAX],
                                           char subjects[CORE_SUBJECT_MAX]);
/* The word in its subjects, for core_subject_work. */
const char *fanout_work_word(fanout_work work);
/* Makes the stream (file storage, discard new unless `discards_old`; delete and purge are denied
 * unless the spec allows them) or checks the one that is there; limits that differ (age, bytes) are
 * updated to the spec. CONFIG error that names both when the subjects, storage or discard policy of
 * an existing stream are others: it is not ours. */
CORE_MUST_CHECK bool fanout_stream_ensure(fanout_connection *connection,
                                          const fanout_stream_spec *spec, fanout_stream_info *info,
                                          core_error *error);
CORE_MUST_CHECK bool fanout_stream_inspect(fanout_connection *connection, const char *stream,
                                           fanout_stream_info *info, core_error *error);
/* What _ensure would say of the stream that is there, without changing anything. A stream that is
 * not there is no error: `*exists` is false. */
CORE_MUST_CHECK bool fanout_stream_check(fanout_connection *connection,
                                         const fanout_stream_spec *spec, bool *exists,
                                         fanout_stream_info *info, core_error *error);
/* One stored message by STREAM.MSG.GET (never direct get: it may be stale). `payload` is reset and
 * filled. INPUT error when there is none at that sequence. */
CORE_MUST_CHECK bool fanout_stream_message(fanout_connection *connection, const char *stream,
                                           uint64_t sequence, core_buffer *payload,
                                           core_error *error);
/* The same with subject and headers: `take` is called once, and its word is the result. */
CORE_MUST_CHECK bool fanout_stream_read(fanout_connection *connection, const char *stream,
                                        uint64_t sequence, fanout_each_handler take, void *context,
                                        core_error *error);
/* Removes all but the last `count` messages on the subject, of a stream that allows it. */
CORE_MUST_CHECK bool fanout_stream_keep(fanout_connection *connection, const char *stream,
                                        const char *subject, uint64_t count, core_error *error);
/* Removes all messages before the sequence whose subject is one of `subjects` (wildcards are
 * taken), of a stream that allows it. It says subjects even where all are meant: nats-server 2.9
 * cuts a stream's beginning off by writing the file anew in its place, and one that is killed amid
 * it loses what stands behind; what goes by its subject comes back at the most. */
CORE_MUST_CHECK bool fanout_stream_purge(fanout_connection *connection, const char *stream,
                                         const char *subjects, uint64_t before, core_error *error);
/* Removes the stream with all that it holds; one that is not there is removed already. */
CORE_MUST_CHECK bool fanout_stream_delete(fanout_connection *connection, const char *stream,
                                          core_error *error);
/* Removes one message, where that is allowed; one that is not there is removed already. */
CORE_MUST_CHECK bool fanout_stream_remove(fanout_connection *connection, const char *stream,
                                          uint64_t sequence, core_error *error);
/* The sequence of the last message on a subject, or that a filter matches; 0: there is none. */
CORE_MUST_CHECK bool fanout_stream_subject_end(fanout_connection *connection, const char *stream,
                                               const char *subject, uint64_t *sequence,
                                               core_error *error);
/* The first sequence behind `after` that is missing although nothing may be deleted, of a stream
 * that was just inspected; 0: none. Blocks for some tens of questions when there is one. TRANSIENT
 * when the stream changes meanwhile. */
CORE_MUST_CHECK bool fanout_stream_hole(fanout_connection *connection,
                                        const fanout_stream_spec *spec,
                                        const fanout_stream_info *info, uint64_t after,
                                        uint64_t *missing, core_error *error);

/* ---- Publisher ----
 * A stream's one writer, fenced (TRAPS 1-3). Used by one thread. Life: new, then open; send and
 * poll while all is well; after a false result the window is lost to the caller: open again, look
 * at the tail it gives, and send again what the tail does not hold. */
typedef struct fanout_publisher fanout_publisher;

/* What the stream holds at its end, read after the last writer's messages could still arrive. */
typedef struct {
    fanout_stream_info stream;
    bool has_message;    /* false: the stream is empty or its last message is gone (age) */
    core_buffer payload; /* of the last message; owned by the publisher */
} fanout_tail;

CORE_MUST_CHECK fanout_publisher *fanout_publisher_new(const core_config *config,
                                                       const fanout_stream_spec *spec,
                                                       core_log *log, core_metrics *metrics,
                                                       const core_clock *clock, core_error *error);
void fanout_publisher_free(fanout_publisher *publisher);

/* Connects if need be, ensures the stream, starts a new writer epoch and reads the tail (valid
 * until the next open). Blocks up to the connection's time limits. Whether the stream has lost
 * messages in its middle (`stream.deleted`) is for the caller to look at; GAP error when it cannot
 * even give its last one. */
CORE_MUST_CHECK bool fanout_publisher_open(fanout_publisher *publisher, const fanout_tail **tail,
                                           core_error *error);
/* The publisher's connection, for key-value beside it; NULL before open. */
fanout_connection *fanout_publisher_connection(fanout_publisher *publisher);

typedef enum {
    FANOUT_SENT,
    FANOUT_FULL,   /* the window is full: poll, wait on the wake descriptor, try again */
    FANOUT_BROKEN, /* open again */
} fanout_send_result;

/* Publishes asynchronously under the fence. `payload` is copied before it returns. The message gets
 * the stream sequence `*sequence` if it is stored at all. The first message after open travels
 * alone: FULL until it is acked. LIMIT error (BROKEN) when payload exceeds the server's maximum. */
CORE_MUST_CHECK fanout_send_result fanout_publisher_send(fanout_publisher *publisher,
                                                         const char *subject, core_slice payload,
                                                         uint64_t *sequence, core_error *error);
/* Takes in the acks that came. `*acked_sequence` is the end of the contiguous acked prefix: the
 * stream durably holds everything up to it; so also with the poll that finds the window broken.
 * False when the window broke (refused, timed out,
 * disconnected, duplicate, out of sequence): open again. */
CORE_MUST_CHECK bool fanout_publisher_poll(fanout_publisher *publisher, uint64_t *acked_sequence,
                                           core_error *error);
/* Readable when poll has something to do, but for a time-out: while messages are on their way, poll
 * at least every second. The same descriptor over all opens. */
int fanout_publisher_wake_fd(const fanout_publisher *publisher);
/* Before sleeping on the wake descriptor: hands everything sent so far to the socket. False: poll
 * first, and what was refused as FULL is taken now. Clear after. */
CORE_MUST_CHECK bool fanout_publisher_sleep(fanout_publisher *publisher);
void fanout_publisher_wake_clear(fanout_publisher *publisher);
/* Messages sent and not yet acked. */
size_t fanout_publisher_window(const fanout_publisher *publisher);

/* ---- Events ----
 * A plain publish with headers, for streams of many writers; change streams have the publisher. */
typedef struct {
    const char *name;
    const char *value; /* without control bytes */
} fanout_header;

typedef struct {
    const char *subject;
    const fanout_header *headers; /* besides Nats-Msg-Id */
    size_t header_count;
    const char *id; /* within the stream's duplicate window it is stored once */
    core_slice payload;
} fanout_event;

/* Waits for the acknowledgement, up to `nats.ack_timeout`. `*duplicate`: the stream had it already.
 * LIMIT: larger than the server takes, headers included; FULL: no room now; after any other error
 * it may be stored or not. One thread at a time. */
CORE_MUST_CHECK bool fanout_event_publish(fanout_connection *connection, const fanout_event *event,
                                          bool *duplicate, core_error *error);
/* The same; `*sequence` is where the stream holds it, also of one that it had already. */
CORE_MUST_CHECK bool fanout_event_store(fanout_connection *connection, const fanout_event *event,
                                        uint64_t *sequence, bool *duplicate, core_error *error);
/* A header of the last message that the stream holds on one subject; empty when there is no
 * message, or no such header, or its value does not fit. */
CORE_MUST_CHECK bool fanout_event_last(fanout_connection *connection, const char *stream,
                                       const char *subject, const char *header, char *value,
                                       size_t value_size, core_error *error);

/* ---- Journal ----
 * Short records of many threads, into a stream, by a thread and a connection of its own. Whoever
 * writes one waits for nothing: it is copied into a bounded queue, where it stays until the stream
 * has it. So what NATS does not take for a while is only late; what finds no room is lost and
 * counted. */
#define FANOUT_JOURNAL_RECORD_MAX 1016 /* subject and record together, in bytes */

typedef struct fanout_journal fanout_journal;
typedef struct {
    const core_config *config;
    core_log *log;
    core_metrics *metrics;
    const char *name;          /* of the connection and in logs */
    fanout_stream_spec stream; /* made when missing, once NATS is there */
    size_t capacity;           /* records that wait */
    core_metric stored, lost;  /* counters */
} fanout_journal_spec;

/* Starts the thread; waits for nothing. The spec's texts must outlive the journal. */
CORE_MUST_CHECK fanout_journal *fanout_journal_new(const fanout_journal_spec *spec,
                                                   core_error *error);
/* Writers must have stopped. Waits up to two seconds for the stream to take what waits. */
void fanout_journal_free(fanout_journal *journal);
/* Any thread; no lock, no wait. False, counted: no room, or it is longer than it may be. */
bool fanout_journal_put(fanout_journal *journal, const char *subject, core_slice record);

/* ---- Courier ----
 * Requests to JetStream whose answers come later, on the owner's thread: for who has many under way
 * at once and must not wait for one. A connection of its own, used by one thread. At most 4,096
 * requests are under way; each is answered within `nats.ack_timeout`. */
typedef struct fanout_courier fanout_courier;

#define FANOUT_COURIER_PAYLOAD_MAX ((size_t)64 * 1024 * 1024)

typedef struct {
    uint64_t sequence;  /* of what was stored or found */
    bool is_duplicate;  /* the stream had the id already, at that sequence */
    core_slice payload; /* of what was found; valid during the call, as the next two */
    core_slice subject;
    core_slice headers; /* see fanout_answer_header */
    int64_t stored_us;
} fanout_answer;

/* A header's value of what was found; empty: it has none. */
core_slice fanout_answer_header(const fanout_answer *answer, const char *name);

/* From poll. `error` is NULL when it was done. CONFLICT: the subject has another last sequence;
 * FULL; INPUT: nothing is there; LIMIT; TRANSIENT: done or not, nobody knows. It may send further
 * requests, and must not free the courier. */
typedef void (*fanout_answer_handler)(void *context, uint64_t tag, const fanout_answer *answer,
                                      const core_error *error);

typedef struct {
    fanout_answer_handler on_answer;
    void *context;
    uint64_t tag;
} fanout_reply;

typedef struct {
    const char *subject;
    const char *id;             /* NULL: none; within the stream's window it is stored once */
    bool is_fenced;             /* stored only if the subject's last message is the expected one */
    uint64_t expected_sequence; /* 0: the subject has none */
    const fanout_header *headers;
    size_t header_count;
    core_slice payload;
} fanout_parcel;

/* Connects with the first poll. */
CORE_MUST_CHECK fanout_courier *fanout_courier_new(const core_config *config, const char *name,
                                                   core_log *log, const core_clock *clock,
                                                   core_error *error);
/* What is under way is never answered; its messages may be stored or not. */
void fanout_courier_free(fanout_courier *courier);
/* False: not sent, and never answered. TRANSIENT: no connection, or no room now. All is copied. */
CORE_MUST_CHECK bool fanout_courier_publish(fanout_courier *courier, const fanout_parcel *parcel,
                                            fanout_reply reply, core_error *error);
/* The first message at or behind `sequence` of a subject, or that a filter matches. */
CORE_MUST_CHECK bool fanout_courier_next(fanout_courier *courier, const char *stream,
                                         const char *subject, uint64_t sequence, fanout_reply reply,
                                         core_error *error);
/* The last message that the filter matches. */
CORE_MUST_CHECK bool fanout_courier_last(fanout_courier *courier, const char *stream,
                                         const char *filter, fanout_reply reply, core_error *error);
/* Removes the subject's messages up to `sequence`. */
CORE_MUST_CHECK bool fanout_courier_purge(fanout_courier *courier, const char *stream,
                                          const char *subject, uint64_t sequence,
                                          fanout_reply reply, core_error *error);
/* Takes in answers, sends what waits, sees to time limits; at least every 100 ms. Connects when
 * there is no connection, which blocks up to `nats.connect_timeout`. */
void fanout_courier_poll(fanout_courier *courier);
/* Gives the socket all that was sent, before sleeping. */
void fanout_courier_flush(fanout_courier *courier);
bool fanout_courier_ready(const fanout_courier *courier);
/* The server's, of headers and payload together; 0 while it is not ready. */
int64_t fanout_courier_max_payload(const fanout_courier *courier);
/* Readable when poll has something to do. */
int fanout_courier_wake_fd(const fanout_courier *courier);

/* ---- Consumers ---- */
/* Of each subject that `filter` matches the last stored message, in stream order; TRANSIENT when
 * none comes for ten seconds. */
CORE_MUST_CHECK bool fanout_stream_last_each(fanout_connection *connection, const char *stream,
                                             const char *filter, fanout_each_handler take,
                                             void *context, core_error *error);

/* On the consumer's own delivery thread, one message at a time, in stream order, none left out. */
typedef void (*fanout_message_handler)(void *context, const fanout_message *message);
/* The consumer's place can no longer be kept (`reason`: history gone, stream made anew). On the
 * delivery thread; the consumer has stopped and waits to be freed. */
typedef void (*fanout_lost_handler)(void *context, const core_error *reason);

typedef enum {
    FANOUT_FROM_FIRST,
    FANOUT_FROM_NEW,
    FANOUT_FROM_SEQUENCE,
    FANOUT_FROM_TIME,
} fanout_from;

typedef struct {
    const char *stream;
    const char *filter; /* one subject filter, verified in the server's reply */
    fanout_from from;
    uint64_t sequence;
    int64_t time_us;
    fanout_message_handler on_message;
    fanout_lost_handler on_lost;
    void *context;
} fanout_ordered_spec;

/* Delivers in order without acks and keeps its own place across reconnects and server restarts. */
typedef struct fanout_ordered fanout_ordered;
CORE_MUST_CHECK fanout_ordered *fanout_ordered_new(fanout_connection *connection,
                                                   const fanout_ordered_spec *spec, core_log *log,
                                                   core_error *error);
/* Waits until the handler is not running and will not run again. Not from the handler. */
void fanout_ordered_free(fanout_ordered *consumer);

typedef struct {
    const char *stream;
    const char *name; /* the durable's name; made when missing, checked when there */
    const char *filter;
    fanout_from from; /* where a new durable starts */
    uint64_t sequence;
    int64_t ack_wait_ms;
    int64_t max_ack_pending;
    /* A durable whose acks are beyond this sequence, where the stream is known to have ended, saw
     * messages that the broker lost since: it is made anew behind it. 0: not looked at. */
    uint64_t end_sequence;
} fanout_durable_spec;

/* Pulls batches; the server keeps the place, which moves by acks. One thread. Delivers at least
 * once: what was not acked comes again after ack_wait, and so can what was acked in the moment
 * before the server was killed. */
typedef struct fanout_durable fanout_durable;
CORE_MUST_CHECK fanout_durable *fanout_durable_new(fanout_connection *connection,
                                                   const fanout_durable_spec *spec, core_log *log,
                                                   core_error *error);
void fanout_durable_free(fanout_durable *consumer);
/* One that is not there is removed already. */
CORE_MUST_CHECK bool fanout_durable_remove(fanout_connection *connection, const char *stream,
                                           const char *name, core_error *error);
/* Up to `capacity` messages within `timeout_ms`; `*count` may be 0. The previous batch's messages
 * end to be valid. GAP error, of _new too, when the stream does not go on from the consumer's place
 * (history gone, made anew, went back); it stays until the durable is removed and made anew. */
CORE_MUST_CHECK bool fanout_durable_fetch(fanout_durable *consumer, fanout_message *messages,
                                          size_t capacity, int64_t timeout_ms, size_t *count,
                                          core_error *error);
/* Any thread: the fetch under way and all later ones give nothing, at once. */
void fanout_durable_cancel(fanout_durable *consumer);
/* Acks message `index` of the last batch and waits for the server's word. */
CORE_MUST_CHECK bool fanout_durable_ack(fanout_durable *consumer, size_t index, core_error *error);

/* ---- History ----
 * The last messages of one subject, without a consumer: those are dear, and a join must not cost
 * one. */
#define FANOUT_HISTORY_MAX 100
/* Whether the message counts; NULL: all do. */
typedef bool (*fanout_history_filter)(void *context, const fanout_message *message);
typedef struct {
    const char *stream;
    const char *subject; /* one, without wildcards */
    int64_t since_us;    /* stored then or later; 0: however old */
    size_t limit;        /* 1 to FANOUT_HISTORY_MAX */
    int64_t timeout_ms;  /* for all of it */
    fanout_history_filter keep;
    fanout_each_handler take; /* the oldest first; `pending` counts those that follow */
    void *context;
} fanout_history_spec;

/* Gives the last `limit` messages that count, on the calling thread, once all have been found.
 * Costs about two requests a message, and some tens more where the subject's messages lie far apart
 * in the stream; holds up to `limit` payloads. TRANSIENT when time runs out: nothing was given. */
CORE_MUST_CHECK bool fanout_history_read(fanout_connection *connection,
                                         const fanout_history_spec *spec, core_error *error);

/* ---- Bus ----
 * Core NATS between gateways: at most once, nothing stored, in order from each sender. What a
 * connection publishes does not come back to it. */
typedef struct fanout_bus fanout_bus;
typedef struct {
    const char *filter;       /* subscribed to while the bus lives, over reconnects too; copied */
    int max_pending_messages; /* of others', and of what waits to be sent; 0: 65,536 */
    int max_pending_bytes;    /* the same; 0: 32 MiB */
    /* On the bus's own thread, from before _new returns until _free does. They may publish, and
     * must not wait for whoever frees. Message: valid during the call. One of both: the second one
     * is told where the answer is to be published, "" where none is wanted. */
    void (*on_message)(void *context, const char *subject, core_slice payload);
    void (*on_request)(void *context, const char *subject, const char *reply, core_slice payload);
    /* So many messages came faster than they were taken, and are gone. */
    void (*on_dropped)(void *context, uint64_t count);
    /* The connection was lost and is back, and the subscription too: what was sent meanwhile is
     * gone. May be NULL, as the one before. */
    void (*on_reconnected)(void *context);
    void *context;
} fanout_bus_spec;

/* The subscription is in force when it returns. The connection must outlive it. */
CORE_MUST_CHECK fanout_bus *fanout_bus_new(fanout_connection *connection,
                                           const fanout_bus_spec *spec, core_error *error);
/* None of the owner's calls runs any more, nor will one; publishing goes on. So the owner can say
 * its last word and go before the bus. Not from a callback. */
void fanout_bus_silence(fanout_bus *bus);
/* Sends what waits, for up to a second, and stops. Not from a callback. */
void fanout_bus_free(fanout_bus *bus);
/* Any thread; never waits for the network. `payload` is copied. False, counted: TRANSIENT while
 * NATS is away or too much waits, LIMIT when it is larger than the server takes, INPUT for a
 * subject that is too long. True: handed over, not arrived. */
CORE_MUST_CHECK bool fanout_bus_publish(fanout_bus *bus, const char *subject, core_slice payload,
                                        core_error *error);

/* Asks over core NATS and waits for the first answer, which is appended to `answer`. Blocks.
 * TRANSIENT: nobody answered in time, or nobody listens there. Any thread. */
CORE_MUST_CHECK bool fanout_request(fanout_connection *connection, const char *subject,
                                    core_slice payload, int64_t timeout_ms, core_buffer *answer,
                                    core_error *error);

/* ---- Key-value ---- */
typedef struct fanout_bucket fanout_bucket;
/* `{nats.stream}_{suffix}`, made when missing. */
CORE_MUST_CHECK fanout_bucket *fanout_bucket_new(fanout_connection *connection,
                                                 const core_config *config, const char *suffix,
                                                 core_error *error);
/* The same, of values that are gone after a while; at least a second. Watches do not hear of it. */
CORE_MUST_CHECK fanout_bucket *fanout_bucket_new_brief(fanout_connection *connection,
                                                       const core_config *config,
                                                       const char *suffix, int64_t max_age_ms,
                                                       core_error *error);
void fanout_bucket_free(fanout_bucket *bucket);
/* `value` is reset and filled; `*revision` is 0 and the value empty when the key is not there. */
CORE_MUST_CHECK bool fanout_bucket_get(fanout_bucket *bucket, const char *key, core_buffer *value,
                                       uint64_t *revision, core_error *error);
/* Compare-and-set: stored only if the key's revision is `expected` (0: not there), else CONFLICT.
 * `*revision` gets the new one. Keys may hold any bytes: others are escaped as =XX. */
CORE_MUST_CHECK bool fanout_bucket_set(fanout_bucket *bucket, const char *key, core_slice value,
                                       uint64_t expected, uint64_t *revision, core_error *error);
/* Stored whatever is there: for keys that have one writer. */
CORE_MUST_CHECK bool fanout_bucket_put(fanout_bucket *bucket, const char *key, core_slice value,
                                       core_error *error);
CORE_MUST_CHECK bool fanout_bucket_delete(fanout_bucket *bucket, const char *key,
                                          core_error *error);
/* The key's value, or its marker, is gone without one: up to `revision`, so what somebody wrote
 * behind it stays. Watches do not hear of it. */
CORE_MUST_CHECK bool fanout_bucket_erase(fanout_bucket *bucket, const char *key, uint64_t revision,
                                         core_error *error);
/* False ends the walk. The bucket may be asked from within. */
typedef bool (*fanout_key_handler)(void *context, const char *key);
/* Gives each key whose first tokens are `tokens` ("snapshot" gives snapshot.a and snapshot.b.c), in
 * no order, those of deleted values included; at most 100,000. Keys come as the bucket's subjects
 * have them: a byte that needed escaping is still =XX. False too when the handler ended the walk,
 * with the error as it left it. */
CORE_MUST_CHECK bool fanout_bucket_keys(fanout_bucket *bucket, const char *tokens,
                                        fanout_key_handler handler, void *context,
                                        core_error *error);

typedef struct {
    const char *key;  /* as the bucket's subjects have it: a byte that needed escaping is =XX */
    core_slice value; /* valid during the call; empty when deleted */
    uint64_t revision;
    bool deleted;
} fanout_bucket_entry;

/* The key as it was given, of one as the bucket's subjects have it; appended. False: a byte's
 * escape in it is none. */
CORE_MUST_CHECK bool fanout_bucket_key_read(core_slice key, core_buffer *out);

/* On the calling thread; the entry is valid during the call. False, with `error` set, ends it. */
typedef bool (*fanout_entry_handler)(void *context, const fanout_bucket_entry *entry,
                                     core_error *error);
/* Gives each present value (none that was deleted) of the keys whose first tokens are `tokens`, in
 * the order they were written. The bucket may be written to from within; what is written behind the
 * beginning may come or not. Blocks until all have come or nothing comes for ten seconds
 * (TRANSIENT). */
CORE_MUST_CHECK bool fanout_bucket_each(fanout_bucket *bucket, const char *tokens,
                                        fanout_entry_handler take, void *context,
                                        core_error *error);

typedef struct fanout_watch fanout_watch;
/* On the watch's own thread, from within _watch already. They must not free it. */
typedef struct {
    const char *tokens; /* only keys whose first tokens are these, as in _keys; NULL: all */
    /* All present values follow, then `on_all`: at the beginning, and again after the connection
     * was lost, or the bucket made anew. What was told before counts until then; a key that is not
     * told again by `on_all` is gone. */
    void (*on_begin)(void *context);
    void (*on_entry)(void *context, const fanout_bucket_entry *entry);
    /* That was all; entries from here on are changes, as they come. */
    void (*on_all)(void *context);
    void *context;
} fanout_watch_spec;

/* Tells a bucket's values and changes until it is freed; goes on by itself, for ever, whatever
 * becomes of server and bucket (one that is gone is made anew, empty). Never blocks: the first
 * values come when they come. An older value of a key may be told before its present one, never
 * after it. The bucket must outlive it. NULL with INTERNAL or LIMIT. */
CORE_MUST_CHECK fanout_watch *fanout_bucket_watch(fanout_bucket *bucket,
                                                  const fanout_watch_spec *spec, core_log *log,
                                                  core_error *error);
/* Waits until no call is running or will run, up to the connection's time limit. Not from a call.
 */
void fanout_watch_free(fanout_watch *watch);

/* ---- Log ----
 * The records of one subject, of one writer at a time: each is appended under the sequence of the
 * one before it (a fenced parcel), so that whoever did not see the last one cannot append. One
 * append under way at a time, for the sequence alone does not keep a pipeline whole (TRAPS 1). */

/* The last record, into `payload`; `*sequence` 0: none. */
CORE_MUST_CHECK bool fanout_log_end(fanout_connection *connection, const char *stream,
                                    const char *subject, core_buffer *payload, uint64_t *sequence,
                                    core_error *error);

typedef struct {
    const char *stream;
    const char *subject;
    uint64_t first;  /* or what is held behind it */
    int64_t from_us; /* not 0: instead of it, what was stored then or later */
    uint64_t last;   /* a record that is there; 0: nothing to read */
} fanout_log_range;

/* Gives the records in order, until the last; TRANSIENT when none comes for ten seconds. */
CORE_MUST_CHECK bool fanout_log_read(fanout_connection *connection, const fanout_log_range *range,
                                     fanout_each_handler take, void *context, core_error *error);

/* ---- Definitions, requests under an Idempotency-Key, leases, and messages on other people's
 * subjects ---- */
#include "fanout/definition.h"
#include "fanout/definition_serve.h"
#include "fanout/keyed.h"
#include "fanout/lease.h"
#include "fanout/messenger.h"

#endif
