/* See job_table.h. */
#include "triggers/job_table.h"

#include <stddef.h>
#include <stdlib.h>

/* What an entry takes in heaps and maps. */
#define ENTRY_PLACES_BYTES (8 * sizeof(void *))

/* ---- Transitions ---- */

#define BIT(state) (1u << TRIGGERS_JOB_##state)

static const unsigned allowed[TRIGGERS_JOB_STATES] = {
    [TRIGGERS_JOB_NONE] = BIT(SCHEDULED) | BIT(READY) | BIT(DUPLICATE) | BIT(CANCELLED),
    [TRIGGERS_JOB_SCHEDULED] = BIT(READY) | BIT(DEAD) | BIT(CANCELLED),
    [TRIGGERS_JOB_READY] = BIT(RUNNING) | BIT(DEAD) | BIT(CANCELLED),
    /* to itself: it is asked to give up */
    [TRIGGERS_JOB_RUNNING] =
        BIT(RUNNING) | BIT(SCHEDULED) | BIT(READY) | BIT(SUCCEEDED) | BIT(DEAD) | BIT(CANCELLED),
    /* to themselves: their callback was told; to READY: retried by hand */
    [TRIGGERS_JOB_SUCCEEDED] = BIT(SUCCEEDED),
    [TRIGGERS_JOB_DEAD] = BIT(DEAD) | BIT(READY),
    [TRIGGERS_JOB_CANCELLED] = BIT(CANCELLED) | BIT(READY),
    [TRIGGERS_JOB_DUPLICATE] = BIT(DUPLICATE),
};

bool triggers_job_may_move(triggers_job_state from, triggers_job_state to) {
    return (allowed[from] & 1u << to) != 0;
}

/* ---- Finding ---- */

static triggers_job_entry *entry_of_id(triggers_job_map_node *node) {
    return (triggers_job_entry *)(void *)((char *)node - offsetof(triggers_job_entry, by_id));
}

static triggers_job_entry *entry_of_unique(triggers_job_map_node *node) {
    return (triggers_job_entry *)(void *)((char *)node - offsetof(triggers_job_entry, by_unique));
}

static uint64_t hash_of(const triggers_jobs *jobs, core_slice a, core_slice b, core_slice c) {
    const core_slice end = core_slice_make("", 1); /* the NUL between them */
    uint64_t hash = core_slice_hash_more(jobs->spec.seed ^ UINT64_C(14695981039346656037), a);
    hash = core_slice_hash_more(core_slice_hash_more(hash, end), b);
    return core_slice_hash_more(core_slice_hash_more(hash, end), c);
}

static uint64_t id_hash(const triggers_jobs *jobs, core_slice id) {
    return hash_of(jobs, id, core_slice_make(NULL, 0), core_slice_make(NULL, 0));
}

static uint64_t unique_hash(const triggers_jobs *jobs, const triggers_job *job) {
    return hash_of(jobs, job->project, job->queue, job->unique_key);
}

triggers_job_entry *triggers_job_by_id(const triggers_jobs *jobs, core_slice id) {
    triggers_job_map_node *node = triggers_job_map_first(&jobs->ids, id_hash(jobs, id));
    while (node != NULL && !core_slice_is(id, entry_of_id(node)->asked.id))
        node = triggers_job_map_next(node);
    return node != NULL ? entry_of_id(node) : NULL;
}

static bool same_unique(const triggers_job *a, const triggers_job *b) {
    return core_slice_equal(a->unique_key, b->unique_key) && core_slice_equal(a->queue, b->queue) &&
           core_slice_equal(a->project, b->project);
}

triggers_job_entry *triggers_job_by_unique(const triggers_jobs *jobs, const triggers_job *job) {
    triggers_job_map_node *node = triggers_job_map_first(&jobs->uniques, unique_hash(jobs, job));
    while (node != NULL && !same_unique(job, &entry_of_unique(node)->asked))
        node = triggers_job_map_next(node);
    return node != NULL ? entry_of_unique(node) : NULL;
}

/* ---- Orders ---- */

