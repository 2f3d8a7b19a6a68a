/* The worker's thread; see worker.h.
 *
 * Each turn: answers of the broker, requests that could not be sent, attempts that have ended, what
 * other threads want, then each slot's own. It sleeps on the courier's socket and on an eventfd,
 * for as long as no slot wants to be called. */
#include "triggers/worker_private.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    SLEEP_MAX_MS = 100, /* the courier's time limits, definitions, and a clock that was moved */
    LETTER_MAX_BYTES = 64 * 1024 * 1024,
    TASKS_MAX = 1024, /* of a partition, not done */
    DONE_MAX = 16384, /* above its watermark */
    /* With DONE_MAX and what is told, below the max_payload that nats-server has by default. */
    STATE_MAX_BYTES = 448 * 1024,
    APPEND_EVERY_MS = 50,
};

/* ---- from other threads ---- */

void triggers_delivery_ended(triggers_delivery *delivery) {
    triggers_worker *worker = delivery->worker;
    CORE_MAGIC_CHECK(worker, TRIGGERS_WORKER_MAGIC);
    (void)pthread_mutex_lock(&worker->lock);
    bool was_empty = worker->ended == NULL;
    delivery->next = worker->ended;
    worker->ended = delivery;
    (void)pthread_mutex_unlock(&worker->lock);
    if (was_empty)
        core_wake_set(worker->wake_fd);
}

void triggers_delivery_end(triggers_delivery *delivery, triggers_end_kind kind,
                           const char *reason) {
    (void)snprintf(delivery->reason, sizeof delivery->reason, "%s", reason);
    delivery->end.kind = kind;
    delivery->end.reason = core_slice_text(delivery->reason);
    triggers_delivery_ended(delivery);
}

void triggers_worker_give(triggers_worker *worker, const triggers_handover *handover) {
    (void)pthread_mutex_lock(&worker->lock);
    worker->handovers[handover->number] = *handover;
    worker->has_handover[handover->number] = true;
    (void)pthread_mutex_unlock(&worker->lock);
    core_wake_set(worker->wake_fd);
}

void triggers_worker_want_back(triggers_worker *worker, unsigned number, bool at_once) {
    (void)pthread_mutex_lock(&worker->lock);
    worker->wants_back[number] = true;
    worker->wants_at_once[number] = worker->wants_at_once[number] || at_once;
    (void)pthread_mutex_unlock(&worker->lock);
    core_wake_set(worker->wake_fd);
}

int triggers_worker_wake_fd(const triggers_worker *worker) {
    return worker->wake_fd;
}

triggers_worker_stats triggers_worker_look(triggers_worker *worker) {
    (void)pthread_mutex_lock(&worker->lock);
    triggers_worker_stats stats = worker->stats;
    (void)pthread_mutex_unlock(&worker->lock);
    return stats;
}

triggers_partition *triggers_worker_partition(triggers_worker *worker, unsigned number,
                                              core_error *error) {
    const core_config *config = worker->spec.config;
    const triggers_partition_io io = triggers_slot_io(&worker->slots[number]);
    size_t parked_keys = (size_t)core_config_integer(config, "triggers.parked_keys");
    const triggers_partition_limits limits = {
        .max_tasks = TASKS_MAX,
        .max_bytes =
            (size_t)core_config_integer(config, "triggers.memory") / (2 * TRIGGERS_PARTITIONS),
        .max_done = DONE_MAX,
        .max_parked_keys = 1 + (parked_keys - 1) / TRIGGERS_PARTITIONS,
        .max_held_bytes = worker->held_share_bytes,
        .max_state_bytes = STATE_MAX_BYTES,
        .has_projects = worker->has_projects,
        .append_every_ms = APPEND_EVERY_MS,
        .number = number,
        .max_attempts = TRIGGERS_ATTEMPTS_MAX,
        .seed = (uint64_t)core_clock_wall_us(worker->spec.clock) + number,
    };
    return triggers_partition_new(&io, &limits, error);
}

/* ---- the thread's turn ---- */

/* Nothing begins before the slots' steps, whose order changes: a place that an endpoint has free
 * again is not always the same partition's. */
static void hold_all(triggers_worker *worker) {
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++)
        if (worker->slots[i].partition != NULL)
            triggers_partition_hold(worker->slots[i].partition, true);
}

