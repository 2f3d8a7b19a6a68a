/* The messenger against a real nats-server: what is done when, who hears it, and what becomes of
 * messages when nobody listens, a stream refuses, or the server dies. */
#include "tests/integration/fanout/house.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nats/nats.h>

enum { WAIT_MS = 20000 };

typedef struct {
    fanout_house house;
    fanout_messenger *messenger;
    natsConnection *nats; /* another client's */
    jsCtx *jetstream;
} scene;

static int scene_open(void **state) {
    core_error error = {0};
    char url[64];
    scene *s = calloc(1, sizeof *s);
    assert_non_null(s);
    house_open(&s->house, "max_payload: 8192");
    s->messenger = fanout_messenger_new(s->house.config, "test messenger", s->house.log,
                                        core_clock_system(), &error);
    assert_non_null(s->messenger);
    (void)snprintf(url, sizeof url, "%s", core_config_text(s->house.config, "nats.url"));
    assert_int_equal(natsConnection_ConnectTo(&s->nats, url), NATS_OK);
    assert_int_equal(natsConnection_JetStream(&s->jetstream, s->nats, NULL), NATS_OK);
    *state = s;
    return 0;
}

static int scene_close(void **state) {
    scene *s = *state;
    fanout_messenger_free(s->messenger);
    jsCtx_Destroy(s->jetstream);
    natsConnection_Destroy(s->nats);
    house_close(&s->house);
    free(s);
    return 0;
}

/* ---- what became of one ---- */

typedef struct {
    fanout_dispatch dispatch;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_over;
    core_error error;
    char answer[256];
} letter;

static void on_completed(fanout_dispatch *dispatch, core_slice answer, const core_error *error) {
    letter *l = dispatch->context;
    (void)pthread_mutex_lock(&l->lock);
    assert(!l->is_over);
    if (error != NULL)
        l->error = *error;
    (void)!core_slice_to_text(answer, l->answer, sizeof l->answer);
    l->is_over = true;
    (void)pthread_cond_signal(&l->changed);
    (void)pthread_mutex_unlock(&l->lock);
}

static void letter_init(letter *l, const char *subject, const char *text, fanout_until until) {
    *l = (letter){.dispatch = {.subject = subject,
                               .payload = core_slice_text(text),
                               .until = until,
                               .timeout_ms = 1000,
                               .completed = on_completed,
                               .context = l}};
    (void)pthread_mutex_init(&l->lock, NULL);
    core_condition_init(&l->changed);
}

static core_error_code letter_wait(letter *l) {
    int64_t deadline_ms = house_now_ms() + WAIT_MS;
    (void)pthread_mutex_lock(&l->lock);
    while (!l->is_over && house_now_ms() < deadline_ms)
        (void)core_condition_wait(&l->changed, &l->lock, 100);
    bool is_over = l->is_over;
    (void)pthread_mutex_unlock(&l->lock);
    assert_true(is_over);
    return l->error.code;
}

static core_error_code say(const scene *s, letter *l) {
    core_error error = {0};
    if (!fanout_messenger_send(s->messenger, &l->dispatch, &error))
        fail_msg("%s", error.text);
    return letter_wait(l);
}

static core_error_code say_text(const scene *s, const char *subject, const char *text,
                                fanout_until until, letter *l) {
    letter_init(l, subject, text, until);
    return say(s, l);
}

/* ---- a stream of another application's ---- */

static void stream_make(const scene *s, const char *name, const char *subject, int64_t max_bytes) {
    jsStreamConfig config;
    jsErrCode code = 0;
    assert_int_equal(jsStreamConfig_Init(&config), NATS_OK);
    config.Name = name;
    config.Subjects = &subject;
    config.SubjectsLen = 1;
    config.MaxBytes = max_bytes;
    config.Discard = js_DiscardNew;
    assert_int_equal(js_AddStream(NULL, s->jetstream, &config, NULL, &code), NATS_OK);
}

static uint64_t stream_messages(const scene *s, const char *name) {
    jsStreamInfo *info = NULL;
    assert_int_equal(js_GetStreamInfo(&info, s->jetstream, name, NULL, NULL), NATS_OK);
    uint64_t messages = info->State.Msgs;
    jsStreamInfo_Destroy(info);
    return messages;
}

/* ---- tests ---- */

