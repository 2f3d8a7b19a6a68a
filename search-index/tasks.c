/* See tasks.h. A ring of tasks in the order of their numbers. */
#include "search-index/tasks.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define TASKS_MAGIC UINT32_C(0x5354534b) /* "STSK" */

typedef struct {
    search_task task;
    bool is_unkept; /* it has ended, and was not given to who keeps it */
} ring_task;

struct search_tasks {
    uint32_t magic;
    pthread_mutex_t mutex;
    ring_task *ring;
    size_t capacity, room, first, count; /* `room` grows up to `capacity` */
    size_t unkept;
};

search_tasks *search_tasks_new(size_t kept) {
    search_tasks *tasks = calloc(1, sizeof *tasks);
    if (tasks == NULL)
        return NULL;
    *tasks = (search_tasks){.magic = TASKS_MAGIC, .capacity = kept > 0 ? kept : 1};
    (void)pthread_mutex_init(&tasks->mutex, NULL);
    return tasks;
}

void search_tasks_free(search_tasks *tasks) {
    if (tasks == NULL)
        return;
    CORE_MAGIC_CHECK(tasks, TASKS_MAGIC);
    (void)pthread_mutex_destroy(&tasks->mutex);
    free(tasks->ring);
    tasks->magic = 0;
    free(tasks);
}

static ring_task *place_at(search_tasks *tasks, size_t place) {
    return &tasks->ring[(tasks->first + place) % tasks->room];
}

static search_task *task_at(search_tasks *tasks, size_t place) {
    return &place_at(tasks, place)->task;
}

static void unkept_set(search_tasks *tasks, ring_task *it, bool is_unkept) {
    tasks->unkept += is_unkept;
    tasks->unkept -= it->is_unkept;
    it->is_unkept = is_unkept;
}

static void task_set(search_tasks *tasks, ring_task *it, const search_task *task) {
    it->task = *task;
    unkept_set(tasks, it, task->finished_us != 0);
}

/* It grows only while it has never gone round, so `first` is 0. Without memory the oldest goes. */
static bool room_make(search_tasks *tasks) {
    if (tasks->count < tasks->room)
        return true;
    size_t room = tasks->room == 0 ? 64 : tasks->room * 2;
    room = room < tasks->capacity ? room : tasks->capacity;
    ring_task *ring =
        room > tasks->room && tasks->first == 0 ? realloc(tasks->ring, room * sizeof *ring) : NULL;
    if (ring != NULL) {
        tasks->ring = ring;
        tasks->room = room;
        return true;
    }
    if (tasks->room == 0)
        return false;
    unkept_set(tasks, place_at(tasks, 0), false);
    tasks->first = (tasks->first + 1) % tasks->room;
    tasks->count--;
    return true;
}

void search_tasks_add(search_tasks *tasks, const search_task *task) {
    CORE_MAGIC_CHECK(tasks, TASKS_MAGIC);
    (void)pthread_mutex_lock(&tasks->mutex);
    bool is_newer = tasks->count == 0 || task_at(tasks, tasks->count - 1)->uid < task->uid;
    if (is_newer && room_make(tasks)) {
        tasks->count++;
        place_at(tasks, tasks->count - 1)->is_unkept = false;
        task_set(tasks, place_at(tasks, tasks->count - 1), task);
    }
    (void)pthread_mutex_unlock(&tasks->mutex);
}

/* How many have a number of at most `uid`. */
static size_t count_up_to(search_tasks *tasks, uint64_t uid) {
    size_t low = 0, high = tasks->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (task_at(tasks, middle)->uid <= uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static ring_task *task_find(search_tasks *tasks, uint64_t uid) {
    size_t count = count_up_to(tasks, uid);
    ring_task *it = count > 0 ? place_at(tasks, count - 1) : NULL;
    return it != NULL && it->task.uid == uid ? it : NULL;
}

bool search_tasks_get(search_tasks *tasks, uint64_t uid, search_task *task) {
    (void)pthread_mutex_lock(&tasks->mutex);
    const ring_task *found = task_find(tasks, uid);
    if (found != NULL)
        *task = found->task;
    (void)pthread_mutex_unlock(&tasks->mutex);
    return found != NULL;
}

void search_tasks_put(search_tasks *tasks, const search_task *task) {
    (void)pthread_mutex_lock(&tasks->mutex);
    ring_task *found = task_find(tasks, task->uid);
    if (found != NULL)
        task_set(tasks, found, task);
    (void)pthread_mutex_unlock(&tasks->mutex);
}

static void task_end(search_tasks *tasks, uint64_t uid, search_task_status was,
                     const search_task *end) {
    (void)pthread_mutex_lock(&tasks->mutex);
    ring_task *it = task_find(tasks, uid);
    if (it != NULL && it->task.status == was) {
        search_task *task = &it->task;
        task->status = end->status;
        task->finished_us = end->finished_us;
        memcpy(task->code, end->code, sizeof task->code);
        memcpy(task->message, end->message, sizeof task->message);
        unkept_set(tasks, it, true);
    }
    (void)pthread_mutex_unlock(&tasks->mutex);
}

void search_tasks_succeed(search_tasks *tasks, uint64_t uid, search_task_status was,
                          int64_t now_us) {
    const search_task end = {.status = SEARCH_TASK_SUCCEEDED, .finished_us = now_us};
    task_end(tasks, uid, was, &end);
}

void search_tasks_fail(search_tasks *tasks, uint64_t uid, search_task_status was, int64_t now_us,
                       const char *code, const char *message) {
    search_task end = {.status = SEARCH_TASK_FAILED, .finished_us = now_us};
    (void)snprintf(end.code, sizeof end.code, "%s", code);
    (void)snprintf(end.message, sizeof end.message, "%s", message);
    task_end(tasks, uid, was, &end);
}

bool search_tasks_before(search_tasks *tasks, uint64_t up_to, search_task *task) {
    (void)pthread_mutex_lock(&tasks->mutex);
    size_t count = count_up_to(tasks, up_to);
    if (count > 0)
        *task = *task_at(tasks, count - 1);
    (void)pthread_mutex_unlock(&tasks->mutex);
    return count > 0;
}

size_t search_tasks_unkept(search_tasks *tasks, search_task *out, size_t max) {
    size_t given = 0;
    (void)pthread_mutex_lock(&tasks->mutex);
    for (size_t i = tasks->count; i > 0 && given < max && tasks->unkept > 0; i--) {
        ring_task *it = place_at(tasks, i - 1);
        if (!it->is_unkept)
            continue;
        out[given++] = it->task;
        unkept_set(tasks, it, false);
    }
    (void)pthread_mutex_unlock(&tasks->mutex);
    return given;
}

const char *search_task_status_name(search_task_status status) {
    static const char *const names[] = {"enqueued", "processing", "succeeded", "failed",
                                        "canceled"};
    return names[status];
}