static void poke(triggers_worker *worker, const triggers_definition *definition) {
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++)
        if (worker->slots[i].partition != NULL) {
            worker->slots[i].next_ms = 0;
            triggers_partition_poke(worker->slots[i].partition, definition->project,
                                    definition->name, triggers_worker_now_ms(worker));
        }
}

void triggers_delivery_free(triggers_delivery *delivery) {
    triggers_definition_release(delivery->definition);
    core_block_release(delivery->block);
    free(delivery);
}

static void end_count(triggers_worker *worker, triggers_end_kind kind) {
    if (kind != TRIGGERS_END_WITHDRAWN)
        core_metrics_add(worker->spec.metrics,
                         kind == TRIGGERS_END_DELIVERED ? CORE_METRIC_TRIGGERS_DELIVERED
                                                        : CORE_METRIC_TRIGGERS_FAILED,
                         1);
}

void triggers_delivery_tell(triggers_worker *worker, triggers_delivery *delivery) {
    triggers_slot *slot = &worker->slots[delivery->slot];
    if (slot->partition != NULL && slot->life == delivery->life) {
        end_count(worker, delivery->end.kind);
        slot->next_ms = 0;
        triggers_partition_attempted(slot->partition, delivery->ticket, &delivery->end,
                                     triggers_worker_now_ms(worker));
    }
    triggers_delivery_free(delivery);
}

static void delivery_take(triggers_worker *worker, triggers_delivery *delivery) {
    triggers_slot *slot = &worker->slots[delivery->slot];
    bool others = triggers_senders_done(worker->spec.senders, delivery);
    if (others && delivery->definition != NULL)
        poke(worker, delivery->definition);
    triggers_telling *telling =
        slot->life == delivery->life ? triggers_telling_of_delivery(slot, delivery) : NULL;
    if (telling != NULL)
        triggers_telling_send(telling);
    else
        triggers_delivery_tell(worker, delivery);
}

static void ended_take(triggers_worker *worker) {
    (void)pthread_mutex_lock(&worker->lock);
    triggers_delivery *delivery = worker->ended;
    worker->ended = NULL;
    (void)pthread_mutex_unlock(&worker->lock);
    if (delivery != NULL)
        hold_all(worker);
    while (delivery != NULL) {
        triggers_delivery *next = delivery->next;
        delivery_take(worker, delivery);
        delivery = next;
    }
}

static void failed_tell(triggers_worker *worker) {
    static const fanout_answer none;
    triggers_call *call = worker->failed;
    worker->failed = NULL;
    while (call != NULL) {
        triggers_call *next = call->next_failed;
        triggers_slot_answer(call, &none, call->code);
        call = next;
    }
}

/* Whoever waits for a trigger's word looks again. */
static void slots_refresh(triggers_worker *worker) {
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++)
        if (worker->slots[i].partition != NULL) {
            worker->slots[i].next_ms = 0;
            triggers_partition_refresh(worker->slots[i].partition, triggers_worker_now_ms(worker));
        }
}

static void set_renew(triggers_worker *worker) {
    if (!triggers_definitions_renew(worker->spec.definitions, &worker->set))
        return;
    if (!triggers_result_book_fill(&worker->results, worker->set))
        abort(); /* results would be lost; the log makes a new start whole */
    slots_refresh(worker);
}

typedef struct {
    bool give, back, at_once;
    triggers_handover handover;
} slot_wish;

static slot_wish wish_take(triggers_worker *worker, unsigned number) {
    (void)pthread_mutex_lock(&worker->lock);
    const slot_wish wish = {.give = worker->has_handover[number],
                            .back = worker->wants_back[number],
                            .at_once = worker->wants_at_once[number],
                            .handover = worker->handovers[number]};
    worker->has_handover[number] = worker->wants_back[number] = worker->wants_at_once[number] =
        false;
    (void)pthread_mutex_unlock(&worker->lock);
    return wish;
}

static void wishes_take(triggers_worker *worker) {
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++) {
        triggers_slot *slot = &worker->slots[i];
        slot_wish wish = wish_take(worker, i);
        if (wish.give)
            triggers_slot_take(slot, &wish.handover);
        if (wish.back && slot->partition != NULL) {
            slot->state = SLOT_LEAVING;
            slot->is_leaving_at_once = slot->is_leaving_at_once || wish.at_once;
        }
    }
}

