/* GET /events/v1/stream: a project's events as they come, as server-sent events; see
 * events_private.h.
 *
 * Each stream has its own place and reads from there one event after the other; a consumer of all
 * events, which lives while there are streams, only says that there is something new. So a client
 * that comes back reads history just as it reads what is new, and one that does not read holds back
 * its own reading and nothing else. */
#include "triggers/event_view.h"
#include "triggers/events_private.h"

#include <stdlib.h>

enum {
    STREAMS_MAX = 256,
    HELD_MAX = 256 * 1024, /* bytes that a client has not taken, beyond which none are read */
    LOOK_MS = 2000,        /* also when nothing is said to be new */
    EVENT_MAX = 80 << 20,  /* an event of nats-server's largest message, escaped */
};

struct events_stream {
    events_stream *next;
    triggers_events *events;
    core_route_stream *out;
    char filter[CORE_SUBJECT_MAX];
    uint64_t at; /* the sequence looked for */
    bool asking; /* an answer of the courier will come */
    bool news;   /* something may be there that the question under way did not see */
    bool over;   /* ended; freed when no answer will come */
    int64_t asked_ms;
};

/* ---- What is new ---- */

/* On the consumer's thread. */
static void on_news(void *context, const fanout_message *message) {
    triggers_events *events = context;
    (void)message;
    if (!atomic_exchange(&events->news, true))
        core_wake_set(events->wake_fd);
}

static void on_lost(void *context, const core_error *reason) {
    triggers_events *events = context;
    (void)reason;
    atomic_store(&events->news_lost, true);
}

static void news_close(triggers_events *events) {
    if (events->consumer != NULL)
        fanout_ordered_free(events->consumer);
    fanout_connection_free(events->news_connection);
    events->consumer = NULL;
    events->news_connection = NULL;
}

/* Blocks on the broker; once while there are streams. Without it they look every LOOK_MS. */
static void news_open(triggers_events *events) {
    const triggers_spec *spec = &events->host->spec;
    char subjects[CORE_SUBJECT_MAX], name[FANOUT_NAME_MAX];
    core_error error = {.text = ""};
    int64_t now_ms = core_clock_ms(spec->clock);
    if (events->consumer != NULL || now_ms < events->news_at_ms)
        return;
    events->news_at_ms = now_ms + LOOK_MS;
    events->news_connection = fanout_connection_new(spec->config, "walcast-events-news", spec->log,
                                                    spec->metrics, &error);
    if (events->news_connection == NULL)
        return;
    (void)fanout_stream_event_spec(spec->config, name, subjects, sizeof subjects);
    const fanout_ordered_spec consumer = {.stream = events->stream,
                                          .filter = subjects,
                                          .from = FANOUT_FROM_NEW,
                                          .on_message = on_news,
                                          .on_lost = on_lost,
                                          .context = events};
    events->consumer = fanout_ordered_new(events->news_connection, &consumer, spec->log, &error);
    if (events->consumer == NULL)
        news_close(events);
    atomic_store(&events->news, true); /* what came before it */
}

/* ---- One stream ---- */

static void stream_free(events_stream *stream) {
    events_stream **at = &stream->events->streams;
    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    stream->events->stream_count--;
    free(stream);
}

/* `status` 0: the client has gone. */
static void stream_end(events_stream *stream, unsigned status, const char *detail) {
    if (!stream->over)
        core_route_stream_end(stream->out, status, detail);
    stream->over = true;
    if (!stream->asking)
        stream_free(stream);
}

static bool stream_say(events_stream *stream, const fanout_answer *answer) {
    char id[TRIGGERS_EVENT_ID_SIZE];
    core_buffer data;
    core_buffer_init(&data, EVENT_MAX);
    core_json_writer json = core_json_writer_make(&data);
    triggers_event_id(stream->events->created_us, answer->sequence, id);
    triggers_event_write(answer, stream->events->created_us, &json);
    const core_route_event event = {.id = core_slice_text(id), .data = core_buffer_slice(&data)};
    bool ok = core_buffer_ok(&data) && core_route_stream_send(stream->out, &event);
    core_buffer_fini(&data);
    return ok;
}

static void stream_ask(events_stream *stream);

