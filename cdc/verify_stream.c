/* See verify_stream.h. Happy path: message after message until the one that was the table's last
 * when the point had been passed; then the delivery thread tells the waiting one. */
#include "cdc/verify_stream.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define READER_MAGIC UINT32_C(0x76726472)

enum { PROGRESS_MS = 200 };

typedef struct {
    uint32_t magic;
    cdc_verify_events *events;
    uint64_t until;
    int end_fd;
    atomic_uint_fast64_t messages;
    atomic_uint_fast64_t left;
    /* The delivery thread's until the consumer is freed. */
    bool ended;
    bool ok;
    core_error error;
} stream_reader;

static void reader_end(stream_reader *reader, bool ok) {
    const uint64_t one = 1;
    reader->ended = true;
    reader->ok = ok;
    if (write(reader->end_fd, &one, sizeof one) != (ssize_t)sizeof one)
        abort(); /* an eventfd takes its first value */
}

static void on_message(void *context, const fanout_message *message) {
    stream_reader *reader = context;
    CORE_MAGIC_CHECK(reader, READER_MAGIC);
    if (reader->ended)
        return;
    bool ok =
        message->sequence > reader->until ||
        cdc_verify_events_feed(reader->events, message->payload, message->sequence, &reader->error);
    atomic_fetch_add(&reader->messages, 1);
    atomic_store(&reader->left, message->pending);
    if (!ok || message->sequence >= reader->until)
        reader_end(reader, ok);
}

static void on_lost(void *context, const core_error *reason) {
    stream_reader *reader = context;
    CORE_MAGIC_CHECK(reader, READER_MAGIC);
    if (reader->ended)
        return;
    reader->error = *reason;
    reader_end(reader, false);
}

/* False: nothing came for too long. */
static bool reader_wait(stream_reader *reader, const cdc_verify_options *options,
                        int64_t timeout_ms) {
    struct pollfd end = {.fd = reader->end_fd, .events = POLLIN};
    uint64_t before = 0;
    int64_t moved_ms = core_clock_ms(core_clock_system());
    while (poll(&end, 1, PROGRESS_MS) == 0 || errno == EINTR) {
        errno = 0;
        uint64_t messages = atomic_load(&reader->messages);
        int64_t now_ms = core_clock_ms(core_clock_system());
        moved_ms = messages != before ? now_ms : moved_ms;
        before = messages;
        if ((end.revents & POLLIN) != 0)
            break;
        if (now_ms - moved_ms > timeout_ms)
            return false;
        if (options->on_progress != NULL)
            options->on_progress(options->context, CDC_VERIFY_FOLDING, messages,
                                 messages + atomic_load(&reader->left));
    }
    return true;
}

bool cdc_verify_stream_read(fanout_connection *connection, const cdc_verify_stream_spec *spec,
                            cdc_verify_events *events, const cdc_verify_options *options,
                            core_log *log, core_error *error) {
    if (spec->until < spec->from)
        return true;
    stream_reader reader = {.magic = READER_MAGIC,
                            .events = events,
                            .until = spec->until,
                            .end_fd = eventfd(0, EFD_CLOEXEC)};
    const fanout_ordered_spec ordered = {
        .stream = spec->stream,
        .filter = spec->filter,
        .from = FANOUT_FROM_SEQUENCE,
        .sequence = spec->from,
        .on_message = on_message,
        .on_lost = on_lost,
        .context = &reader,
    };
    if (reader.end_fd < 0)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no descriptor: %s", strerror(errno));
    fanout_ordered *consumer = fanout_ordered_new(connection, &ordered, log, error);
    bool came = consumer != NULL && reader_wait(&reader, options, spec->timeout_ms);
    if (consumer != NULL)
        fanout_ordered_free(consumer);
    (void)close(reader.end_fd);
    if (consumer == NULL || (came && reader.ok))
        return consumer != NULL;
    if (came)
        *error = reader.error;
    return came ? false
                : core_error_set(error, CORE_ERROR_TRANSIENT,
                                 "stream %s: nothing came for %lld ms, %llu messages read",
                                 spec->stream, (long long)spec->timeout_ms,
                                 (unsigned long long)atomic_load(&reader.messages));
}
