/* The window's rules; see publisher_window.h.
 *
 * Acks of one stream come in the order of its sequences, on one connection, so anything but the
 * oldest number is as bad as a refusal: an ack was lost, and what it would have said is not known.
 */
#include "fanout/publisher_window.h"

#include "fanout/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

bool fanout_window_init(fanout_window *window, const char *stream, size_t max_messages,
                        size_t max_bytes, core_error *error) {
    *window = (fanout_window){
        .stream = stream,
        .max_messages = max_messages,
        .max_bytes = max_bytes,
        .slots = calloc(max_messages, sizeof(fanout_window_slot)),
    };
    if (window->slots == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a window of %zu messages",
                              max_messages);
    return true;
}

void fanout_window_fini(fanout_window *window) {
    free(window->slots);
    *window = (fanout_window){0};
}

void fanout_window_start(fanout_window *window, uint64_t epoch, uint64_t base) {
    window->epoch = epoch;
    window->base = base;
    window->sent = window->acked = 0;
    window->bytes = 0;
}

static fanout_window_slot *window_slot(const fanout_window *window, uint64_t n) {
    return &window->slots[n % window->max_messages];
}

bool fanout_window_admits(const fanout_window *window, size_t bytes) {
    size_t length = fanout_window_length(window);
    if (length == 0)
        return true;
    if (window->acked == 0 || length >= window->max_messages)
        return false;
    return bytes <= window->max_bytes && window->bytes <= window->max_bytes - bytes;
}

uint64_t fanout_window_send(fanout_window *window, size_t bytes, int64_t now_us) {
    assert(fanout_window_admits(window, bytes));
    uint64_t n = ++window->sent;
    *window_slot(window, n) = (fanout_window_slot){.sent_us = now_us, .bytes = bytes};
    window->bytes += bytes;
    return n;
}

void fanout_window_message_id(const fanout_window *window, uint64_t n,
                              char text[FANOUT_MESSAGE_ID_MAX]) {
    (void)snprintf(text, FANOUT_MESSAGE_ID_MAX, "%016" PRIx64 "-%" PRIu64, window->epoch, n);
}

static bool ack_refused(const fanout_window *window, uint64_t n, const fanout_puback *ack,
                        core_error *error) {
    int code = ack->error_code <= INT32_MAX ? (int)ack->error_code : 0;
    const fanout_api_code *known = fanout_api_code_find(code);
    return core_error_set(error, known != NULL ? known->error_code : CORE_ERROR_TRANSIENT,
                          "stream %s refused message %" PRIu64 " (sequence %" PRIu64
                          "): %.*s (%d)%s%s",
                          window->stream, n, window->base + n, CORE_SLICE_ARGS(ack->description),
                          code, known != NULL ? "; " : "", known != NULL ? known->hint : "");
}

bool fanout_window_ack(fanout_window *window, uint64_t n, const fanout_puback *ack,
                       int64_t *sent_us, core_error *error) {
    uint64_t expected = window->acked + 1;
    if (n != expected || n > window->sent)
        return core_error_set(error, CORE_ERROR_CONFLICT,
                              "stream %s acknowledged message %" PRIu64
                              " of this writer while %" PRIu64 " was due: an ack was lost",
                              window->stream, n, expected);
    if (ack->error_code != 0)
        return ack_refused(window, n, ack, error);
    if (ack->duplicate)
        return core_error_set(error, CORE_ERROR_CONFLICT,
                              "stream %s calls message %" PRIu64
                              " a duplicate although its id was never used: nothing was stored",
                              window->stream, n);
    if (!core_json_raw_is(ack->stream, window->stream))
        return core_error_set(error, CORE_ERROR_CONFLICT,
                              "message %" PRIu64 " was stored by stream %.*s, expected %s: another "
                              "stream takes its subject",
                              n, CORE_SLICE_ARGS(ack->stream), window->stream);
    if (ack->sequence != window->base + n)
        return core_error_set(error, CORE_ERROR_CONFLICT,
                              "stream %s stored message %" PRIu64 " at sequence %" PRIu64
                              ", expected %" PRIu64 ": somebody else writes to it",
                              window->stream, n, ack->sequence, window->base + n);
    const fanout_window_slot *slot = window_slot(window, n);
    *sent_us = slot->sent_us;
    window->bytes -= slot->bytes;
    window->acked = n;
    return true;
}

bool fanout_window_overdue(const fanout_window *window, int64_t now_us, int64_t timeout_ms) {
    if (fanout_window_length(window) == 0)
        return false;
    return now_us - window_slot(window, window->acked + 1)->sent_us > timeout_ms * CORE_US_PER_MS;
}