static triggers_job_entry *entry_of_order(const triggers_job_heap_entry *order) {
    return (triggers_job_entry *)(void *)((char *)(uintptr_t)order -
                                          offsetof(triggers_job_entry, order));
}

static bool order_before(const triggers_job_heap_entry *a, const triggers_job_heap_entry *b) {
    const triggers_job_entry *one = entry_of_order(a), *other = entry_of_order(b);
    if (one->asked.priority != other->asked.priority)
        return one->asked.priority > other->asked.priority;
    if (one->status.due_us != other->status.due_us)
        return one->status.due_us < other->status.due_us;
    return memcmp(one->asked.id, other->asked.id, TRIGGERS_JOB_ID_LENGTH) < 0;
}

/* ---- Queues ---- */

static triggers_job_line *line_of(triggers_job_map_node *node) {
    return (triggers_job_line *)(void *)((char *)node - offsetof(triggers_job_line, node));
}

static triggers_job_line *line_new(core_slice project, core_slice queue) {
    triggers_job_line *line = calloc(1, sizeof *line + project.length + queue.length);
    if (line == NULL)
        return NULL;
    uint8_t *room = line->texts;
    line->project = core_slice_keep(&room, project);
    line->queue = core_slice_keep(&room, queue);
    triggers_job_heap_init(&line->ready, order_before);
    return line;
}

static uint64_t line_hash(const triggers_jobs *jobs, core_slice project, core_slice queue) {
    return hash_of(jobs, project, queue, core_slice_make(NULL, 0));
}

triggers_job_line *triggers_job_line_find(const triggers_jobs *jobs, core_slice project,
                                          core_slice queue) {
    triggers_job_map_node *node =
        triggers_job_map_first(&jobs->lines, line_hash(jobs, project, queue));
    while (node != NULL && !(core_slice_equal(line_of(node)->project, project) &&
                             core_slice_equal(line_of(node)->queue, queue)))
        node = triggers_job_map_next(node);
    return node != NULL ? line_of(node) : NULL;
}

triggers_job_line *triggers_job_line_get(triggers_jobs *jobs, core_slice project,
                                         core_slice queue) {
    triggers_job_line *line = triggers_job_line_find(jobs, project, queue);
    if (line != NULL)
        return line;
    line = line_new(project, queue);
    if (line != NULL)
        triggers_job_map_add(&jobs->lines, &line->node, line_hash(jobs, project, queue));
    return line;
}

/* One that is to be served goes when it was. */
void triggers_job_line_let_go(triggers_jobs *jobs, triggers_job_line *line) {
    if (line->jobs > 0 || line->first_pull != NULL || line->dirty)
        return;
    triggers_job_map_remove(&jobs->lines, &line->node);
    triggers_job_heap_fini(&line->ready);
    free(line);
}

void triggers_job_line_touch(triggers_jobs *jobs, triggers_job_line *line) {
    if (line->dirty || line->first_pull == NULL)
        return;
    line->dirty = true;
    line->next_dirty = jobs->dirty;
    jobs->dirty = line;
}

/* ---- Concurrency keys ---- */

static triggers_job_limit *limit_of(triggers_job_map_node *node) {
    return (triggers_job_limit *)(void *)((char *)node - offsetof(triggers_job_limit, node));
}

static triggers_job_limit *limit_get(triggers_jobs *jobs, triggers_job_line *line, core_slice key) {
    uint64_t hash = hash_of(jobs, line->project, line->queue, key);
    for (triggers_job_map_node *node = triggers_job_map_first(&jobs->limits, hash); node != NULL;
         node = triggers_job_map_next(node))
        if (limit_of(node)->line == line && core_slice_equal(limit_of(node)->key, key))
            return limit_of(node);
    triggers_job_limit *limit = calloc(1, sizeof *limit + key.length);
    if (limit == NULL)
        return NULL;
    uint8_t *room = limit->texts;
    limit->key = core_slice_keep(&room, key);
    limit->line = line;
    triggers_job_heap_init(&limit->waiting, order_before);
    triggers_job_map_add(&jobs->limits, &limit->node, hash);
    return limit;
}

