/* The matcher's thread; see matcher.h.
 *
 * It keeps the lease; while it has it, it opens the stream of tasks as its one writer, takes its
 * place from there, and reads changes from that place on. Whatever is unexpected (a lost lease, a
 * refused task, a stream that was made anew) ends that, and it begins again from the lease. */
#include "triggers/matcher_private.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    TURNS = 3, /* in the time of a lease */
    AGAIN_MS = 500,
    IDLE_MS = 500,
    SAVE_EVERY_MS = 2000,
    PURGE_EVERY_MS = 3000,
    PAST_MS = 200,     /* while histories are read, which wait for what partitions have done */
    HISTORY_SHARE = 8, /* one message in so many, however many live ones there are */
    NEAR_END = 64,     /* so near to the live place a history goes first */
    TEXT_MAX_BYTES = 64 * 1024 * 1024,
    ARENA_CHUNK = 256 * 1024,
    NAME_MAX_BYTES = 4096,
};

/* ---- told to others ---- */

static void matcher_say(triggers_matcher *matcher, triggers_matcher_state state, const char *text) {
    (void)pthread_mutex_lock(&matcher->lock);
    bool is_news = strcmp(matcher->trouble, text) != 0;
    matcher->state_now = state;
    (void)snprintf(matcher->trouble, sizeof matcher->trouble, "%s", text);
    (void)pthread_mutex_unlock(&matcher->lock);
    if (is_news && text[0] != '\0')
        CORE_LOG(matcher->spec.log, WARN, "triggers", "changes are not matched now",
                 CORE_LOG_TEXT("reason", text));
}

triggers_matcher_state triggers_matcher_look(triggers_matcher *matcher, char *text,
                                             size_t text_size) {
    int64_t now_ms = core_clock_ms(matcher->spec.clock);
    (void)pthread_mutex_lock(&matcher->lock);
    triggers_matcher_state state = matcher->state_now;
    bool has_gap = state == TRIGGERS_MATCHER_RUNS && now_ms < matcher->gap_until_ms;
    (void)snprintf(text, text_size, "%s", has_gap ? matcher->gap : matcher->trouble);
    (void)pthread_mutex_unlock(&matcher->lock);
    return has_gap ? TRIGGERS_MATCHER_GAP : state;
}

/* ---- waiting, the lease ---- */

void triggers_matcher_wait(triggers_matcher *matcher, int fd, int64_t wait_ms) {
    struct pollfd fds[] = {{.fd = matcher->wake_fd, .events = POLLIN},
                           {.fd = fd, .events = POLLIN}};
    (void)poll(fds, fd >= 0 ? 2 : 1, (int)wait_ms);
    core_wake_clear(matcher->wake_fd);
}

bool triggers_matcher_goes_on(triggers_matcher *matcher) {
    core_error error = {0};
    int64_t now_ms = core_clock_ms(matcher->spec.clock);
    if (atomic_load(&matcher->stopping))
        return false;
    if (now_ms - matcher->keep_ms >= matcher->ttl_ms / TURNS) {
        matcher->keep_ms = now_ms;
        if (!fanout_lease_keep(matcher->lease, &error) && error.code == CORE_ERROR_CONFLICT)
            return false;
    }
    return fanout_lease_held(matcher->lease);
}

/* ---- connections ---- */

static bool lease_make(triggers_matcher *matcher, core_error *error) {
    const fanout_lease_spec spec = {
        .key = "match", .owner = matcher->node, .ttl_ms = matcher->ttl_ms};
    matcher->lease = fanout_lease_new(matcher->leases, &spec, matcher->spec.clock, error);
    return matcher->lease != NULL;
}

static bool publisher_make(triggers_matcher *matcher, core_error *error) {
    const fanout_stream_spec spec = fanout_stream_work_spec(
        matcher->spec.config, FANOUT_WORK_TASKS, matcher->tasks_stream, matcher->tasks_subjects);
    matcher->publisher = fanout_publisher_new(matcher->spec.config, &spec, matcher->spec.log,
                                              matcher->spec.metrics, matcher->spec.clock, error);
    return matcher->publisher != NULL;
}

