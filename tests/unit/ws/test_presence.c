/* Presence on one gateway, and what it answers to others' messages one by one: the exact form of
 * diffs and states, maxima, gaps, digests, boots. The whole over a bad bus: test_presence_cluster.
 */
#include "tests/unit/ws/presence_view.h"
#include "ws/presence_wire.h"

enum { SENT_MAX = 64, TEXTS_BYTES = 65536 };

typedef struct {
    ws_presence *presence;
    int64_t now_ms;
    char diffs[TEXTS_BYTES]; /* "TOPIC JOINS LEAVES\n" each */
    size_t diffs_length;
    core_block *sent[SENT_MAX];
    size_t sent_count;
    presence_view view;
} scene;

static const ws_presence_limits usual_limits = {
    .heartbeat_ms = 2000,
    .down_ms = 10000,
    .max_topics = 3,
    .max_keys = 3,
    .max_metas = 2,
    .max_payload_bytes = 200,
    .max_topic_bytes = 2000,
    .max_bytes = 65536,
    .max_nodes = 2,
    .max_message_bytes = 4096,
    .max_diff_bytes = 4096,
};

static void on_diff(void *context, ws_presence_room room, core_slice joins, core_slice leaves) {
    scene *s = context;
    if (!room.private_channel)
        view_diff(&s->view, room.topic, joins, leaves);
    s->diffs_length += (size_t)snprintf(
        s->diffs + s->diffs_length, sizeof s->diffs - s->diffs_length, "%s%.*s %.*s %.*s\n",
        room.private_channel ? "private " : "", CORE_SLICE_ARGS(room.topic), CORE_SLICE_ARGS(joins),
        CORE_SLICE_ARGS(leaves));
}

static void on_send(void *context, core_slice bytes) {
    scene *s = context;
    assert_true(s->sent_count < SENT_MAX);
    s->sent[s->sent_count++] = core_block_copy(bytes);
}

static void sent_forget(scene *s) {
    while (s->sent_count > 0)
        core_block_release(s->sent[--s->sent_count]);
}

static scene *scene_make(const char *name, const ws_presence_limits *limits) {
    core_error error = {0};
    scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    ws_presence_events events = {.diff = on_diff, .send = on_send, .context = s};
    s->now_ms = 100000;
    s->presence = ws_presence_new(name, 1000, limits, &events, &error);
    assert_non_null(s->presence);
    ws_presence_tick(s->presence, s->now_ms);
    sent_forget(s);
    return s;
}

static int scene_open(void **state) {
    *state = scene_make("here", &usual_limits);
    return 0;
}

static int scene_close(void **state) {
    scene *s = *state;
    sent_forget(s);
    ws_presence_free(s->presence);
    free(s);
    return 0;
}

static bool track(scene *s, const char *topic, const char *key, uint64_t member,
                  const char *payload, core_error *error) {
    ws_presence_room room = {core_slice_text(topic), false};
    return ws_presence_track(s->presence, room, core_slice_text(key), member,
                             core_slice_text(payload), error);
}

static void must_track(scene *s, const char *topic, const char *key, uint64_t member,
                       const char *payload) {
    core_error error = {0};
    if (!track(s, topic, key, member, payload, &error))
        fail_msg("%s", error.text);
}

static void assert_refused(scene *s, const char *topic, const char *key, uint64_t member,
                           const char *payload, core_error_code code, const char *word) {
    core_error error = {0};
    assert_false(track(s, topic, key, member, payload, &error));
    assert_int_equal(error.code, code);
    if (strstr(error.text, word) == NULL)
        fail_msg("expected '%s' in '%s'", word, error.text);
}

static void flush(scene *s) {
    s->diffs_length = 0;
    s->diffs[0] = '\0';
    ws_presence_flush(s->presence, s->now_ms);
}

/* Refs are the same in every run: they come from name, boot and version. `%N` in `expected` stands
 * for the ref of version N. */
static void ref_text(uint64_t version, char text[17]) {
    uint64_t hash =
        (core_slice_hash(core_slice_text("here")) ^ 1000) * UINT64_C(0x9E3779B97F4A7C15);
    uint64_t tag = (hash ^ hash >> 31) & UINT64_C(0xFFFFFFFFFFFF);
    uint8_t bytes[12];
    core_buffer out = core_buffer_over(text, 16);
    for (int i = 0; i < 6; i++) {
        bytes[i] = (uint8_t)(tag >> (40 - 8 * i));
        bytes[6 + i] = (uint8_t)(version >> (40 - 8 * i));
    }
    core_base64_encode(core_slice_make(bytes, sizeof bytes), &out);
    text[16] = '\0';
}