static void limit_let_go(triggers_jobs *jobs, triggers_job_limit *limit) {
    if (limit->jobs > 0)
        return;
    triggers_job_map_remove(&jobs->limits, &limit->node);
    triggers_job_heap_fini(&limit->waiting);
    free(limit);
}

/* A place may be free: the best of those that wait stands in the line again. */
static void limit_promote(triggers_jobs *jobs, triggers_job_limit *limit) {
    triggers_job_heap_entry *order = triggers_job_heap_first(&limit->waiting);
    if (order == NULL)
        return;
    triggers_job_heap_remove(&limit->waiting, order);
    entry_of_order(order)->waits = false;
    triggers_job_heap_push(&limit->line->ready, order);
    triggers_job_line_touch(jobs, limit->line);
}

/* ---- Places ---- */

static int64_t keep_until(const triggers_jobs *jobs, const triggers_job_entry *entry) {
    int64_t keep_ms = entry->asked.keep_ms;
    bool is_dead = entry->status.state == TRIGGERS_JOB_DEAD || entry->status.callback_dead;
    if (is_dead && keep_ms < jobs->spec.dead_keep_ms)
        keep_ms = jobs->spec.dead_keep_ms;
    return entry->status.finished_us + keep_ms * CORE_US_PER_MS;
}

static int64_t timer_of(const triggers_jobs *jobs, const triggers_job_entry *entry) {
    const triggers_job_status *status = &entry->status;
    int64_t deadline_us = entry->asked.deadline_us > 0 ? entry->asked.deadline_us : INT64_MAX;
    switch (status->state) {
    case TRIGGERS_JOB_SCHEDULED:
        return status->due_us < deadline_us ? status->due_us : deadline_us;
    case TRIGGERS_JOB_READY:
    case TRIGGERS_JOB_RUNNING: /* until it is given out, or resumed */
        return deadline_us;
    default:
        return status->callback_due ? status->due_us : keep_until(jobs, entry);
    }
}

static triggers_job_heap *timer_heap(triggers_jobs *jobs, const triggers_job_entry *entry) {
    return entry->evictable ? &jobs->over : &jobs->timers;
}

void triggers_job_time(triggers_jobs *jobs, triggers_job_entry *entry, int64_t timer_us) {
    triggers_job_heap_remove(timer_heap(jobs, entry), &entry->timer);
    entry->timer_us = timer_us;
    if (timer_us != INT64_MAX)
        triggers_job_heap_push(timer_heap(jobs, entry), &entry->timer);
}

void triggers_job_time_attempt(triggers_jobs *jobs, triggers_job_entry *entry, int64_t now_us) {
    int64_t due_us = now_us + entry->asked.timeout_ms * CORE_US_PER_MS;
    int64_t deadline_us = entry->asked.deadline_us;
    triggers_job_time(jobs, entry, deadline_us > 0 && deadline_us < due_us ? deadline_us : due_us);
}

/* Rooms were reserved when it was entered: nothing here can fail. */
static void entry_place(triggers_jobs *jobs, triggers_job_entry *entry) {
    triggers_job_state state = entry->status.state;
    jobs->figures.states[state]++;
    entry->evictable = triggers_job_is_over(state) && state != TRIGGERS_JOB_DEAD &&
                       !entry->status.callback_due && !entry->status.callback_dead;
    entry->calls = false;
    entry->project->held += !entry->evictable;
    entry->project->held_bytes += entry->evictable ? 0 : entry->bytes;
    triggers_job_time(jobs, entry, timer_of(jobs, entry));
    if (state == TRIGGERS_JOB_READY) {
        triggers_job_heap_push(&entry->line->ready, &entry->order);
        triggers_job_line_touch(jobs, entry->line);
    }
    if (state == TRIGGERS_JOB_RUNNING && entry->limit != NULL)
        entry->limit->running++;
    if (!triggers_job_is_over(state) && entry->asked.unique_key.length > 0 &&
        !entry->by_unique.held)
        triggers_job_map_add(&jobs->uniques, &entry->by_unique, unique_hash(jobs, &entry->asked));
}

