/* Presence over a simulated bus that loses, repeats, delays and reorders, with partitions, kills,
 * restarts and clean stops, over seeds: each gateway's clients always hold what its diffs say, and
 * once it is quiet every gateway holds the truth. Simulated time; nothing waits. */
#include "tests/unit/ws/presence_view.h"

enum {
    NODES = 5,
    TOPICS = 4,
    KEYS = 5,
    MEMBERS_MAX = 40, /* of a node */
    PACKETS_MAX = 65536,
    SEEDS = 24,
    STEPS = 1500,
    STEP_MS = 20,
    QUIET_MS = 45000,
    DOWN_MS = 10000,
};

typedef struct {
    uint64_t handle; /* 0: free */
    int topic, key;
    uint64_t value;
} sim_member;

typedef struct {
    int number;
    ws_presence *presence; /* NULL: dead */
    presence_view view;
    sim_member members[MEMBERS_MAX];
    int group; /* of a partition */
    int64_t tick_at;
} sim_node;

typedef struct {
    int64_t at_ms;
    uint64_t order;
    int to;
    core_block *bytes;
} sim_packet;

typedef struct {
    uint64_t random;
    int64_t now_ms;
    sim_node nodes[NODES];
    sim_packet packets[PACKETS_MAX];
    size_t packet_count;
    unsigned loss, repeats; /* in a thousand */
    int64_t delay_ms;
    uint64_t last_value, last_handle, sent;
    ws_presence_limits limits;
} simulation;

static simulation sim;

static const char *const topics[TOPICS] = {"realtime:a", "realtime:b", "realtime:c", "realtime:d"};
static const char *const keys[KEYS] = {"k0", "k1", "k2", "k3", "k4"};

static uint64_t sim_random(uint64_t below) {
    sim.random ^= sim.random << 13;
    sim.random ^= sim.random >> 7;
    sim.random ^= sim.random << 17;
    return sim.random % below;
}

/* ---- the bus ---- */

static void packet_put(int to, core_slice bytes) {
    assert_true(sim.packet_count < PACKETS_MAX);
    core_block *copy = core_block_copy(bytes);
    assert_non_null(copy);
    int64_t delay = 1 + (int64_t)sim_random((uint64_t)sim.delay_ms);
    sim.packets[sim.packet_count++] =
        (sim_packet){.at_ms = sim.now_ms + delay, .order = sim.sent++, .to = to, .bytes = copy};
}

static void on_send(void *context, core_slice bytes) {
    const sim_node *from = context;
    assert_true(bytes.length <= sim.limits.max_message_bytes + 128);
    for (int to = 0; to < NODES; to++) {
        if (to == from->number || sim.nodes[to].group != from->group || sim_random(1000) < sim.loss)
            continue;
        packet_put(to, bytes);
        if (sim_random(1000) < sim.repeats)
            packet_put(to, bytes);
    }
}

/* Those that are due, in the order of their time; NULL bytes were given already. */
static void bus_deliver(void) {
    for (;;) {
        size_t next = sim.packet_count;
        for (size_t i = 0; i < sim.packet_count; i++)
            if (sim.packets[i].at_ms <= sim.now_ms &&
                (next == sim.packet_count || sim.packets[i].at_ms < sim.packets[next].at_ms ||
                 (sim.packets[i].at_ms == sim.packets[next].at_ms &&
                  sim.packets[i].order < sim.packets[next].order)))
                next = i;
        if (next == sim.packet_count)
            return;
        sim_packet packet = sim.packets[next];
        sim.packets[next] = sim.packets[--sim.packet_count];
        sim_node *node = &sim.nodes[packet.to];
        if (node->presence != NULL)
            ws_presence_receive(node->presence, core_block_slice(packet.bytes), sim.now_ms);
        core_block_release(packet.bytes);
    }
}

/* ---- nodes ---- */

static void on_diff(void *context, ws_presence_room room, core_slice joins, core_slice leaves) {
    sim_node *node = context;
    assert_false(room.private_channel);
    view_diff(&node->view, room.topic, joins, leaves);
}

static void node_start(sim_node *node) {
    char name[16];
    core_error error = {0};
    ws_presence_events events = {.diff = on_diff, .send = on_send, .context = node};
    (void)snprintf(name, sizeof name, "node-%d", node->number);
    node->presence = ws_presence_new(name, (uint64_t)sim.now_ms + 1, &sim.limits, &events, &error);
    assert_non_null(node->presence);
    node->view.count = 0; /* its clients are new */
    memset(node->members, 0, sizeof node->members);
    node->tick_at = sim.now_ms;
}