static void assert_diffs(const scene *s, const char *expected) {
    char text[4096];
    size_t length = 0;
    for (; *expected != '\0'; expected++) {
        if (*expected != '%') {
            text[length++] = *expected;
            continue;
        }
        ref_text((uint64_t)(*++expected - '0'), text + length);
        length += 16;
    }
    text[length] = '\0';
    assert_string_equal(s->diffs, text);
}

static presence_message other(presence_kind kind, uint64_t version) {
    return (presence_message){.kind = kind,
                              .node = core_slice_text("there"),
                              .boot = 500,
                              .version = version,
                              .parts = 1};
}

static presence_op join(uint64_t ref, uint64_t previous) {
    static char payloads[10][16];
    (void)snprintf(payloads[ref], sizeof payloads[ref], "{\"v\":%u}", (unsigned)ref);
    return (presence_op){.ref = ref,
                         .previous = previous,
                         .topic = core_slice_text("realtime:room"),
                         .key = core_slice_text("bob"),
                         .payload = core_slice_text(payloads[ref])};
}

static presence_op leave(uint64_t ref) {
    return (presence_op){.removes = true, .ref = ref};
}

static void hear(scene *s, presence_message message, const presence_op *ops, uint32_t count) {
    core_buffer body, out;
    core_buffer_init(&body, 4096);
    core_buffer_init(&out, 8192);
    for (uint32_t i = 0; i < count; i++)
        presence_op_write(&ops[i], &body);
    message.count = count;
    message.ops = core_buffer_slice(&body);
    presence_message_write(&message, &out);
    uint64_t malformed = ws_presence_stats_get(s->presence).malformed;
    ws_presence_receive(s->presence, core_buffer_slice(&out), s->now_ms);
    assert_int_equal(ws_presence_stats_get(s->presence).malformed, malformed);
    core_buffer_fini(&body);
    core_buffer_fini(&out);
}

/* ---- clients ---- */

static void test_track_replace_untrack(void **state) {
    scene *s = *state;
    must_track(s, "realtime:room", "ada", 1, "{\"v\":1}");
    flush(s);
    assert_diffs(s, "realtime:room {\"ada\":{\"metas\":[{\"phx_ref\":\"%1\",\"v\":1}]}} {}\n");
    must_track(s, "realtime:room", "ada", 1, "{}");
    flush(s);
    assert_diffs(s, "realtime:room "
                    "{\"ada\":{\"metas\":[{\"phx_ref\":\"%2\",\"phx_ref_prev\":\"%1\"}]}} "
                    "{\"ada\":{\"metas\":[{\"phx_ref\":\"%1\",\"v\":1}]}}\n");
    assert_true(ws_presence_untrack(s->presence, 1));
    assert_false(ws_presence_untrack(s->presence, 1));
    flush(s);
    assert_diffs(s, "realtime:room {} "
                    "{\"ada\":{\"metas\":[{\"phx_ref\":\"%2\",\"phx_ref_prev\":\"%1\"}]}}\n");
    assert_int_equal(s->view.count, 0);
    assert_int_equal(ws_presence_stats_get(s->presence).bytes, 0);
    flush(s);
    assert_diffs(s, "");
}

static void test_two_devices_share_a_key(void **state) {
    scene *s = *state;
    must_track(s, "realtime:room", "ada", 1, "{\"v\":1}");
    must_track(s, "realtime:room", "ada", 2, "{\"v\":2}");
    flush(s);
    assert_int_equal(s->view.count, 2);
    view_check_state(&s->view, s->presence, "realtime:room");
    assert_true(ws_presence_untrack(s->presence, 1));
    flush(s);
    assert_diffs(s, "realtime:room {} {\"ada\":{\"metas\":[{\"phx_ref\":\"%1\",\"v\":1}]}}\n");
    view_check_state(&s->view, s->presence, "realtime:room");
}

