/* See hub_reader.h. */
#include "ws/hub_reader.h"

#include "ws/limits.h"

#include <time.h>

#define READER_PAUSE_NS 500000 /* between two looks at a ring that is full */

bool hub_reader_init(hub_reader *reader, size_t max_row_bytes, core_error *error) {
    core_assembly_init(&reader->assembly, max_row_bytes);
    reader->messages = core_ring_new(WS_READER_MESSAGES, sizeof(hub_reader_message), error);
    return reader->messages != NULL;
}

static void reader_empty(hub_reader *reader) {
    hub_reader_message message;
    while (hub_reader_take(reader, &message))
        core_block_release(message.payload);
}

void hub_reader_fini(hub_reader *reader) {
    if (reader->messages != NULL)
        reader_empty(reader);
    core_ring_free(reader->messages);
    core_assembly_fini(&reader->assembly);
}

/* ---- The hub's thread ---- */

void hub_reader_want(hub_reader *reader, uint64_t from) {
    assert(atomic_load(&reader->state) == HUB_READER_IDLE);
    reader->from = from;
    atomic_store(&reader->state, HUB_READER_WANTED);
}

bool hub_reader_take(hub_reader *reader, hub_reader_message *message) {
    if (!core_ring_pop(reader->messages, message))
        return false;
    if (message->payload != NULL)
        atomic_fetch_sub(&reader->bytes, message->payload->length);
    return true;
}

void hub_reader_let_go(hub_reader *reader) {
    atomic_store(&reader->stop, true);
    atomic_store(&reader->state, HUB_READER_LET_GO);
}

/* ---- The gateway's thread ---- */

void hub_reader_opened(hub_reader *reader, bool held) {
    int wanted = HUB_READER_WANTED;
    (void)atomic_compare_exchange_strong(&reader->state, &wanted,
                                         held ? HUB_READER_OPEN : HUB_READER_LOST);
    core_ring_wake(reader->messages);
}

void hub_reader_closed(hub_reader *reader) {
    assert(atomic_load(&reader->state) == HUB_READER_LET_GO);
    reader_empty(reader); /* the hub takes nothing of one that it let go */
    core_assembly_reset(&reader->assembly);
    atomic_store(&reader->stop, false);
    atomic_store(&reader->state, HUB_READER_IDLE);
}

/* ---- The consumer's thread ---- */

static void reader_push(hub_reader *reader, const hub_reader_message *message) {
    size_t length = message->payload != NULL ? message->payload->length : 0;
    while (!atomic_load(&reader->stop)) {
        if (atomic_load(&reader->bytes) < WS_READER_BYTES) {
            atomic_fetch_add(&reader->bytes, length);
            if (core_ring_push(reader->messages, message))
                return;
            atomic_fetch_sub(&reader->bytes, length);
        }
        struct timespec pause = {.tv_nsec = READER_PAUSE_NS};
        (void)nanosleep(&pause, NULL);
    }
    core_block_release(message->payload);
}

void hub_reader_feed(hub_reader *reader, core_slice payload, uint64_t sequence, bool last) {
    core_slice whole = payload;
    core_error error;
    hub_reader_message message = {.sequence = sequence, .last = last};
    if (payload.length > 0) {
        switch (core_assembly_feed(&reader->assembly, payload, sequence, &whole, &error)) {
        case CORE_ASSEMBLY_WHOLE:
            message.payload = core_block_copy(whole);
            if (message.payload == NULL)
                hub_reader_feed_lost(reader);
            break;
        case CORE_ASSEMBLY_MORE:
            return;
        case CORE_ASSEMBLY_REFUSED:
            hub_reader_feed_lost(reader);
            return;
        }
    }
    reader_push(reader, &message);
}

void hub_reader_feed_lost(hub_reader *reader) {
    int open = HUB_READER_OPEN;
    if (!atomic_compare_exchange_strong(&reader->state, &open, HUB_READER_LOST))
        hub_reader_opened(reader, false);
    atomic_store(&reader->stop, true);
    core_ring_wake(reader->messages);
}