static void node_stop(sim_node *node, bool cleanly) {
    if (cleanly)
        ws_presence_leave(node->presence, sim.now_ms);
    ws_presence_free(node->presence);
    node->presence = NULL;
    memset(node->members, 0, sizeof node->members);
}

static void node_track(sim_node *node, sim_member *member) {
    char payload[64];
    core_error error = {0};
    if (member->handle == 0)
        *member = (sim_member){.handle = ++sim.last_handle,
                               .topic = (int)sim_random(TOPICS),
                               .key = (int)sim_random(KEYS)};
    else if (sim_random(8) == 0)
        member->key = (int)sim_random(KEYS);
    member->value = ++sim.last_value;
    (void)snprintf(payload, sizeof payload, "{\"v\":%llu}", (unsigned long long)member->value);
    ws_presence_room room = {core_slice_text(topics[member->topic]), false};
    if (!ws_presence_track(node->presence, room, core_slice_text(keys[member->key]), member->handle,
                           core_slice_text(payload), &error))
        fail_msg("%s", error.text);
}

static void node_act(sim_node *node) {
    sim_member *member = &node->members[sim_random(MEMBERS_MAX)];
    if (member->handle != 0 && sim_random(2) == 0) {
        assert_true(ws_presence_untrack(node->presence, member->handle));
        member->handle = 0;
    } else {
        node_track(node, member);
    }
}

static void node_round(sim_node *node) {
    if (sim.now_ms >= node->tick_at) {
        ws_presence_tick(node->presence, sim.now_ms);
        node->tick_at = sim.now_ms + 500;
    } else {
        ws_presence_flush(node->presence, sim.now_ms);
    }
}

/* ---- the story ---- */

static void fate(void) {
    sim_node *node = &sim.nodes[sim_random(NODES)];
    switch (sim_random(160)) {
    case 0:
        for (int i = 0; i < NODES; i++)
            sim.nodes[i].group = (int)sim_random(2);
        break;
    case 1:
    case 2:
        for (int i = 0; i < NODES; i++)
            sim.nodes[i].group = 0;
        break;
    case 3:
        if (node->presence != NULL)
            node_stop(node, sim_random(2) == 0);
        break;
    case 4:
    case 5:
        if (node->presence == NULL)
            node_start(node);
        break;
    case 6:
        if (node->presence != NULL)
            ws_presence_resync(node->presence, sim.now_ms);
        break;
    case 7: /* it stands still for a while */
        node->tick_at = sim.now_ms + (int64_t)sim_random(20000);
        break;
    default:
        break;
    }
}

static void step(bool eventful) {
    sim.now_ms += STEP_MS;
    bus_deliver();
    if (eventful)
        fate();
    for (int i = 0; i < NODES; i++) {
        if (sim.nodes[i].presence == NULL)
            continue;
        for (uint64_t n = eventful ? sim_random(3) : 0; n > 0; n--)
            node_act(&sim.nodes[i]);
        node_round(&sim.nodes[i]);
    }
}

static bool truth_holds(const view_meta *meta) {
    for (int i = 0; i < NODES; i++)
        for (int m = 0; sim.nodes[i].presence != NULL && m < MEMBERS_MAX; m++) {
            const sim_member *member = &sim.nodes[i].members[m];
            if (member->handle != 0 && member->value == meta->value)
                return strcmp(topics[member->topic], meta->topic) == 0 &&
                       strcmp(keys[member->key], meta->key) == 0;
        }
    return false;
}

static size_t truth_count(void) {
    size_t count = 0;
    for (int i = 0; i < NODES; i++)
        for (int m = 0; sim.nodes[i].presence != NULL && m < MEMBERS_MAX; m++)
            count += sim.nodes[i].members[m].handle != 0;
    return count;
}

static void check_all(uint64_t seed) {
    for (int i = 0; i < NODES; i++) {
        const sim_node *node = &sim.nodes[i];
        if (node->presence == NULL)
            continue;
        if (node->view.count != truth_count())
            fail_msg("seed %llu: node %d holds %zu members of %zu", (unsigned long long)seed, i,
                     node->view.count, truth_count());
        for (size_t m = 0; m < node->view.count; m++)
            if (!truth_holds(&node->view.metas[m]))
                fail_msg("seed %llu: node %d holds %s/%s, which is not", (unsigned long long)seed,
                         i, node->view.metas[m].topic, node->view.metas[m].key);
        for (int t = 0; t < TOPICS; t++)
            view_check_state(&node->view, node->presence, topics[t]);
        ws_presence_stats stats = ws_presence_stats_get(node->presence);
        assert_int_equal(stats.members, truth_count());
        assert_int_equal(stats.malformed + stats.refused + stats.conflicts, 0);
    }
}

