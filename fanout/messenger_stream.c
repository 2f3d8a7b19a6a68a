/* See messenger_stream.h. */
#include "fanout/messenger_stream.h"

#include "fanout/filter.h"

#include <stdio.h>

enum {
    KNOWN_FOR_MS = 30 * 1000,
    ASK_MS = 1000,
    SILENT_FOR_MS = 1000,
    ANSWER_MAX = 64 * 1024,
};

/* {"streams":["NAME", ...]}, null where there is none. */
static bool names_any(core_slice answer) {
    core_json_reader reader = core_json_reader_make(answer);
    core_json_token member;
    core_slice whole;
    bool any = false, ok = core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    while (ok && core_json_member_next(&reader, &member)) {
        bool is_streams = core_json_raw_is(member.key, "streams");
        ok = core_json_skip(&reader, member, &whole);
        any = any || (ok && is_streams && memchr(whole.data, '"', whole.length) != NULL);
    }
    return ok && any;
}

static bool names_ask(fanout_connection *connection, const char *subject, bool *takes,
                      core_error *error) {
    char escaped[FANOUT_FILTER_MAX], body[FANOUT_FILTER_MAX + 32];
    core_buffer answer;
    if (!fanout_filter_escape(subject, escaped, error))
        return false;
    (void)snprintf(body, sizeof body, "{\"subject\":\"%s\"}", escaped);
    core_buffer_init(&answer, ANSWER_MAX);
    bool ok = fanout_request(connection, "$JS.API.STREAM.NAMES", core_slice_text(body), ASK_MS,
                             &answer, error);
    if (ok)
        *takes = names_any(core_buffer_slice(&answer));
    core_buffer_fini(&answer);
    return ok;
}

bool fanout_stream_takes(fanout_stream_book *book, fanout_connection *connection,
                         const char *subject, int64_t now_ms, bool *takes, core_error *error) {
    uint64_t hash = core_slice_hash(core_slice_text(subject)) | 1;
    fanout_known_subject *known = &book->known[hash / 2 % FANOUT_KNOWN_SUBJECTS];
    if (known->hash == hash && known->until_ms > now_ms) {
        *takes = known->takes;
        return true;
    }
    if (book->silent_until_ms > now_ms)
        return core_error_set(error, CORE_ERROR_TRANSIENT,
                              "JetStream does not answer $JS.API.STREAM.NAMES");
    if (!names_ask(connection, subject, takes, error)) {
        book->silent_until_ms = core_clock_ms(core_clock_system()) + SILENT_FOR_MS;
        return false;
    }
    *known =
        (fanout_known_subject){.hash = hash, .takes = *takes, .until_ms = now_ms + KNOWN_FOR_MS};
    return true;
}