static void test_the_server_has_it_and_who_listens_hears_it(void **state) {
    scene *s = *state;
    letter l;
    natsSubscription *listener = NULL;
    natsMsg *heard = NULL;
    const char *value = NULL;
    static const fanout_header headers[] = {{"Walcast-Depth", "1"}};
    assert_int_equal(natsConnection_SubscribeSync(&listener, s->nats, "shop.>"), NATS_OK);
    assert_int_equal(natsConnection_Flush(s->nats), NATS_OK);
    letter_init(&l, "shop.paid", "{\"id\":7}", FANOUT_UNTIL_TAKEN);
    l.dispatch.id = "msg_1";
    l.dispatch.headers = headers;
    l.dispatch.header_count = 1;
    assert_int_equal(say(s, &l), CORE_ERROR_NONE);
    assert_int_equal(natsSubscription_NextMsg(&heard, listener, WAIT_MS), NATS_OK);
    assert_string_equal(natsMsg_GetSubject(heard), "shop.paid");
    assert_string_equal(natsMsg_GetData(heard), "{\"id\":7}");
    assert_null(natsMsg_GetReply(heard)); /* nobody is asked for an answer */
    assert_int_equal(natsMsgHeader_Get(heard, "Nats-Msg-Id", &value), NATS_OK);
    assert_string_equal(value, "msg_1");
    assert_int_equal(natsMsgHeader_Get(heard, "Walcast-Depth", &value), NATS_OK);
    assert_string_equal(value, "1");
    natsMsg_Destroy(heard);
    natsSubscription_Destroy(listener);
    /* That nobody listens is no failure. */
    assert_int_equal(say_text(s, "nobody.listens", "x", FANOUT_UNTIL_TAKEN, &l), CORE_ERROR_NONE);
}

static void test_a_stream_has_it_once_or_refuses(void **state) {
    scene *s = *state;
    letter l;
    stream_make(s, "SHOP", "stored.*", 1500);
    for (int i = 0; i < 2; i++) {
        letter_init(&l, "stored.a", "x", FANOUT_UNTIL_TAKEN);
        l.dispatch.id = "same";
        assert_int_equal(say(s, &l), CORE_ERROR_NONE);
    }
    assert_int_equal(stream_messages(s, "SHOP"), 1);
    char large[1900];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    core_error_code code = say_text(s, "stored.a", large, FANOUT_UNTIL_TAKEN, &l);
    assert_int_equal(code, CORE_ERROR_FULL);
    assert_int_equal(say_text(s, "stored.b", "x", FANOUT_UNTIL_STORED, &l), CORE_ERROR_NONE);
    assert_int_equal(say_text(s, "no.stream", "x", FANOUT_UNTIL_STORED, &l), CORE_ERROR_TRANSIENT);
    assert_non_null(strstr(l.error.text, "no stream takes no.stream"));
}

static void test_a_fenced_one_is_stored_once(void **state) {
    scene *s = *state;
    letter l;
    stream_make(s, "RUNS", "runs.*", 100000);
    for (int i = 0; i < 2; i++) {
        letter_init(&l, "runs.r1", "x", FANOUT_UNTIL_STORED);
        l.dispatch.is_fenced = true;
        assert_int_equal(say(s, &l), i == 0 ? CORE_ERROR_NONE : CORE_ERROR_CONFLICT);
    }
    assert_int_equal(stream_messages(s, "RUNS"), 1);
}

static void on_request(natsConnection *nats, natsSubscription *subscription, natsMsg *message,
                       void *closure) {
    (void)subscription;
    (void)closure;
    natsMsg *answer = NULL;
    const char *subject = natsMsg_GetSubject(message);
    if (strcmp(subject, "ask.silent") != 0) {
        assert_int_equal(natsMsg_Create(&answer, natsMsg_GetReply(message), NULL, "pong", 4),
                         NATS_OK);
        if (strcmp(subject, "ask.bad") == 0) {
            (void)natsMsgHeader_Set(answer, "Nats-Service-Error-Code", "409");
            (void)natsMsgHeader_Set(answer, "Nats-Service-Error", "no such order");
        }
        assert_int_equal(natsConnection_PublishMsg(nats, answer), NATS_OK);
        natsMsg_Destroy(answer);
    }
    natsMsg_Destroy(message);
}

static void test_requests(void **state) {
    scene *s = *state;
    letter l;
    natsSubscription *service = NULL;
    assert_int_equal(natsConnection_Subscribe(&service, s->nats, "ask.*", on_request, NULL),
                     NATS_OK);
    assert_int_equal(natsConnection_Flush(s->nats), NATS_OK);
    assert_int_equal(say_text(s, "ask.good", "ping", FANOUT_UNTIL_ANSWERED, &l), CORE_ERROR_NONE);
    assert_string_equal(l.answer, "pong");
    assert_int_equal(say_text(s, "ask.bad", "ping", FANOUT_UNTIL_ANSWERED, &l), CORE_ERROR_INPUT);
    assert_string_equal(l.error.text, "the service answered with error 409: no such order");
    int64_t began_ms = house_now_ms();
    assert_int_equal(say_text(s, "ask.silent", "ping", FANOUT_UNTIL_ANSWERED, &l),
                     CORE_ERROR_TRANSIENT);
    assert_in_range(house_now_ms() - began_ms, 950, 5000);
    assert_int_equal(say_text(s, "unheard", "ping", FANOUT_UNTIL_ANSWERED, &l),
                     CORE_ERROR_TRANSIENT);
    assert_string_equal(l.error.text, "nobody listens on unheard");
    natsSubscription_Destroy(service);
}