static bool matcher_connect(triggers_matcher *matcher, core_error *error) {
    const triggers_matcher_spec *spec = &matcher->spec;
    if (matcher->connection == NULL)
        matcher->connection =
            fanout_connection_new(spec->config, "walcast matcher", spec->log, spec->metrics, error);
    if (matcher->connection == NULL)
        return false;
    if (matcher->leases == NULL)
        matcher->leases = fanout_bucket_new_brief(matcher->connection, spec->config, "leases",
                                                  matcher->ttl_ms, error);
    if (matcher->state == NULL && matcher->leases != NULL)
        matcher->state = fanout_bucket_new(matcher->connection, spec->config, "state", error);
    matcher->max_payload = fanout_connection_max_payload(matcher->connection);
    return matcher->leases != NULL && matcher->state != NULL &&
           (matcher->lease != NULL || lease_make(matcher, error)) &&
           (matcher->publisher != NULL || publisher_make(matcher, error));
}

/* ---- matching ---- */

static bool definitions_are_known(triggers_matcher *matcher) {
    core_error ignored;
    return triggers_matcher_set_renew(matcher, &ignored) && matcher->set->generation != 0;
}

/* How far partitions are is asked for more often then. */
static bool reads_past(const triggers_matcher *matcher) {
    for (triggers_input i = TRIGGERS_INPUT_CHANGES_NEAR; i < TRIGGERS_INPUTS; i++)
        if (matcher->feeds[i].is_open)
            return true;
    return false;
}

/* What is due besides messages. */
static bool matcher_keep(triggers_matcher *matcher, core_error *error) {
    int64_t now_ms = core_clock_ms(matcher->spec.clock);
    if (!triggers_matcher_poll(matcher, error))
        return false;
    if (now_ms - matcher->save_ms >= SAVE_EVERY_MS) {
        matcher->save_ms = now_ms;
        if (!triggers_matcher_save(matcher, error))
            return false;
    }
    if (now_ms - matcher->purge_ms >= (reads_past(matcher) ? PAST_MS : PURGE_EVERY_MS)) {
        matcher->purge_ms = now_ms;
        triggers_matcher_purge(matcher);
    }
    return true;
}

/* ---- whose message is next ---- */

/* A change or event that is done partly comes first, before anything else is taken: what of it is
 * stored is known only as long as it is the last. When its stream does not hold it any more the
 * rest of it is lost. */
static bool partly_look(triggers_matcher *matcher, core_error *error) {
    triggers_input input = matcher->position.input;
    if (matcher->is_done || matcher->feeds[input].taken < matcher->feeds[input].end)
        return true;
    matcher->is_done = true;
    return triggers_matcher_gap(matcher, input, "a change is gone that was matched only in part",
                                error);
}

/* One live input after the other, so that none waits for another that is always full. */
static core_block *live_next(triggers_matcher *matcher, triggers_input *input, uint64_t *sequence) {
    for (unsigned i = 1; i <= TRIGGERS_STREAMS; i++) {
        *input = (triggers_input)((matcher->last_input + i) % TRIGGERS_STREAMS);
        core_block *message = triggers_feed_next(&matcher->feeds[*input], sequence);
        if (message != NULL)
            return message;
    }
    return NULL;
}

/* Short histories before long ones. `only_near`: of those that have nearly come to the live place.
 */
static core_block *history_next(triggers_matcher *matcher, bool only_near, triggers_input *input,
                                uint64_t *sequence) {
    if (matcher->starting == 0 || !triggers_matcher_history_may(matcher))
        return NULL;
    for (*input = TRIGGERS_INPUT_CHANGES_NEAR; *input < TRIGGERS_INPUTS; (*input)++) {
        const triggers_feed *live = &matcher->feeds[triggers_input_live(*input)];
        if (only_near && matcher->feeds[*input].taken + NEAR_END < live->taken)
            continue;
        core_block *message = triggers_feed_next(&matcher->feeds[*input], sequence);
        if (message != NULL)
            return message;
    }
    return NULL;
}

/* Live ones first, but a history has its share, and comes to its end. */
static core_block *message_next(triggers_matcher *matcher, triggers_input *input,
                                uint64_t *sequence) {
    if (!matcher->is_done) {
        *input = matcher->position.input;
        return triggers_feed_next(&matcher->feeds[*input], sequence);
    }
    bool only_near = ++matcher->turns % HISTORY_SHARE != 0;
    core_block *message = history_next(matcher, only_near, input, sequence);
    if (message == NULL)
        message = live_next(matcher, input, sequence);
    return message != NULL ? message : history_next(matcher, false, input, sequence);
}

