/* See event_request.h. */
#include "triggers/event_request.h"

#include <stdlib.h>

static const char own_prefix[] = "walcast.";

static bool type_byte_fits(uint8_t byte) {
    return ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') || (byte >= '0' && byte <= '9') ||
           (byte != '\0' && strchr("._-:/", byte) != NULL);
}

/* A long token is cut and ends in a hash, which cannot be undone. */
static bool type_comes_back(core_slice type) {
    uint8_t token_bytes[CORE_SUBJECT_TOKEN_MAX], type_bytes[CORE_SUBJECT_TOKEN_MAX];
    core_buffer token = core_buffer_over(token_bytes, sizeof token_bytes);
    core_buffer back = core_buffer_over(type_bytes, sizeof type_bytes);
    core_subject_token_append(&token, type);
    return core_buffer_ok(&token) && core_subject_token_decode(core_buffer_slice(&token), &back) &&
           core_slice_equal(core_buffer_slice(&back), type);
}

bool triggers_event_type_check(core_slice type, core_error *error) {
    bool fits = type.length > 0 && type.length <= TRIGGERS_EVENT_TYPE_MAX;
    for (size_t i = 0; fits && i < type.length; i++)
        fits = type_byte_fits(type.data[i]);
    if (!fits || !type_comes_back(type))
        return core_error_set(error, CORE_ERROR_INPUT,
                              "\"type\": expected letters, digits and . _ - : /, at most %d bytes, "
                              "fewer where many are dots, colons",
                              TRIGGERS_EVENT_TYPE_MAX);
    if (type.length >= sizeof own_prefix - 1 &&
        memcmp(type.data, own_prefix, sizeof own_prefix - 1) == 0)
        return core_error_set(error, CORE_ERROR_INPUT,
                              "\"type\": those that begin with walcast. are Walcast's own");
    return true;
}

static triggers_posted_event *batch_add(triggers_event_batch *batch, core_error *error) {
    if (batch->count == TRIGGERS_EVENT_BATCH_MAX) {
        (void)core_error_set(error, CORE_ERROR_LIMIT, "a batch holds at most %d events",
                             TRIGGERS_EVENT_BATCH_MAX);
        return NULL;
    }
    if (batch->count == batch->capacity) {
        size_t capacity = batch->capacity > 0 ? 2 * batch->capacity : 1;
        triggers_posted_event *events = realloc(batch->events, capacity * sizeof *events);
        if (events == NULL) {
            (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for events");
            return NULL;
        }
        batch->events = events;
        batch->capacity = capacity;
    }
    triggers_posted_event *event = &batch->events[batch->count++];
    *event = (triggers_posted_event){.data = core_slice_text("null")};
    return event;
}

/* Behind the opening bracket of one event. */
static bool event_read(core_json_reader *reader, triggers_posted_event *event, core_error *error) {
    core_json_token member;
    bool has_type = false;
    while (core_json_member_next(reader, &member)) {
        if (core_json_raw_is(member.key, "type") && !has_type) {
            if (member.kind != CORE_JSON_STRING)
                return core_error_set(error, CORE_ERROR_INPUT, "\"type\": expected a string");
            event->type = member.raw; /* an escape in it is a byte that no type has */
            if (!triggers_event_type_check(event->type, error))
                return false;
            has_type = true;
        } else if (core_json_raw_is(member.key, "data")) {
            if (!core_json_skip(reader, member, &event->data))
                return core_error_set(error, CORE_ERROR_INPUT, "\"data\": not valid JSON");
        } else {
            return core_error_set(error, CORE_ERROR_INPUT,
                                  "\"%.*s\" is not expected; an event is {\"type\", \"data\"}",
                                  (int)(member.key.length < 100 ? member.key.length : 100),
                                  (const char *)member.key.data);
        }
    }
    return has_type || core_error_set(error, CORE_ERROR_INPUT, "\"type\" is missing");
}

static bool events_read(core_json_reader *reader, triggers_event_batch *batch, core_error *error) {
    core_json_token token;
    while ((token = core_json_next(reader)).kind == CORE_JSON_OBJECT_OPEN) {
        triggers_posted_event *event = batch_add(batch, error);
        if (event == NULL)
            return false;
        if (!event_read(reader, event, error))
            return core_error_wrap(error, "event %zu", batch->count - 1);
    }
    if (token.kind != CORE_JSON_ARRAY_CLOSE)
        return core_error_set(error, CORE_ERROR_INPUT, "event %zu: expected an object",
                              batch->count);
    return batch->count > 0 || core_error_set(error, CORE_ERROR_INPUT, "\"events\" is empty");
}

static bool many_read(core_json_reader *reader, triggers_event_batch *batch, core_error *error) {
    core_json_token member;
    bool is_list = core_json_member_next(reader, &member) &&
                   core_json_raw_is(member.key, "events") && member.kind == CORE_JSON_ARRAY_OPEN;
    if (!is_list)
        return core_error_set(error, CORE_ERROR_INPUT, "expected {\"events\": [...]}");
    if (!events_read(reader, batch, error))
        return false;
    return !core_json_member_next(reader, &member) ||
           core_error_set(error, CORE_ERROR_INPUT, "nothing is expected beside \"events\"");
}

static bool one_read(core_json_reader *reader, triggers_event_batch *batch, core_error *error) {
    triggers_posted_event *event = batch_add(batch, error);
    return event != NULL && event_read(reader, event, error);
}

bool triggers_event_batch_read(core_slice body, bool many, triggers_event_batch *batch,
                               core_error *error) {
    *batch = (triggers_event_batch){.events = NULL};
    core_json_reader reader = core_json_reader_make(body);
    if (!core_json_valid(body) || core_json_next(&reader).kind != CORE_JSON_OBJECT_OPEN)
        return core_error_set(error, CORE_ERROR_INPUT, "the body is no JSON object");
    if (many ? many_read(&reader, batch, error) : one_read(&reader, batch, error))
        return true;
    triggers_event_batch_fini(batch);
    return false;
}

void triggers_event_batch_fini(triggers_event_batch *batch) {
    free(batch->events);
    *batch = (triggers_event_batch){.events = NULL};
}
