/* Presence over the real bus: three gateways in one process, each with its own connection, against
 * a real nats-server that is killed and restarted. What presence does over a bad bus, and its
 * diffs, are in tests/unit/ws/test_presence_cluster.c. */
#include "tests/integration/fanout/house.h"
#include "ws/presence.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { GATEWAYS = 3, MEMBERS = 200, WAIT_MAX_MS = 60000, STEP_MS = 20, DOWN_MS = 3000 };

typedef struct {
    fanout_connection *connection;
    _Atomic(fanout_bus *) bus; /* NULL: not yet; callbacks may come before _new returns */
    ws_presence *presence;
    pthread_mutex_t lock; /* guards presence: a hub's thread would own it */
    pthread_t ticker;
    atomic_bool stopping;
    char subject[CORE_SUBJECT_MAX];
    size_t diffs;
} gateway;

typedef struct {
    fanout_house house;
    gateway gateways[GATEWAYS];
} scene;

static int64_t now_ms(void) {
    return house_now_ms();
}

static void pause_step(void) {
    static const struct timespec step = {.tv_nsec = STEP_MS * CORE_NS_PER_MS};
    (void)nanosleep(&step, NULL);
}

static void on_diff(void *context, ws_presence_room room, core_slice joins, core_slice leaves) {
    gateway *g = context;
    (void)room;
    g->diffs += joins.length > 2;
    g->diffs += leaves.length > 2;
}

static void on_send(void *context, core_slice bytes) {
    gateway *g = context;
    core_error ignored = {0};
    fanout_bus *bus = atomic_load(&g->bus);
    if (bus != NULL)
        (void)!fanout_bus_publish(bus, g->subject, bytes, &ignored); /* may be lost */
}

static void on_message(void *context, const char *subject, core_slice payload) {
    gateway *g = context;
    (void)subject;
    (void)pthread_mutex_lock(&g->lock);
    ws_presence_receive(g->presence, payload, now_ms());
    ws_presence_flush(g->presence, now_ms());
    (void)pthread_mutex_unlock(&g->lock);
}

static void on_dropped(void *context, uint64_t count) {
    gateway *g = context;
    (void)count;
    (void)pthread_mutex_lock(&g->lock);
    ws_presence_resync(g->presence, now_ms());
    (void)pthread_mutex_unlock(&g->lock);
}

static void on_reconnected(void *context) {
    on_dropped(context, 0);
}

static void *ticker_run(void *argument) {
    gateway *g = argument;
    while (!atomic_load(&g->stopping)) {
        (void)pthread_mutex_lock(&g->lock);
        ws_presence_tick(g->presence, now_ms());
        (void)pthread_mutex_unlock(&g->lock);
        pause_step();
    }
    return NULL;
}

static void gateway_start(scene *s, int number) {
    gateway *g = &s->gateways[number];
    core_subject_scope scope = core_subject_scope_of(s->house.config);
    ws_presence_limits limits = ws_presence_limits_make(s->house.config);
    ws_presence_events events = {.diff = on_diff, .send = on_send, .context = g};
    char name[16], filter[CORE_SUBJECT_MAX];
    core_error error = {0};
    *g = (gateway){.stopping = false};
    (void)snprintf(name, sizeof name, "gateway-%d", number);
    assert_true(core_subject_realtime_presence(&scope, core_slice_text(name), g->subject));
    assert_true(core_subject_filter_realtime(&scope, filter));
    limits.max_message_bytes = 4096; /* states come in parts */
    (void)pthread_mutex_init(&g->lock, NULL);
    g->presence = ws_presence_new(name, (uint64_t)core_clock_wall_us(core_clock_system()), &limits,
                                  &events, &error);
    g->connection = fanout_connection_new(s->house.config, name, s->house.log, NULL, &error);
    fanout_bus_spec spec = {.filter = filter,
                            .on_message = on_message,
                            .on_dropped = on_dropped,
                            .on_reconnected = on_reconnected,
                            .context = g};
    atomic_store(&g->bus,
                 g->connection != NULL ? fanout_bus_new(g->connection, &spec, &error) : NULL);
    if (g->presence == NULL || atomic_load(&g->bus) == NULL)
        fail_msg("%s", error.text);
    assert_int_equal(pthread_create(&g->ticker, NULL, ticker_run, g), 0);
}

static void gateway_stop(gateway *g, bool cleanly) {
    if (g->presence == NULL)
        return;
    atomic_store(&g->stopping, true);
    (void)pthread_join(g->ticker, NULL);
    if (cleanly)
        ws_presence_leave(g->presence, now_ms());
    fanout_bus_free(atomic_load(&g->bus));
    fanout_connection_free(g->connection);
    ws_presence_free(g->presence);
    g->presence = NULL;
}

static void gateway_track(gateway *g, int number) {
    ws_presence_room room = {core_slice_text("realtime:room"), false};
    core_error error = {0};
    char key[32];
    (void)pthread_mutex_lock(&g->lock);
    for (uint64_t m = 1; m <= MEMBERS; m++) {
        (void)snprintf(key, sizeof key, "user-%d-%llu", number, (unsigned long long)m);
        if (!ws_presence_track(g->presence, room, core_slice_text(key), m,
                               core_slice_text("{\"status\":\"here\"}"), &error))
            fail_msg("%s", error.text);
        if (m % 10 == 0)
            ws_presence_flush(g->presence, now_ms());
    }
    (void)pthread_mutex_unlock(&g->lock);
}