static bool message_take(triggers_matcher *matcher, triggers_input input, uint64_t sequence,
                         core_slice message, core_error *error) {
    if (triggers_input_is_live(input))
        matcher->last_input = input;
    matcher->position.turn++;
    matcher->told_number = 0;
    matcher->position.input = input;
    bool ok = triggers_input_kind(input) == TRIGGERS_STREAM_CHANGES
                  ? triggers_matcher_take_changes(matcher, input, sequence, message, error)
                  : triggers_matcher_take_event(matcher, input, sequence, message, error);
    if (ok)
        matcher->feeds[input].taken = sequence;
    return ok;
}

static bool matcher_step(triggers_matcher *matcher, core_error *error) {
    uint64_t sequence;
    triggers_input input;
    for (size_t i = 0; i < TRIGGERS_INPUTS; i++)
        if (triggers_feed_is_lost(&matcher->feeds[i]))
            return core_error_set(error, CORE_ERROR_GAP,
                                  "a stream does not go on where it was read");
    if (!triggers_matcher_set_renew(matcher, error) || !partly_look(matcher, error) ||
        !triggers_matcher_starts_look(matcher, error))
        return false;
    core_block *message = message_next(matcher, &input, &sequence);
    bool ok = true;
    if (message != NULL) {
        ok = message_take(matcher, input, sequence, core_block_slice(message), error);
        core_block_release(message);
    } else if (fanout_publisher_sleep(matcher->publisher)) {
        triggers_matcher_wait(matcher, fanout_publisher_wake_fd(matcher->publisher),
                              reads_past(matcher) ? PAST_MS : IDLE_MS);
        fanout_publisher_wake_clear(matcher->publisher);
    }
    return ok && matcher_keep(matcher, error);
}

static void matcher_match(triggers_matcher *matcher, core_error *error) {
    const fanout_tail *tail = NULL;
    bool ok = fanout_publisher_open(matcher->publisher, &tail, error) &&
              triggers_matcher_place(matcher, tail, error) &&
              triggers_matcher_starts_read(matcher, error) &&
              triggers_matcher_inputs_open(matcher, error) &&
              triggers_matcher_claim(matcher, error);
    if (ok)
        matcher_say(matcher, TRIGGERS_MATCHER_RUNS, "");
    while (ok && triggers_matcher_goes_on(matcher))
        ok = matcher_step(matcher, error);
    if (ok && atomic_load(&matcher->stopping)) /* so that the next one need not read what is done */
        (void)(triggers_matcher_poll(matcher, error) && triggers_matcher_save(matcher, error));
    triggers_matcher_inputs_close(matcher);
    matcher->told_count = 0;
    core_buffer_reset(&matcher->told);
}

/* One attempt; how long to wait before the next one. */
static int64_t matcher_turn(triggers_matcher *matcher) {
    core_error error = {0};
    if (!matcher_connect(matcher, &error)) {
        matcher_say(matcher, TRIGGERS_MATCHER_TROUBLE, error.text);
        return AGAIN_MS;
    }
    if (!definitions_are_known(matcher)) {
        matcher_say(matcher, TRIGGERS_MATCHER_TROUBLE, "definitions are being read");
        return AGAIN_MS / 5;
    }
    matcher->keep_ms = core_clock_ms(matcher->spec.clock);
    if (!fanout_lease_keep(matcher->lease, &error)) {
        bool is_other = error.code == CORE_ERROR_CONFLICT;
        matcher_say(matcher, is_other ? TRIGGERS_MATCHER_STANDBY : TRIGGERS_MATCHER_TROUBLE,
                    is_other ? "" : error.text);
        return matcher->ttl_ms / TURNS;
    }
    matcher_match(matcher, &error);
    if (error.code != CORE_ERROR_NONE)
        matcher_say(matcher, TRIGGERS_MATCHER_TROUBLE, error.text);
    return AGAIN_MS / 5;
}

static void *matcher_run(void *argument) {
    triggers_matcher *matcher = argument;
    CORE_MAGIC_CHECK(matcher, TRIGGERS_MATCHER_MAGIC);
    while (!atomic_load(&matcher->stopping)) {
        int64_t wait_ms = matcher_turn(matcher);
        if (!atomic_load(&matcher->stopping))
            triggers_matcher_wait(matcher, -1, wait_ms);
    }
    if (matcher->lease != NULL)
        fanout_lease_release(matcher->lease);
    return NULL;
}

/* ---- life ---- */

