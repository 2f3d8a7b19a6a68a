/* See desk.h. */
#include "search-index/desk.h"

#include <pthread.h>
#include <stdlib.h>

#define DESK_MAGIC UINT32_C(0x5344534b) /* "SDSK" */
#define TIDY_MS    1000                 /* how long files may be held that nobody asks for */

typedef struct {
    core_route_reply *reply;
    const void *what;
} desk_item;

struct search_desk {
    uint32_t magic;
    search_desk_spec spec;
    pthread_t threads[SEARCH_DESK_THREADS_MAX];
    search_worker *workers[SEARCH_DESK_THREADS_MAX];
    atomic_size_t begun; /* threads that have taken their worker */
    size_t started;
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t wake;
    desk_item *items; /* a ring of spec.line_max */
    size_t first, count;
    bool stopping;
};

typedef enum { DESK_STOP, DESK_IDLE, DESK_ITEM } desk_turn;

static desk_turn item_take(search_desk *desk, desk_item *item) {
    (void)pthread_mutex_lock(&desk->mutex);
    if (desk->count == 0 && !desk->stopping)
        (void)core_condition_wait(&desk->wake, &desk->mutex, TIDY_MS);
    desk_turn turn = desk->stopping ? DESK_STOP : desk->count > 0 ? DESK_ITEM : DESK_IDLE;
    if (turn == DESK_ITEM) {
        *item = desk->items[desk->first];
        desk->first = (desk->first + 1) % desk->spec.line_max;
        desk->count--;
    }
    (void)pthread_mutex_unlock(&desk->mutex);
    return turn;
}

static void *desk_run(void *context) {
    search_desk *desk = context;
    desk_item item;
    desk_turn turn;
    CORE_MAGIC_CHECK(desk, DESK_MAGIC);
    search_worker *worker = desk->workers[atomic_fetch_add(&desk->begun, 1)];
    (void)pthread_setname_np(pthread_self(), desk->spec.name);
    while ((turn = item_take(desk, &item)) != DESK_STOP) {
        if (turn == DESK_ITEM)
            desk->spec.work(worker, item.reply, item.what);
        search_worker_tidy(worker);
    }
    return NULL;
}

static bool desk_start(search_desk *desk, core_error *error) {
    for (size_t i = 0; i < desk->spec.threads; i++) {
        desk->workers[i] = search_worker_new(desk->spec.host, error);
        if (desk->workers[i] == NULL)
            return false;
    }
    for (; desk->started < desk->spec.threads; desk->started++) {
        int failure = pthread_create(&desk->threads[desk->started], NULL, desk_run, desk);
        if (failure != 0)
            return core_error_set(error, CORE_ERROR_INTERNAL, "starting %s: %s", desk->spec.name,
                                  strerror(failure));
    }
    return true;
}

search_desk *search_desk_new(const search_desk_spec *spec, core_error *error) {
    search_desk *desk = calloc(1, sizeof *desk);
    desk_item *items = calloc(spec->line_max, sizeof *items);
    if (desk == NULL || items == NULL) {
        free(desk);
        free(items);
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for %s", spec->name);
        return NULL;
    }
    assert(spec->threads > 0 && spec->threads <= SEARCH_DESK_THREADS_MAX && spec->line_max > 0);
    desk->magic = DESK_MAGIC;
    desk->spec = *spec;
    desk->items = items;
    (void)pthread_mutex_init(&desk->mutex, NULL);
    core_condition_init(&desk->wake);
    if (desk_start(desk, error))
        return desk;
    search_desk_free(desk);
    return NULL;
}

void search_desk_free(search_desk *desk) {
    if (desk == NULL)
        return;
    CORE_MAGIC_CHECK(desk, DESK_MAGIC);
    (void)pthread_mutex_lock(&desk->mutex);
    desk->stopping = true;
    (void)pthread_cond_broadcast(&desk->wake);
    (void)pthread_mutex_unlock(&desk->mutex);
    for (size_t i = 0; i < desk->started; i++)
        (void)pthread_join(desk->threads[i], NULL);
    for (; desk->count > 0; desk->count--) {
        desk->spec.refuse(desk->items[desk->first].reply);
        desk->first = (desk->first + 1) % desk->spec.line_max;
    }
    for (size_t i = 0; i < desk->spec.threads; i++)
        search_worker_free(desk->workers[i]);
    (void)pthread_cond_destroy(&desk->wake);
    (void)pthread_mutex_destroy(&desk->mutex);
    free(desk->items);
    desk->magic = 0;
    free(desk);
}

bool search_desk_put(search_desk *desk, core_route_reply *reply, const void *what) {
    CORE_MAGIC_CHECK(desk, DESK_MAGIC);
    (void)pthread_mutex_lock(&desk->mutex);
    bool has_room = !desk->stopping && desk->count < desk->spec.line_max;
    if (has_room) {
        size_t place = (desk->first + desk->count++) % desk->spec.line_max;
        desk->items[place] = (desk_item){.reply = reply, .what = what};
        (void)pthread_cond_signal(&desk->wake);
    }
    (void)pthread_mutex_unlock(&desk->mutex);
    return has_room;
}