/* What began and ended between two flushes is nobody's business; a state tells what diffs told. */
static void test_between_flushes(void **state) {
    scene *s = *state;
    core_buffer out;
    core_buffer_init(&out, 4096);
    must_track(s, "realtime:room", "ada", 1, "{\"v\":1}");
    assert_true(ws_presence_untrack(s->presence, 1));
    assert_true(ws_presence_state(
        s->presence, (ws_presence_room){core_slice_text("realtime:room"), false}, &out));
    assert_true(core_slice_is(core_buffer_slice(&out), "{}"));
    flush(s);
    assert_diffs(s, "");
    must_track(s, "realtime:room", "ada", 2, "{\"v\":2}");
    flush(s);
    must_track(s, "realtime:room", "ada", 2, "{\"v\":3}");
    must_track(s, "realtime:room", "ada", 2, "{\"v\":4}");
    view_check_state(&s->view, s->presence, "realtime:room");
    flush(s);
    assert_diffs(s, "realtime:room "
                    "{\"ada\":{\"metas\":[{\"phx_ref\":\"%5\",\"phx_ref_prev\":\"%4\",\"v\":4}]}} "
                    "{\"ada\":{\"metas\":[{\"phx_ref\":\"%3\",\"v\":2}]}}\n");
    core_buffer_fini(&out);
}

static void test_a_member_moves(void **state) {
    scene *s = *state;
    must_track(s, "realtime:room", "ada", 1, "{\"v\":1}");
    flush(s);
    must_track(s, "realtime:room", "bob", 1, "{\"v\":2}");
    flush(s);
    assert_int_equal(s->view.count, 1);
    assert_string_equal(s->view.metas[0].key, "bob");
    must_track(s, "realtime:hall", "bob", 1, "{\"v\":3}");
    flush(s);
    assert_int_equal(s->view.count, 1);
    assert_string_equal(s->view.metas[0].topic, "realtime:hall");
}

/* The same topic, but nobody in one may learn who is in the other. */
static void test_a_private_room_is_another(void **state) {
    scene *s = *state;
    ws_presence_room private_room = {core_slice_text("realtime:room"), true};
    core_error error = {0};
    core_buffer out;
    core_buffer_init(&out, 4096);
    must_track(s, "realtime:room", "ada", 1, "{\"v\":1}");
    assert_true(ws_presence_track(s->presence, private_room, core_slice_text("ada"), 2,
                                  core_slice_text("{}"), &error));
    flush(s);
    assert_int_equal(s->view.count, 1);
    assert_non_null(strstr(s->diffs, "private realtime:room {\"ada\":{\"metas\":[{\"phx_ref\":"));
    view_check_state(&s->view, s->presence, "realtime:room");
    assert_true(ws_presence_state(s->presence, private_room, &out));
    char ref[17];
    ref_text(2, ref);
    core_buffer_u8(&out, 0);
    assert_non_null(strstr((const char *)out.data, ref));
    presence_op op = join(1, 0);
    op.private_channel = true;
    hear(s, other(PRESENCE_DELTA, 0), &op, 1);
    flush(s);
    assert_int_equal(s->view.count, 1);
    assert_int_equal(ws_presence_stats_get(s->presence).members, 3);
    core_buffer_fini(&out);
}

static void test_keys_are_escaped(void **state) {
    scene *s = *state;
    must_track(s, "realtime:room", "a\"\\\n", 1, "{\"v\":1}");
    flush(s);
    assert_diffs(
        s, "realtime:room {\"a\\\"\\\\\\n\":{\"metas\":[{\"phx_ref\":\"%1\",\"v\":1}]}} {}\n");
}