static void entry_unplace(triggers_jobs *jobs, triggers_job_entry *entry) {
    triggers_job_state state = entry->status.state;
    jobs->figures.states[state]--;
    entry->project->held -= !entry->evictable;
    entry->project->held_bytes -= entry->evictable ? 0 : entry->bytes;
    triggers_job_heap_remove(timer_heap(jobs, entry), &entry->timer);
    triggers_job_heap_remove(entry->waits ? &entry->limit->waiting : &entry->line->ready,
                             &entry->order);
    entry->waits = false;
    if (state == TRIGGERS_JOB_RUNNING && entry->limit != NULL)
        entry->limit->running--;
    triggers_job_map_remove(&jobs->uniques, &entry->by_unique);
}

/* ---- Life of an entry ---- */

static bool rooms_reserve(triggers_jobs *jobs, triggers_job_entry *entry) {
    size_t all = jobs->figures.jobs + 1;
    return triggers_job_heap_reserve(&jobs->timers, all) &&
           triggers_job_heap_reserve(&jobs->over, all) &&
           triggers_job_heap_reserve(&entry->line->ready, entry->line->jobs + 1) &&
           (entry->limit == NULL ||
            triggers_job_heap_reserve(&entry->limit->waiting, entry->limit->jobs + 1));
}

/* Its queue and limit, with room in all heaps. */
static bool entry_join(triggers_jobs *jobs, triggers_job_entry *entry) {
    const triggers_job *job = &entry->asked;
    entry->line = triggers_job_line_get(jobs, job->project, job->queue);
    if (entry->line == NULL)
        return false;
    bool keyed = job->concurrency_key.length > 0;
    if (keyed)
        entry->limit = limit_get(jobs, entry->line, job->concurrency_key);
    entry->project = triggers_job_project_join(jobs, job->project);
    if ((keyed && entry->limit == NULL) || entry->project == NULL || !rooms_reserve(jobs, entry)) {
        if (entry->project != NULL)
            triggers_job_project_leave(jobs, entry->project);
        if (entry->limit != NULL)
            limit_let_go(jobs, entry->limit);
        triggers_job_line_let_go(jobs, entry->line);
        return false;
    }
    entry->line->jobs++;
    if (entry->limit != NULL)
        entry->limit->jobs++;
    return true;
}

static size_t texts_length(const triggers_job *job) {
    return job->project.length + job->queue.length + job->type.length + job->payload.length +
           job->unique_key.length + job->concurrency_key.length + job->callback_url.length +
           job->callback_secret.length;
}

size_t triggers_job_bytes(const triggers_job *job) {
    size_t key = job->concurrency_key.length; /* at the most: jobs of one key share a limit */
    return sizeof(triggers_job_entry) + texts_length(job) + ENTRY_PLACES_BYTES +
           (key > 0 ? sizeof(triggers_job_limit) + key : 0);
}

static triggers_job_entry *entry_new(const triggers_job *job) {
    triggers_job_entry *entry = calloc(1, sizeof *entry + texts_length(job));
    if (entry == NULL)
        return NULL;
    uint8_t *room = entry->texts;
    entry->asked = *job;
    entry->asked.project = core_slice_keep(&room, job->project);
    entry->asked.queue = core_slice_keep(&room, job->queue);
    entry->asked.type = core_slice_keep(&room, job->type);
    entry->asked.payload = core_slice_keep(&room, job->payload);
    entry->asked.unique_key = core_slice_keep(&room, job->unique_key);
    entry->asked.concurrency_key = core_slice_keep(&room, job->concurrency_key);
    entry->asked.callback_url = core_slice_keep(&room, job->callback_url);
    entry->asked.callback_secret = core_slice_keep(&room, job->callback_secret);
    entry->bytes = triggers_job_bytes(job);
    return entry;
}

static void list_append(triggers_jobs *jobs, triggers_job_entry *entry) {
    entry->number = ++jobs->last_number;
    entry->older = jobs->newest;
    *(jobs->newest != NULL ? &jobs->newest->newer : &jobs->oldest) = entry;
    jobs->newest = entry;
}

