/* See desk.h. */
#include "triggers/desk.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define DESK_MAGIC UINT32_C(0x5444534b) /* "TDSK" */

typedef struct {
    core_route_reply *reply;
    triggers_desk_work work;
    void *context;
} desk_item;

struct triggers_desk {
    uint32_t magic;
    char name[16]; /* of the thread */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t wake;
    desk_item items[TRIGGERS_DESK_MAX]; /* a ring */
    size_t first, count;
    bool stopping, stopped;
};

static void item_refuse(core_route_reply *reply, const char *detail) {
    core_route_refuse(reply, 503, detail, NULL);
    core_route_reply_send(reply);
}

/* False: it is to stop. */
static bool item_take(triggers_desk *desk, desk_item *item) {
    (void)pthread_mutex_lock(&desk->mutex);
    while (desk->count == 0 && !desk->stopping)
        (void)pthread_cond_wait(&desk->wake, &desk->mutex);
    bool goes_on = !desk->stopping;
    if (goes_on) {
        *item = desk->items[desk->first];
        desk->first = (desk->first + 1) % TRIGGERS_DESK_MAX;
        desk->count--;
    }
    (void)pthread_mutex_unlock(&desk->mutex);
    return goes_on;
}

static void *desk_run(void *context) {
    triggers_desk *desk = context;
    desk_item item;
    CORE_MAGIC_CHECK(desk, DESK_MAGIC);
    (void)pthread_setname_np(pthread_self(), desk->name);
    while (item_take(desk, &item)) {
        if (!core_route_reply_abandoned(item.reply))
            item.work(item.context, item.reply);
        core_route_reply_send(item.reply);
    }
    return NULL;
}

triggers_desk *triggers_desk_new(const char *name, core_error *error) {
    triggers_desk *desk = calloc(1, sizeof *desk);
    if (desk == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for %s", name);
        return NULL;
    }
    desk->magic = DESK_MAGIC;
    (void)snprintf(desk->name, sizeof desk->name, "%s", name);
    (void)pthread_mutex_init(&desk->mutex, NULL);
    (void)pthread_cond_init(&desk->wake, NULL);
    int failure = pthread_create(&desk->thread, NULL, desk_run, desk);
    if (failure == 0)
        return desk;
    (void)core_error_set(error, CORE_ERROR_INTERNAL, "starting %s: %s", name, strerror(failure));
    desk->stopped = true;
    triggers_desk_free(desk);
    return NULL;
}

void triggers_desk_stop(triggers_desk *desk) {
    CORE_MAGIC_CHECK(desk, DESK_MAGIC);
    (void)pthread_mutex_lock(&desk->mutex);
    desk->stopping = true;
    (void)pthread_cond_signal(&desk->wake);
    (void)pthread_mutex_unlock(&desk->mutex);
    if (!desk->stopped)
        (void)pthread_join(desk->thread, NULL);
    desk->stopped = true;
    for (; desk->count > 0; desk->count--) {
        item_refuse(desk->items[desk->first].reply, "this process is stopping");
        desk->first = (desk->first + 1) % TRIGGERS_DESK_MAX;
    }
}

void triggers_desk_free(triggers_desk *desk) {
    if (desk == NULL)
        return;
    assert(desk->stopped && desk->count == 0);
    (void)pthread_cond_destroy(&desk->wake);
    (void)pthread_mutex_destroy(&desk->mutex);
    desk->magic = 0;
    free(desk);
}

void triggers_desk_put(triggers_desk *desk, core_route_reply *reply, triggers_desk_work work,
                       void *context) {
    CORE_MAGIC_CHECK(desk, DESK_MAGIC);
    (void)pthread_mutex_lock(&desk->mutex);
    bool stopping = desk->stopping, room = desk->count < TRIGGERS_DESK_MAX;
    if (!stopping && room) {
        size_t place = (desk->first + desk->count++) % TRIGGERS_DESK_MAX;
        desk->items[place] = (desk_item){.reply = reply, .work = work, .context = context};
        (void)pthread_cond_signal(&desk->wake);
    }
    (void)pthread_mutex_unlock(&desk->mutex);
    if (stopping || !room)
        item_refuse(reply, stopping ? "this process is stopping" : "too many requests wait");
}