/* What an endpoint is asked follows from the partitions that are ours, so that it is not asked for
 * more by all processes: a partition that leaves takes its share with it at once. */
static void held_renew(triggers_worker *worker) {
    uint32_t held = 0;
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++) {
        const triggers_slot *slot = &worker->slots[i];
        bool begins =
            slot->state == SLOT_OWNED && !slot->is_fenced && triggers_slot_lease_held(slot);
        held |= (uint32_t)begins << i;
    }
    if (held == worker->held)
        return;
    worker->held = held;
    triggers_senders_share(worker->spec.senders, held);
    hold_all(worker); /* what leaves begins nothing more */
    slots_refresh(worker);
}

/* Partitions that are here share their room, so that a trigger that keeps to one of them has as
 * much as one that is spread. */
static void rooms_share(triggers_worker *worker) {
    uint64_t max = 0, taken = 0;
    uint32_t count = 0;
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++)
        if (worker->slots[i].partition != NULL) {
            count++;
            max += worker->held_share_bytes;
            taken += triggers_partition_held_bytes(worker->slots[i].partition);
        }
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++) {
        triggers_partition *partition = worker->slots[i].partition;
        if (partition == NULL)
            continue;
        uint64_t others = taken - triggers_partition_held_bytes(partition);
        triggers_partition_held_max(partition, max > others ? max - others : 0, count);
    }
}

static void stats_note(triggers_worker *worker) {
    triggers_worker_stats stats = {.is_connected = fanout_courier_ready(worker->courier)};
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++) {
        if (worker->slots[i].partition == NULL)
            continue;
        triggers_partition_stats one = triggers_partition_look(worker->slots[i].partition);
        stats.partitions++;
        stats.tasks += one.tasks;
        stats.parked_tasks += (size_t)one.parked_tasks;
        stats.attempts += one.attempts;
        stats.held_tasks += (size_t)one.held_tasks;
        stats.holds_up = stats.holds_up || one.holds_up;
        stats.is_limited = stats.is_limited || one.is_limited;
    }
    (void)pthread_mutex_lock(&worker->lock);
    worker->stats = stats;
    (void)pthread_mutex_unlock(&worker->lock);
    core_metrics *metrics = worker->spec.metrics;
    core_metrics_set(metrics, CORE_METRIC_TRIGGERS_PARTITIONS, (int64_t)stats.partitions);
    core_metrics_set(metrics, CORE_METRIC_TRIGGERS_PARKED_TASKS, (int64_t)stats.parked_tasks);
    core_metrics_set(metrics, CORE_METRIC_TRIGGERS_HELD_TASKS, (int64_t)stats.held_tasks);
    core_metrics_set(metrics, CORE_METRIC_TRIGGERS_HELD_UP, stats.holds_up || stats.is_limited);
    core_metrics_set(metrics, CORE_METRIC_TRIGGERS_ATTEMPTS, (int64_t)stats.attempts);
}

static void worker_sleep(triggers_worker *worker, int64_t next_ms) {
    int64_t wait_ms = next_ms - triggers_worker_now_ms(worker);
    struct pollfd fds[] = {{.fd = fanout_courier_wake_fd(worker->courier), .events = POLLIN},
                           {.fd = worker->wake_fd, .events = POLLIN}};
    fanout_courier_flush(worker->courier);
    if (worker->failed != NULL || wait_ms < 0)
        wait_ms = 0;
    (void)poll(fds, 2, (int)(wait_ms < SLEEP_MAX_MS ? wait_ms : SLEEP_MAX_MS));
    core_wake_clear(worker->wake_fd);
}