static int scene_open(void **state) {
    scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    house_open(&s->house, NULL);
    house_set(&s->house, "presence.heartbeat", "300ms");
    house_set(&s->house, "presence.down_after", "3s");
    for (int i = 0; i < GATEWAYS; i++) {
        gateway_start(s, i);
        gateway_track(&s->gateways[i], i);
    }
    *state = s;
    return 0;
}

static int scene_close(void **state) {
    scene *s = *state;
    for (int i = 0; i < GATEWAYS; i++)
        gateway_stop(&s->gateways[i], false);
    house_close(&s->house);
    free(s);
    return 0;
}

static ws_presence_stats stats_of(gateway *g) {
    (void)pthread_mutex_lock(&g->lock);
    ws_presence_stats stats = ws_presence_stats_get(g->presence);
    (void)pthread_mutex_unlock(&g->lock);
    return stats;
}

/* Every gateway that runs holds so many; how long it took. */
static int64_t wait_for_members(scene *s, size_t expected) {
    int64_t begin = now_ms();
    for (int i = 0; i < GATEWAYS; i++)
        while (s->gateways[i].presence != NULL && stats_of(&s->gateways[i]).members != expected) {
            if (now_ms() - begin > WAIT_MAX_MS)
                fail_msg("gateway %d holds %zu members, expected %zu", i,
                         stats_of(&s->gateways[i]).members, expected);
            pause_step();
        }
    return now_ms() - begin;
}

static size_t room_members(gateway *g) {
    ws_presence_room room = {core_slice_text("realtime:room"), false};
    core_buffer out;
    size_t count = 0;
    core_buffer_init(&out, (size_t)1 << 20);
    (void)pthread_mutex_lock(&g->lock);
    ws_presence_flush(g->presence, now_ms());
    assert_true(ws_presence_state(g->presence, room, &out));
    (void)pthread_mutex_unlock(&g->lock);
    assert_true(core_json_valid(core_buffer_slice(&out)));
    core_buffer_u8(&out, 0);
    for (const char *at = (const char *)out.data; (at = strstr(at, "phx_ref")) != NULL; at++)
        count++;
    core_buffer_fini(&out);
    return count;
}

static void test_all_know_all_and_the_late_one_too(void **state) {
    scene *s = *state;
    (void)wait_for_members(s, GATEWAYS * MEMBERS);
    gateway_stop(&s->gateways[1], true);
    (void)wait_for_members(s, (GATEWAYS - 1) * MEMBERS); /* goodbye: nobody fell silent */
    assert_int_equal(stats_of(&s->gateways[0]).downs, 0);
    gateway_start(s, 1); /* knows nobody, and asks */
    (void)wait_for_members(s, (GATEWAYS - 1) * MEMBERS);
    assert_int_equal(room_members(&s->gateways[1]), (GATEWAYS - 1) * MEMBERS);
}

static void test_a_dead_gateway_leaves(void **state) {
    scene *s = *state;
    (void)wait_for_members(s, GATEWAYS * MEMBERS);
    gateway_stop(&s->gateways[2], false);
    int64_t took = wait_for_members(s, (GATEWAYS - 1) * MEMBERS);
    assert_true(took > DOWN_MS / 2); /* not because of a goodbye */
    assert_int_equal(stats_of(&s->gateways[0]).downs, 1);
    gateway_start(s, 2);
    gateway_track(&s->gateways[2], 2);
    (void)wait_for_members(s, GATEWAYS * MEMBERS);
}

/* While the server is away each does something; afterwards all know it. */
static void test_a_restart_of_the_server_loses_nothing_for_good(void **state) {
    scene *s = *state;
    (void)wait_for_members(s, GATEWAYS * MEMBERS);
    nats_server_kill(&s->house.server);
    for (int i = 0; i < GATEWAYS; i++) {
        gateway *g = &s->gateways[i];
        while (fanout_connection_alive(g->connection))
            pause_step();
        (void)pthread_mutex_lock(&g->lock);
        for (uint64_t m = 1; m <= MEMBERS / 2; m++)
            assert_true(ws_presence_untrack(g->presence, m));
        ws_presence_flush(g->presence, now_ms());
        (void)pthread_mutex_unlock(&g->lock);
    }
    nats_server_restart(&s->house.server);
    (void)wait_for_members(s, GATEWAYS * MEMBERS / 2);
    for (int i = 0; i < GATEWAYS; i++) {
        assert_int_equal(room_members(&s->gateways[i]), GATEWAYS * MEMBERS / 2);
        assert_int_equal(stats_of(&s->gateways[i]).malformed, 0);
    }
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, scene_open, scene_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        SCENE(test_all_know_all_and_the_late_one_too),
        SCENE(test_a_dead_gateway_leaves),
        SCENE(test_a_restart_of_the_server_loses_nothing_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
