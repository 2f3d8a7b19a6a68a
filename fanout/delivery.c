/* Reads the reply subject of a delivered message; see delivery.h. */
#include "fanout/delivery.h"

enum { TOKENS_MAX = 12, TOKENS_OLD = 9, TOKENS_NEW_MIN = 11, TOKENS_NEW_PREFIX = 2 };

/* Splits at dots. 0 when there are more than TOKENS_MAX tokens. */
static size_t split(core_slice subject, core_slice tokens[TOKENS_MAX]) {
    size_t count = 0, begin = 0;
    for (size_t at = 0; at <= subject.length; at++) {
        if (at < subject.length && subject.data[at] != '.')
            continue;
        if (count == TOKENS_MAX)
            return 0;
        tokens[count++] = core_slice_make(subject.data + begin, at - begin);
        begin = at + 1;
    }
    return count;
}

bool fanout_delivery_read(core_slice reply, fanout_delivery *delivery) {
    core_slice tokens[TOKENS_MAX];
    uint64_t stored_ns = 0;
    if (reply.length == 0)
        return false;
    size_t count = split(reply, tokens);
    if ((count != TOKENS_OLD && count < TOKENS_NEW_MIN) || !core_slice_is(tokens[0], "$JS") ||
        !core_slice_is(tokens[1], "ACK"))
        return false;
    const core_slice *numbers = tokens + 4 + (count == TOKENS_OLD ? 0 : TOKENS_NEW_PREFIX);
    if (!core_slice_to_u64(numbers[0], &delivery->delivered) ||
        !core_slice_to_u64(numbers[1], &delivery->stream_sequence) ||
        !core_slice_to_u64(numbers[2], &delivery->consumer_sequence) ||
        !core_slice_to_u64(numbers[3], &stored_ns) ||
        !core_slice_to_u64(numbers[4], &delivery->pending))
        return false;
    delivery->stored_us = (int64_t)(stored_ns / 1000);
    return true;
}