/* The connection is made with the first one; that loses nobody's answer. */
static void test_the_first_waits_while_others_follow(void **state) {
    static const struct timespec step = {.tv_nsec = CORE_NS_PER_MS};
    scene *s = *state;
    letter first, second;
    core_error error = {0};
    natsSubscription *service = NULL;
    int64_t delivered = 0;
    assert_int_equal(natsConnection_Subscribe(&service, s->nats, "ask.*", on_request, NULL),
                     NATS_OK);
    assert_int_equal(natsConnection_Flush(s->nats), NATS_OK);
    letter_init(&first, "ask.silent", "ping", FANOUT_UNTIL_ANSWERED);
    assert_true(fanout_messenger_send(s->messenger, &first.dispatch, &error));
    int64_t deadline_ms = house_now_ms() + WAIT_MS;
    while (delivered == 0) {
        assert_true(house_now_ms() < deadline_ms);
        (void)nanosleep(&step, NULL);
        assert_int_equal(natsSubscription_GetDelivered(service, &delivered), NATS_OK);
    }
    assert_int_equal(say_text(s, "ask.good", "ping", FANOUT_UNTIL_ANSWERED, &second),
                     CORE_ERROR_NONE);
    assert_int_equal(letter_wait(&first), CORE_ERROR_TRANSIENT);
    assert_string_equal(first.error.text, "no answer in time");
    natsSubscription_Destroy(service);
}

static void test_too_large(void **state) {
    scene *s = *state;
    letter l;
    char *text = malloc(9001);
    assert_non_null(text);
    memset(text, 'x', 9000);
    text[9000] = '\0';
    assert_int_equal(say_text(s, "large", text, FANOUT_UNTIL_TAKEN, &l), CORE_ERROR_LIMIT);
    free(text);
}

/* Each ends once; what was told to be stored is there, and it goes on by itself. */
static void test_a_server_that_dies(void **state) {
    enum { COUNT = 2000 };
    scene *s = *state;
    core_error error = {0};
    char ids[COUNT][16];
    size_t stored = 0;
    letter l, *letters = calloc(COUNT, sizeof *letters);
    assert_non_null(letters);
    stream_make(s, "MANY", "many.*", 10000000);
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "m%zu", i);
        letter_init(&letters[i], "many.a", "x", FANOUT_UNTIL_TAKEN);
        letters[i].dispatch.id = ids[i];
        assert_true(fanout_messenger_send(s->messenger, &letters[i].dispatch, &error));
        if (i == COUNT / 2)
            nats_server_restart(&s->house.server);
    }
    for (size_t i = 0; i < COUNT; i++)
        stored += letter_wait(&letters[i]) == CORE_ERROR_NONE;
    int64_t deadline_ms = house_now_ms() + WAIT_MS;
    while (say_text(s, "many.a", "y", FANOUT_UNTIL_TAKEN, &l) != CORE_ERROR_NONE)
        assert_true(house_now_ms() < deadline_ms);
    while (natsConnection_Status(s->nats) != NATS_CONN_STATUS_CONNECTED)
        assert_true(house_now_ms() < deadline_ms);
    assert_true(stream_messages(s, "MANY") > stored);
    free(letters);
}

static void test_a_stop_ends_all(void **state) {
    scene *s = *state;
    core_error error = {0};
    letter l;
    natsSubscription *silent = NULL;
    natsMsg *heard = NULL;
    assert_int_equal(natsConnection_SubscribeSync(&silent, s->nats, "silent"), NATS_OK);
    assert_int_equal(natsConnection_Flush(s->nats), NATS_OK);
    letter_init(&l, "silent", "x", FANOUT_UNTIL_ANSWERED);
    l.dispatch.timeout_ms = 60000;
    assert_true(fanout_messenger_send(s->messenger, &l.dispatch, &error));
    assert_int_equal(natsSubscription_NextMsg(&heard, silent, WAIT_MS), NATS_OK);
    natsMsg_Destroy(heard);
    fanout_messenger_stop(s->messenger);
    assert_int_equal(letter_wait(&l), CORE_ERROR_TRANSIENT);
    letter_init(&l, "silent", "x", FANOUT_UNTIL_TAKEN);
    assert_false(fanout_messenger_send(s->messenger, &l.dispatch, &error));
    natsSubscription_Destroy(silent);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_server_has_it_and_who_listens_hears_it, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_a_stream_has_it_once_or_refuses, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_a_fenced_one_is_stored_once, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_requests, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_the_first_waits_while_others_follow, scene_open,
                                        scene_close),
        cmocka_unit_test_setup_teardown(test_too_large, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_a_server_that_dies, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(test_a_stop_ends_all, scene_open, scene_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