static void sim_begin(uint64_t seed) {
    sim.random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    sim.now_ms = 1000;
    sim.packet_count = 0;
    sim.loss = (unsigned)sim_random(4) * 100;
    sim.repeats = (unsigned)sim_random(3) * 100;
    sim.delay_ms = 1 + (int64_t)sim_random(3) * 300;
    sim.limits = (ws_presence_limits){.heartbeat_ms = 2000,
                                      .down_ms = DOWN_MS,
                                      .max_topics = 100,
                                      .max_keys = 100,
                                      .max_metas = 1000,
                                      .max_payload_bytes = 100,
                                      .max_topic_bytes = 1 << 20,
                                      .max_bytes = 1 << 24,
                                      .max_nodes = NODES,
                                      .max_message_bytes = seed % 2 ? 100 : 65536,
                                      .max_diff_bytes = seed % 3 ? 100 : 65536};
    for (int i = 0; i < NODES; i++) {
        sim.nodes[i] = (sim_node){.number = i};
        node_start(&sim.nodes[i]);
    }
}

static void sim_end(void) {
    for (int i = 0; i < NODES; i++)
        if (sim.nodes[i].presence != NULL)
            node_stop(&sim.nodes[i], false);
    for (size_t i = 0; i < sim.packet_count; i++)
        core_block_release(sim.packets[i].bytes);
    sim.packet_count = 0;
}

static void quiet(void) {
    sim.loss = sim.repeats = 0;
    sim.delay_ms = 20;
    for (int i = 0; i < NODES; i++)
        sim.nodes[i].group = 0;
    for (int64_t end = sim.now_ms + QUIET_MS; sim.now_ms < end;)
        step(false);
}

static uint64_t resyncs_all(void) {
    uint64_t resyncs = 0;
    for (int i = 0; i < NODES; i++)
        if (sim.nodes[i].presence != NULL)
            resyncs += ws_presence_stats_get(sim.nodes[i].presence).resyncs;
    return resyncs;
}

/* Digests agree, so nobody asks any more. */
static void check_nobody_asks(void) {
    uint64_t resyncs = resyncs_all();
    for (int n = 0; n < 10000 / STEP_MS; n++)
        step(false);
    assert_int_equal(resyncs_all(), resyncs);
}

static void test_after_quiet_all_hold_the_truth(void **state) {
    uint64_t resyncs = 0, downs = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        sim_begin(seed);
        for (int n = 0; n < STEPS; n++)
            step(true);
        quiet();
        check_all(seed);
        check_nobody_asks();
        resyncs += resyncs_all();
        for (int i = 0; i < NODES; i++)
            if (sim.nodes[i].presence != NULL)
                downs += ws_presence_stats_get(sim.nodes[i].presence).downs;
        sim_end();
    }
    assert_true(resyncs > 500 && downs > 20); /* the story had what it is about */
}

/* ---- single stories ---- */

/* On a bus that keeps order, repetition or not, deltas alone are enough: nobody is ever asked, and
 * everybody knows everything two steps later. */
static void test_in_order_nobody_is_asked(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        sim_begin(seed);
        sim.loss = 0;
        sim.repeats = seed % 2 ? 500 : 0;
        sim.delay_ms = 1;
        for (int n = 0; n < 400; n++) {
            sim.now_ms += STEP_MS;
            bus_deliver();
            for (int i = 0; i < NODES; i++) {
                for (uint64_t acts = sim_random(4); acts > 0; acts--)
                    node_act(&sim.nodes[i]);
                node_round(&sim.nodes[i]);
            }
            if (n % 50 != 49)
                continue;
            step(false);
            step(false);
            check_all(seed);
        }
        for (int i = 0; i < NODES; i++)
            assert_int_equal(ws_presence_stats_get(sim.nodes[i].presence).resyncs, 0);
        sim_end();
    }
}

static void calm_begin(void) {
    sim_begin(6);
    sim.loss = sim.repeats = 0;
    sim.delay_ms = 5;
    for (int i = 0; i < NODES; i++)
        for (int m = 0; m < 10; m++)
            node_track(&sim.nodes[i], &sim.nodes[i].members[m]);
    for (int n = 0; n < 100; n++)
        step(false);
    check_all(0);
}