static void on_found(void *context, uint64_t tag, const fanout_answer *answer,
                     const core_error *error) {
    events_stream *stream = context;
    (void)tag;
    stream->asking = false;
    if (stream->over) {
        stream_free(stream);
        return;
    }
    if (error != NULL) {
        if (error->code == CORE_ERROR_INPUT && stream->news)
            stream_ask(stream);
        return; /* else it is asked again when there is news, or in a while */
    }
    if (!stream_say(stream, answer)) {
        stream_end(stream, 503, "out of memory; connect again with your last id");
        return;
    }
    stream->at = answer->sequence + 1;
    stream->news = true; /* perhaps */
    stream_ask(stream);
}

/* Unless the client has enough to read. */
static void stream_ask(events_stream *stream) {
    triggers_events *events = stream->events;
    core_error error;
    if (stream->asking || atomic_load(&stream->out->held) > HELD_MAX)
        return;
    const fanout_reply reply = {.on_answer = on_found, .context = stream};
    stream->news = false;
    stream->asked_ms = core_clock_ms(events->host->spec.clock);
    stream->asking = fanout_courier_next(events->courier, events->stream, stream->filter,
                                         stream->at, reply, &error);
    stream->news = !stream->asking;
}

/* ---- The thread's turn ---- */

void triggers_events_streams_turn(triggers_events *events) {
    bool news = atomic_exchange(&events->news, false);
    int64_t now_ms = core_clock_ms(events->host->spec.clock);
    if (atomic_exchange(&events->news_lost, false))
        news_close(events);
    if (events->streams != NULL)
        news_open(events);
    else if (events->consumer != NULL)
        news_close(events);
    for (events_stream *stream = events->streams, *next; stream != NULL; stream = next) {
        next = stream->next;
        stream->news |= news || now_ms - stream->asked_ms >= LOOK_MS;
        if (atomic_load(&stream->out->closed))
            stream_end(stream, 0, NULL);
        else if (stream->news && !stream->over)
            stream_ask(stream);
    }
}

/* The courier is gone. */
void triggers_events_streams_end(triggers_events *events) {
    for (events_stream *stream = events->streams, *next; stream != NULL; stream = next) {
        next = stream->next;
        stream->asking = false;
        stream_end(stream, 503, "this server is shutting down; connect again with your last id");
    }
    news_close(events);
}

/* ---- The request ---- */

static void stream_open(events_call *call, events_stream *stream) {
    triggers_events *events = call->events;
    stream->out = core_route_reply_stream(call->reply);
    if (stream->out == NULL) {
        free(stream);
        triggers_events_refuse(call, 503, "out of memory");
        return;
    }
    call->reply = NULL;
    stream->next = events->streams;
    events->streams = stream;
    events->stream_count++;
    stream->news = true;
    stream_ask(stream);
    triggers_events_answer(call);
}

/* Behind the last event that the stream holds now. */
static void on_end(void *context, uint64_t tag, const fanout_answer *answer,
                   const core_error *error) {
    events_call *call = triggers_events_arrived(context);
    bool room = call->events->stream_count < STREAMS_MAX;
    events_stream *stream = room ? calloc(1, sizeof *stream) : NULL;
    (void)tag;
    if (error != NULL && error->code != CORE_ERROR_INPUT) {
        free(stream);
        triggers_events_fail(call, error);
        return;
    }
    if (stream == NULL) {
        triggers_events_refuse(call, 503, room ? "out of memory" : "too many streams of events");
        return;
    }
    *stream = (events_stream){.events = call->events, .at = call->at};
    if (call->at == 0)
        stream->at = error == NULL ? answer->sequence + 1 : 1;
    memcpy(stream->filter, call->filter, sizeof stream->filter);
    stream_open(call, stream);
}

static void end_ask(events_call *call) {
    core_error error = {.text = ""};
    if (!fanout_courier_last(call->events->courier, call->events->stream, call->filter,
                             triggers_events_expect(call, on_end, 0), &error))
        triggers_events_stall(call, end_ask, &error);
}

void triggers_events_stream(events_call *call) {
    const core_route_request *request = &call->reply->request;
    core_error error = {.text = ""};
    if (!triggers_events_type(call, request->query, &error) ||
        !triggers_events_since(call, request->query, request->last_event_id, &error))
        triggers_events_refuse(call, error.code == CORE_ERROR_GAP ? 410 : 400, error.text);
    else
        end_ask(call);
}