static void test_maxima_refuse_and_change_nothing(void **state) {
    scene *s = *state;
    char large[256] = "{\"v\":\"";
    memset(large + 6, 'x', 200);
    (void)snprintf(large + 206, sizeof large - 206, "\"}");
    assert_refused(s, "realtime:a", "k", 1, large, CORE_ERROR_LIMIT, "max_payload_bytes");
    assert_refused(s, "realtime:a", "k", 1, "[]", CORE_ERROR_INPUT, "JSON object");
    assert_refused(s, "realtime:a", "", 1, "{}", CORE_ERROR_INPUT, "key");
    assert_refused(s, "", "k", 1, "{}", CORE_ERROR_INPUT, "topic");
    assert_refused(s, "realtime:a", "\xFF", 1, "{}", CORE_ERROR_INPUT, "UTF-8");
    must_track(s, "realtime:a", "k", 1, "{\"v\":1}");
    must_track(s, "realtime:a", "k", 2, "{\"v\":2}");
    assert_refused(s, "realtime:a", "k", 3, "{}", CORE_ERROR_LIMIT, "max_metas");
    must_track(s, "realtime:a", "k", 2, "{\"v\":3}"); /* in place of its own */
    must_track(s, "realtime:a", "k2", 3, "{\"v\":4}");
    must_track(s, "realtime:a", "k3", 4, "{\"v\":5}");
    assert_refused(s, "realtime:a", "k4", 5, "{}", CORE_ERROR_LIMIT, "max_keys");
    must_track(s, "realtime:b", "k", 5, "{\"v\":6}");
    must_track(s, "realtime:c", "k", 6, "{\"v\":7}");
    assert_refused(s, "realtime:d", "k", 7, "{}", CORE_ERROR_LIMIT, "max_topics");
    flush(s);
    assert_int_equal(s->view.count, 6);
    assert_refused(s, "realtime:d", "k", 6, "{}", CORE_ERROR_LIMIT, "max_topics");
    flush(s);
    assert_int_equal(s->view.count, 6);
}

static void test_bytes_are_bounded(void **state) {
    ws_presence_limits limits = usual_limits;
    (void)state;
    limits.max_topics = limits.max_keys = 1000;
    limits.max_bytes = 4096;
    limits.max_topic_bytes = 600;
    scene *s = scene_make("here", &limits);
    core_error error = {0};
    char key[16];
    uint64_t n = 0;
    do
        (void)snprintf(key, sizeof key, "k%llu", (unsigned long long)n);
    while (track(s, "realtime:a", key, ++n, "{\"v\":1}", &error));
    assert_non_null(strstr(error.text, "max_topic_bytes"));
    assert_in_range(n, 5, 20);
    char topic[32];
    do
        (void)snprintf(topic, sizeof topic, "realtime:t%llu", (unsigned long long)n);
    while (track(s, topic, "k", ++n, "{\"v\":1}", &error));
    assert_non_null(strstr(error.text, "presence.max_bytes"));
    assert_in_range(ws_presence_stats_get(s->presence).bytes, 2048, 4096);
    flush(s);
    for (uint64_t m = 1; m <= n; m++)
        (void)ws_presence_untrack(s->presence, m);
    flush(s);
    assert_int_equal(ws_presence_stats_get(s->presence).bytes, 0);
    (void)scene_close((void **)&s);
}

/* ---- others ---- */

/* How many questions to "there" were sent since; forgets what was sent. */
static size_t asked(scene *s) {
    size_t count = 0;
    for (size_t i = 0; i < s->sent_count; i++) {
        presence_message message;
        assert_true(presence_message_read(core_block_slice(s->sent[i]), &message));
        count += message.kind == PRESENCE_ASK && core_slice_is(message.target, "there");
    }
    sent_forget(s);
    return count;
}

static void test_a_log_is_followed(void **state) {
    scene *s = *state;
    hear(s, other(PRESENCE_DELTA, 0), (presence_op[]){join(1, 0), join(2, 1), join(3, 0)}, 3);
    flush(s);
    assert_int_equal(s->view.count, 2);
    hear(s, other(PRESENCE_DELTA, 0), (presence_op[]){join(1, 0)}, 1);           /* late */
    hear(s, other(PRESENCE_DELTA, 2), (presence_op[]){join(3, 0), leave(2)}, 2); /* overlaps */
    flush(s);
    assert_int_equal(s->view.count, 1);
    assert_int_equal(s->view.metas[0].value, 3);
    assert_int_equal(s->view.joined, 2); /* 1 was replaced before anybody knew it */
    assert_int_equal(asked(s), 0);
}

static void test_a_gap_is_asked_about_and_nothing_is_guessed(void **state) {
    scene *s = *state;
    hear(s, other(PRESENCE_DELTA, 0), (presence_op[]){join(1, 0)}, 1);
    hear(s, other(PRESENCE_DELTA, 2), (presence_op[]){join(3, 0)}, 1);
    flush(s);
    assert_int_equal(s->view.count, 1);
    assert_int_equal(asked(s), 1);
    hear(s, other(PRESENCE_DELTA, 3), (presence_op[]){join(4, 0)}, 1);
    assert_int_equal(asked(s), 0); /* not again at once */
    s->now_ms += 300;
    ws_presence_tick(s->presence, s->now_ms);
    assert_int_equal(asked(s), 1);
    hear(s, other(PRESENCE_STATE, 4), (presence_op[]){join(3, 0), join(4, 0)}, 2);
    flush(s);
    assert_int_equal(s->view.count, 2); /* 1 left in what was missed */
    hear(s, other(PRESENCE_DELTA, 4), (presence_op[]){leave(3)}, 1);
    flush(s);
    assert_int_equal(s->view.count, 1);
}

