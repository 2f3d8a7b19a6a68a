/* See letter_sort.h. */
#include "triggers/letter_sort.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SORT_MAX = 512 }; /* of one call */

#define LETTER_BYTES_MAX ((size_t)64 << 20) /* nats-server's own limit on a message */

typedef struct {
    fanout_connection *connection;
    const core_config *config;
    char stream[FANOUT_NAME_MAX];
    uint64_t looked; /* the last one */
    uint64_t going[SORT_MAX];
    size_t going_count;
} letter_sort;

static bool letter_look(void *context, const fanout_message *message, core_error *error) {
    letter_sort *it = context;
    char subject[CORE_SUBJECT_MAX];
    if (!triggers_dead_subject_of(it->config, message->payload, subject, error))
        return false;
    if (strcmp(subject, message->subject) != 0)
        it->going[it->going_count++] = message->sequence;
    it->looked = message->sequence;
    return message->pending > 0 && it->going_count < SORT_MAX;
}

static bool letter_put(const letter_sort *it, uint64_t sequence, core_buffer *letter,
                       core_error *error) {
    char subject[CORE_SUBJECT_MAX], id[32];
    bool duplicate;
    core_buffer_reset(letter);
    if (!fanout_stream_message(it->connection, it->stream, sequence, letter, error))
        return error->code == CORE_ERROR_INPUT; /* it is gone */
    (void)snprintf(id, sizeof id, "sorted-%" PRIu64, sequence);
    const fanout_event event = {.subject = subject, .id = id, .payload = core_buffer_slice(letter)};
    return triggers_dead_subject_of(it->config, event.payload, subject, error) &&
           fanout_event_publish(it->connection, &event, &duplicate, error) &&
           fanout_stream_remove(it->connection, it->stream, sequence, error);
}

static bool letters_put(const letter_sort *it, core_error *error) {
    core_buffer letter;
    bool ok = true;
    core_buffer_init(&letter, LETTER_BYTES_MAX);
    for (size_t i = 0; i < it->going_count && ok; i++)
        ok = letter_put(it, it->going[i], &letter, error);
    core_buffer_fini(&letter);
    return ok;
}

bool triggers_letters_sort(fanout_connection *connection, const core_config *config,
                           uint64_t *sorted, bool *goes_on, core_error *error) {
    letter_sort it = {.connection = connection, .config = config};
    char subjects[CORE_SUBJECT_MAX];
    fanout_log_range range = {.stream = it.stream, .subject = subjects, .first = *sorted + 1};
    (void)fanout_stream_work_spec(config, FANOUT_WORK_DEAD, it.stream, subjects);
    *goes_on = false;
    error->code = CORE_ERROR_NONE;
    if (!fanout_stream_subject_end(connection, it.stream, subjects, &range.last, error))
        return false;
    if (range.last <= *sorted)
        return true;
    bool ok = fanout_log_read(connection, &range, letter_look, &it, error) ||
              error->code == CORE_ERROR_NONE; /* ended by the handler */
    if (!ok || !letters_put(&it, error))
        return false;
    *sorted = it.looked;
    *goes_on = it.going_count == SORT_MAX;
    return true;
}