static void *worker_run(void *argument) {
    triggers_worker *worker = argument;
    CORE_MAGIC_CHECK(worker, TRIGGERS_WORKER_MAGIC);
    int64_t noted_ms = 0;
    while (!atomic_load(&worker->stopping)) {
        int64_t next_ms = INT64_MAX;
        fanout_courier_poll(worker->courier);
        failed_tell(worker);
        wishes_take(worker);
        held_renew(worker);
        set_renew(worker);
        ended_take(worker);
        triggers_tellings_again(worker, &next_ms);
        rooms_share(worker);
        worker->first++;
        for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++)
            triggers_slot_step(&worker->slots[(worker->first + i) % TRIGGERS_PARTITIONS], &next_ms);
        if (triggers_worker_now_ms(worker) - noted_ms > SLEEP_MAX_MS) {
            noted_ms = triggers_worker_now_ms(worker);
            stats_note(worker);
        }
        worker_sleep(worker, next_ms);
    }
    return NULL;
}

/* ---- life ---- */

static void worker_prepare(triggers_worker *worker) {
    const core_config *config = worker->spec.config;
    char subjects[CORE_SUBJECT_MAX];
    for (int work = FANOUT_WORK_TASKS; work <= FANOUT_WORK_DEAD; work++)
        (void)fanout_stream_work_spec(config, (fanout_work)work, worker->streams[work], subjects);
    worker->history_age_ms = core_config_integer(config, "triggers.history_age");
    worker->history_share_bytes =
        (uint64_t)core_config_integer(config, "triggers.history_bytes") / (2 * TRIGGERS_PARTITIONS);
    worker->held_share_bytes =
        (uint64_t)core_config_integer(config, "triggers.parked_bytes") / (2 * TRIGGERS_PARTITIONS);
    worker->scope = core_subject_scope_of(config);
    worker->has_projects = core_tenants_of(config).count > 0;
    core_buffer_init(&worker->letter, LETTER_MAX_BYTES);
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++)
        triggers_slot_init(&worker->slots[i], worker, i);
}

triggers_worker *triggers_worker_new(const triggers_worker_spec *spec, core_error *error) {
    triggers_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the triggers' worker");
        return NULL;
    }
    worker->magic = TRIGGERS_WORKER_MAGIC;
    worker->spec = *spec;
    (void)pthread_mutex_init(&worker->lock, NULL);
    worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker_prepare(worker);
    worker->courier =
        fanout_courier_new(spec->config, "walcast deliveries", spec->log, spec->clock, error);
    if (worker->courier == NULL) {
        triggers_worker_free(worker);
        return NULL;
    }
    worker->has_thread =
        worker->wake_fd >= 0 && pthread_create(&worker->thread, NULL, worker_run, worker) == 0;
    if (worker->has_thread) {
        (void)pthread_setname_np(worker->thread, "walcast-deliver");
        return worker;
    }
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "cannot start the triggers' worker: %s",
                         strerror(errno));
    triggers_worker_free(worker);
    return NULL;
}

void triggers_worker_stop(triggers_worker *worker) {
    if (worker == NULL || !worker->has_thread)
        return;
    atomic_store(&worker->stopping, true);
    core_wake_set(worker->wake_fd);
    (void)pthread_join(worker->thread, NULL);
    worker->has_thread = false;
}

void triggers_worker_free(triggers_worker *worker) {
    if (worker == NULL)
        return;
    CORE_MAGIC_CHECK(worker, TRIGGERS_WORKER_MAGIC);
    triggers_worker_stop(worker);
    fanout_courier_free(worker->courier);
    while (worker->calls != NULL)
        triggers_call_free(worker->calls);
    while (worker->tellings_again != NULL) {
        triggers_telling *next = worker->tellings_again->next;
        triggers_telling_free(worker->tellings_again);
        worker->tellings_again = next;
    }
    for (unsigned i = 0; i < TRIGGERS_PARTITIONS; i++) {
        if (worker->has_handover[i])
            triggers_partition_free(worker->handovers[i].partition);
        triggers_slot_fini(&worker->slots[i]);
    }
    while (worker->ended != NULL) {
        triggers_delivery *next = worker->ended->next;
        (void)triggers_senders_done(worker->spec.senders, worker->ended);
        triggers_delivery_free(worker->ended);
        worker->ended = next;
    }
    triggers_result_book_fini(&worker->results);
    triggers_set_release(worker->set);
    core_buffer_fini(&worker->letter);
    (void)pthread_mutex_destroy(&worker->lock);
    if (worker->wake_fd >= 0)
        (void)close(worker->wake_fd);
    worker->magic = 0;
    free(worker);
}