static bool matcher_prepare(triggers_matcher *matcher, core_error *error) {
    const core_config *config = matcher->spec.config;
    uint64_t random;
    char subjects[CORE_SUBJECT_MAX];
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no random bytes for a matcher's name");
    (void)snprintf(matcher->node, sizeof matcher->node, "%016" PRIx64, random);
    (void)fanout_stream_work_spec(config, FANOUT_WORK_DELIVERIES, matcher->deliveries_stream,
                                  subjects);
    matcher->ttl_ms = core_config_integer(config, "triggers.lease");
    matcher->tenants = core_tenants_of(config);
    core_buffer_init(&matcher->body, TEXT_MAX_BYTES);
    core_buffer_init(&matcher->key, TEXT_MAX_BYTES);
    core_buffer_init(&matcher->arguments, TEXT_MAX_BYTES);
    core_buffer_init(&matcher->recalled, TEXT_MAX_BYTES);
    core_buffer_init(&matcher->task, TEXT_MAX_BYTES);
    core_buffer_init(&matcher->told, TEXT_MAX_BYTES);
    for (size_t i = 0; i < CORE_COUNT_OF(matcher->names); i++)
        core_buffer_init(&matcher->names[i], NAME_MAX_BYTES);
    for (size_t i = 0; i <= TRIGGERS_INPUTS; i++)
        core_assembly_init(&matcher->assemblies[i], TEXT_MAX_BYTES);
    core_arena_init(&matcher->arena, ARENA_CHUNK, (size_t)4 * TEXT_MAX_BYTES);
    triggers_matcher_stream *changes = &matcher->streams[TRIGGERS_STREAM_CHANGES];
    (void)snprintf(changes->name, sizeof changes->name, "%s",
                   core_config_text(config, "nats.stream"));
    return core_subject_filter_source(config, changes->filter) ||
           core_error_set(error, CORE_ERROR_CONFIG, "nats.prefix or project is too long");
}

triggers_matcher *triggers_matcher_new(const triggers_matcher_spec *spec, core_error *error) {
    triggers_matcher *matcher = calloc(1, sizeof *matcher);
    if (matcher == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for a matcher");
        return NULL;
    }
    matcher->magic = TRIGGERS_MATCHER_MAGIC;
    matcher->spec = *spec;
    (void)pthread_mutex_init(&matcher->lock, NULL);
    matcher->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (matcher_prepare(matcher, error) && matcher->wake_fd >= 0) {
        matcher->has_thread = pthread_create(&matcher->thread, NULL, matcher_run, matcher) == 0;
        if (matcher->has_thread) {
            (void)pthread_setname_np(matcher->thread, "walcast-matcher");
            return matcher;
        }
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "cannot start the matcher's thread");
    }
    triggers_matcher_free(matcher);
    return NULL;
}

void triggers_matcher_free(triggers_matcher *matcher) {
    if (matcher == NULL)
        return;
    CORE_MAGIC_CHECK(matcher, TRIGGERS_MATCHER_MAGIC);
    atomic_store(&matcher->stopping, true);
    core_wake_set(matcher->wake_fd);
    if (matcher->has_thread)
        (void)pthread_join(matcher->thread, NULL);
    triggers_matcher_tables_forget(matcher);
    free(matcher->others);
    free(matcher->ids);
    free(matcher->heards);
    triggers_ledger_fini(&matcher->ledger);
    for (size_t i = 0; i < TRIGGERS_INPUTS; i++)
        triggers_round_fini(&matcher->rounds[i]);
    triggers_set_release(matcher->set);
    fanout_publisher_free(matcher->publisher);
    fanout_lease_free(matcher->lease);
    fanout_bucket_free(matcher->leases);
    fanout_bucket_free(matcher->state);
    fanout_connection_free(matcher->connection);
    core_buffer_fini(&matcher->body);
    core_buffer_fini(&matcher->key);
    core_buffer_fini(&matcher->arguments);
    core_buffer_fini(&matcher->recalled);
    core_buffer_fini(&matcher->task);
    core_buffer_fini(&matcher->told);
    for (size_t i = 0; i < CORE_COUNT_OF(matcher->names); i++)
        core_buffer_fini(&matcher->names[i]);
    for (size_t i = 0; i <= TRIGGERS_INPUTS; i++)
        core_assembly_fini(&matcher->assemblies[i]);
    core_arena_fini(&matcher->arena);
    (void)pthread_mutex_destroy(&matcher->lock);
    if (matcher->wake_fd >= 0)
        (void)close(matcher->wake_fd);
    matcher->magic = 0;
    free(matcher);
}