static void test_a_dead_node_leaves_once_within_the_time(void **state) {
    (void)state;
    calm_begin();
    uint64_t left = sim.nodes[1].view.left;
    int64_t died = sim.now_ms;
    node_stop(&sim.nodes[0], false);
    while (sim.now_ms < died + DOWN_MS - 2500)
        step(false);
    for (int i = 1; i < NODES; i++)
        assert_int_equal(sim.nodes[i].view.count, 50); /* not too soon */
    while (sim.now_ms < died + 15000)
        step(false);
    for (int i = 1; i < NODES; i++) {
        assert_int_equal(sim.nodes[i].view.count, 40);
        assert_int_equal(sim.nodes[i].view.left, left + 10);
        assert_int_equal(ws_presence_stats_get(sim.nodes[i].presence).downs, 1);
    }
    quiet();
    assert_int_equal(sim.nodes[1].view.left, left + 10);
    check_all(0);
    sim_end();
}

/* Both sides lose each other; those who stayed come back once, those who went went once. */
static void test_a_partition_heals(void **state) {
    (void)state;
    calm_begin();
    uint64_t joined = sim.nodes[0].view.joined, left = sim.nodes[0].view.left;
    sim.nodes[3].group = sim.nodes[4].group = 1;
    for (int n = 0; n < 20000 / STEP_MS; n++)
        step(false);
    assert_int_equal(sim.nodes[0].view.count, 30);
    assert_int_equal(sim.nodes[4].view.count, 20);
    assert_int_equal(sim.nodes[0].view.left, left + 20);
    for (int m = 0; m < 4; m++) { /* of 3, four leave meanwhile */
        assert_true(ws_presence_untrack(sim.nodes[3].presence, sim.nodes[3].members[m].handle));
        sim.nodes[3].members[m].handle = 0;
    }
    sim.nodes[3].group = sim.nodes[4].group = 0;
    for (int n = 0; n < 6000 / STEP_MS; n++)
        step(false);
    check_all(0);
    assert_int_equal(sim.nodes[0].view.joined, joined + 16);
    assert_int_equal(sim.nodes[0].view.left, left + 20);
    quiet();
    check_all(0);
    assert_int_equal(sim.nodes[0].view.joined, joined + 16);
    sim_end();
}

static void test_a_short_partition_is_not_seen(void **state) {
    (void)state;
    calm_begin();
    uint64_t joined = sim.nodes[0].view.joined, left = sim.nodes[0].view.left;
    sim.nodes[3].group = 1;
    for (int n = 0; n < 6000 / STEP_MS; n++)
        step(false);
    node_track(&sim.nodes[3], &sim.nodes[3].members[0]); /* again: a leave and a join */
    node_track(&sim.nodes[3], &sim.nodes[3].members[20]);
    sim.nodes[3].group = 0;
    quiet();
    check_all(0);
    assert_int_equal(sim.nodes[0].view.joined, joined + 2);
    assert_int_equal(sim.nodes[0].view.left, left + 1);
    sim_end();
}

static void test_goodbye_and_restart_are_at_once(void **state) {
    (void)state;
    calm_begin();
    node_stop(&sim.nodes[0], true);
    step(false);
    step(false);
    assert_int_equal(sim.nodes[1].view.count, 40);
    node_stop(&sim.nodes[2], false); /* killed, and back within a moment */
    node_start(&sim.nodes[2]);
    node_track(&sim.nodes[2], &sim.nodes[2].members[0]);
    for (int n = 0; n < 5; n++)
        step(false);
    assert_int_equal(sim.nodes[1].view.count, 31);
    quiet();
    check_all(0);
    assert_int_equal(ws_presence_stats_get(sim.nodes[1].presence).downs, 0);
    sim_end();
}

/* A gateway that was stopped for a minute and goes on: the others are not dead, it was. */
static void test_who_stood_still_blames_nobody(void **state) {
    (void)state;
    calm_begin();
    uint64_t left = sim.nodes[0].view.left;
    ws_presence *presence = sim.nodes[0].presence;
    sim.nodes[0].group = 1;
    sim.nodes[0].presence = NULL; /* the world goes on without it */
    for (int n = 0; n < 60000 / STEP_MS; n++)
        step(false);
    assert_int_equal(sim.nodes[1].view.count, 40);
    sim.nodes[0].presence = presence;
    sim.nodes[0].group = 0;
    sim.nodes[0].tick_at = sim.now_ms;
    quiet();
    check_all(0);
    assert_int_equal(sim.nodes[0].view.left, left);
    assert_int_equal(sim.nodes[1].view.count, 50);
    sim_end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_after_quiet_all_hold_the_truth),
        cmocka_unit_test(test_in_order_nobody_is_asked),
        cmocka_unit_test(test_a_dead_node_leaves_once_within_the_time),
        cmocka_unit_test(test_a_partition_heals),
        cmocka_unit_test(test_a_short_partition_is_not_seen),
        cmocka_unit_test(test_goodbye_and_restart_are_at_once),
        cmocka_unit_test(test_who_stood_still_blames_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