static void list_remove(triggers_jobs *jobs, triggers_job_entry *entry) {
    if (jobs->snapshot == entry)
        jobs->snapshot = entry->newer;
    *(entry->older != NULL ? &entry->older->newer : &jobs->oldest) = entry->newer;
    *(entry->newer != NULL ? &entry->newer->older : &jobs->newest) = entry->older;
}

static size_t late_length(const triggers_job_status *status) {
    return status->result.length + status->error.length + status->callback_error.length;
}

/* The status with its texts in one piece of memory of its own, which may be NULL. */
static bool status_keep(triggers_job_entry *entry, const triggers_job_status *status) {
    size_t length = late_length(status);
    uint8_t *late = length > 0 ? malloc(length) : NULL, *room = late;
    if (length > 0 && late == NULL)
        return false;
    size_t before = late_length(&entry->status);
    triggers_job_status kept = *status;
    kept.result = core_slice_keep(&room, status->result);
    kept.error = core_slice_keep(&room, status->error);
    kept.callback_error = core_slice_keep(&room, status->callback_error);
    free(entry->late);
    entry->late = late;
    entry->status = kept;
    entry->bytes = entry->bytes - before + length;
    return true;
}

triggers_job_entry *triggers_job_enter(triggers_jobs *jobs, const triggers_job *job,
                                       const triggers_job_status *status) {
    triggers_job_entry *entry = entry_new(job);
    if (entry == NULL)
        return NULL;
    if (!status_keep(entry, status) || !entry_join(jobs, entry)) {
        free(entry->late);
        free(entry);
        return NULL;
    }
    triggers_job_map_add(&jobs->ids, &entry->by_id, id_hash(jobs, core_slice_text(job->id)));
    list_append(jobs, entry);
    jobs->figures.jobs++;
    jobs->figures.bytes += entry->bytes;
    entry_place(jobs, entry);
    return entry;
}

/* Whoever waits for its concurrency key may have its place. */
static void place_left(triggers_jobs *jobs, triggers_job_entry *entry, triggers_job_state from,
                       triggers_job_state to) {
    bool left = from == TRIGGERS_JOB_RUNNING
                    ? to != TRIGGERS_JOB_RUNNING
                    : from == TRIGGERS_JOB_READY && to != TRIGGERS_JOB_RUNNING;
    if (left && entry->limit != NULL)
        limit_promote(jobs, entry->limit);
}

void triggers_job_leave(triggers_jobs *jobs, triggers_job_entry *entry) {
    triggers_job_line *line = entry->line;
    triggers_job_limit *limit = entry->limit;
    entry_unplace(jobs, entry);
    place_left(jobs, entry, entry->status.state, TRIGGERS_JOB_NONE);
    triggers_job_map_remove(&jobs->ids, &entry->by_id);
    list_remove(jobs, entry);
    triggers_job_project_leave(jobs, entry->project);
    jobs->figures.jobs--;
    jobs->figures.bytes -= entry->bytes;
    free(entry->late);
    free(entry);
    if (limit != NULL && --limit->jobs == 0)
        limit_let_go(jobs, limit);
    line->jobs--;
    triggers_job_line_let_go(jobs, line);
}

bool triggers_job_move(triggers_jobs *jobs, triggers_job_entry *entry,
                       const triggers_job_status *status) {
    triggers_job_state from = entry->status.state;
    size_t before = entry->bytes;
    entry_unplace(jobs, entry);
    bool kept = status_keep(entry, status);
    jobs->figures.bytes += entry->bytes - before;
    entry_place(jobs, entry);
    if (kept)
        place_left(jobs, entry, from, status->state);
    return kept;
}

/* ---- Next ---- */

triggers_job_entry *triggers_job_line_next(triggers_job_line *line) {
    triggers_job_heap_entry *order;
    while ((order = triggers_job_heap_first(&line->ready)) != NULL) {
        triggers_job_entry *entry = entry_of_order(order);
        if (entry->limit == NULL || entry->limit->running < entry->asked.concurrency)
            return entry;
        triggers_job_heap_remove(&line->ready, order);
        entry->waits = true;
        triggers_job_heap_push(&entry->limit->waiting, order);
    }
    return NULL;
}