static void test_another_digest_is_asked_about(void **state) {
    scene *s = *state;
    presence_message heartbeat = other(PRESENCE_HEARTBEAT, 1);
    hear(s, other(PRESENCE_DELTA, 0), (presence_op[]){join(1, 0)}, 1);
    heartbeat.digest = 12345;
    hear(s, heartbeat, NULL, 0);
    assert_int_equal(asked(s), 1);
    /* The pauses between questions grow: what cannot agree must not flood the bus. */
    size_t questions = 0;
    for (int n = 0; n < 600; n++) {
        s->now_ms += 100;
        hear(s, heartbeat, NULL, 0);
        ws_presence_tick(s->presence, s->now_ms);
        questions += asked(s);
    }
    assert_in_range(questions, 6, 13);
}

static void test_a_state_comes_in_parts(void **state) {
    scene *s = *state;
    presence_message part = other(PRESENCE_STATE, 5);
    part.parts = 3;
    part.part = 2;
    hear(s, part, (presence_op[]){join(4, 0)}, 1);
    part.part = 0;
    hear(s, part, (presence_op[]){join(2, 0)}, 1);
    hear(s, part, (presence_op[]){join(2, 0)}, 1);                     /* repeated */
    hear(s, other(PRESENCE_STATE, 3), (presence_op[]){join(1, 0)}, 1); /* one from before */
    flush(s);
    assert_int_equal(s->view.count, 0);
    part.part = 1;
    hear(s, part, (presence_op[]){join(3, 0)}, 1);
    flush(s);
    assert_int_equal(s->view.count, 3);
    hear(s, other(PRESENCE_STATE, 3), (presence_op[]){join(2, 0)}, 1); /* an older one */
    flush(s);
    assert_int_equal(s->view.count, 3);
}

static void test_boots_and_goodbyes(void **state) {
    scene *s = *state;
    presence_message first = other(PRESENCE_DELTA, 0), second = other(PRESENCE_DELTA, 0);
    second.boot = 600;
    hear(s, first, (presence_op[]){join(1, 0), join(2, 0)}, 2);
    flush(s);
    hear(s, second, (presence_op[]){join(1, 0)}, 1); /* same version, another boot */
    flush(s);
    assert_int_equal(s->view.count, 1);
    assert_int_equal(s->view.left, 2);
    assert_int_equal(s->view.joined, 3);
    hear(s, first, (presence_op[]){join(1, 0), join(2, 0)}, 2); /* its ghost */
    flush(s);
    assert_int_equal(s->view.count, 1);
    presence_message goodbye = other(PRESENCE_GOODBYE, 0);
    goodbye.boot = 600;
    hear(s, goodbye, NULL, 0);
    flush(s);
    assert_int_equal(s->view.count, 0);
    hear(s, second, (presence_op[]){join(1, 0)}, 1); /* what was still on its way */
    hear(s, first, (presence_op[]){join(1, 0)}, 1);
    flush(s);
    assert_int_equal(s->view.count, 0);
    assert_int_equal(ws_presence_stats_get(s->presence).nodes, 0);
}

static void test_down_and_back_within_a_round_is_nothing(void **state) {
    scene *s = *state;
    hear(s, other(PRESENCE_DELTA, 0), (presence_op[]){join(1, 0)}, 1);
    flush(s);
    presence_message goodbye = other(PRESENCE_GOODBYE, 0);
    hear(s, goodbye, NULL, 0);
    presence_message again = other(PRESENCE_DELTA, 0);
    again.boot = 501;
    hear(s, again, (presence_op[]){join(1, 0)}, 1);
    flush(s); /* another boot's: another meta, joined and left in one diff */
    assert_int_equal(s->view.count, 1);
    assert_int_equal(s->view.left, 1);
}

static void test_strangers_have_a_maximum(void **state) {
    scene *s = *state;
    static const char *const names[] = {"n1", "n2", "n3"};
    for (size_t i = 0; i < CORE_COUNT_OF(names); i++) {
        presence_message delta = other(PRESENCE_DELTA, 0);
        delta.node = core_slice_text(names[i]);
        presence_op op = join(i + 1, 0);
        op.ref = 1;
        hear(s, delta, &op, 1);
    }
    flush(s);
    assert_int_equal(s->view.count, 2);
    assert_int_equal(ws_presence_stats_get(s->presence).nodes, 2);
    assert_int_equal(ws_presence_stats_get(s->presence).refused, 1);
    presence_message goodbye = other(PRESENCE_GOODBYE, 0);
    goodbye.node = core_slice_text("n1");
    hear(s, goodbye, NULL, 0);
    flush(s);
    hear(s, other(PRESENCE_DELTA, 0), (presence_op[]){join(1, 0)}, 1); /* its place is free */
    flush(s);
    assert_int_equal(s->view.count, 2);
}

static void test_rubbish_and_own_name(void **state) {
    scene *s = *state;
    ws_presence_receive(s->presence, core_slice_text("rubbish"), s->now_ms);
    assert_int_equal(ws_presence_stats_get(s->presence).malformed, 1);
    presence_message own = other(PRESENCE_DELTA, 0);
    own.node = core_slice_text("here");
    own.boot = 1000;
    hear(s, own, (presence_op[]){join(1, 0)}, 1); /* our own echo */
    own.boot = 999;
    hear(s, own, (presence_op[]){join(1, 0)}, 1); /* our predecessor's */
    assert_int_equal(ws_presence_stats_get(s->presence).conflicts, 0);
    own.boot = 1001;
    hear(s, own, (presence_op[]){join(1, 0)}, 1);
    assert_int_equal(ws_presence_stats_get(s->presence).conflicts, 1);
    flush(s);
    assert_int_equal(s->view.count, 0);
}

/* A node that answers is asked by many at once: it answers once for all. */
static void test_questions_are_answered_together(void **state) {
    scene *s = *state;
    must_track(s, "realtime:room", "ada", 1, "{\"v\":1}");
    flush(s);
    sent_forget(s);
    presence_message ask = other(PRESENCE_ASK, 0);
    ask.target = core_slice_text("here");
    hear(s, ask, NULL, 0);
    hear(s, ask, NULL, 0);
    flush(s);
    hear(s, ask, NULL, 0);
    flush(s);
    assert_int_equal(s->sent_count, 1);
    presence_message state_message;
    assert_true(presence_message_read(core_block_slice(s->sent[0]), &state_message));
    assert_int_equal(state_message.kind, PRESENCE_STATE);
    assert_int_equal(state_message.count, 1);
    s->now_ms += 300;
    ws_presence_tick(s->presence, s->now_ms);
    assert_int_equal(s->sent_count, 2);
    ask.target = core_slice_text("somebody");
    hear(s, ask, NULL, 0);
    s->now_ms += 300;
    flush(s);
    assert_int_equal(s->sent_count, 2);
}

static void test_names_are_checked(void **state) {
    core_error error = {0};
    ws_presence_events events = {.diff = on_diff, .send = on_send};
    char name[WS_PRESENCE_NODE_MAX + 2];
    (void)state;
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_null(ws_presence_new("", 1, &usual_limits, &events, &error));
    assert_null(ws_presence_new(name, 1, &usual_limits, &events, &error));
    assert_null(ws_presence_new("n", 0, &usual_limits, &events, &error));
    assert_int_equal(error.code, CORE_ERROR_CONFIG);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, scene_open, scene_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        SCENE(test_track_replace_untrack),
        SCENE(test_two_devices_share_a_key),
        SCENE(test_between_flushes),
        SCENE(test_a_member_moves),
        SCENE(test_a_private_room_is_another),
        SCENE(test_keys_are_escaped),
        SCENE(test_maxima_refuse_and_change_nothing),
        SCENE(test_bytes_are_bounded),
        SCENE(test_a_log_is_followed),
        SCENE(test_a_gap_is_asked_about_and_nothing_is_guessed),
        SCENE(test_another_digest_is_asked_about),
        SCENE(test_a_state_comes_in_parts),
        SCENE(test_boots_and_goodbyes),
        SCENE(test_down_and_back_within_a_round_is_nothing),
        SCENE(test_strangers_have_a_maximum),
        SCENE(test_rubbish_and_own_name),
        SCENE(test_questions_are_answered_together),
        cmocka_unit_test(test_names_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
