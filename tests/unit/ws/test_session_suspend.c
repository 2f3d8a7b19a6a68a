/* Where a suspended member stands: behind exactly what it was sent, wherever in the thread's
 * deliveries it was suspended. The hub is played by the test. */
#include "ws/session_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define EPOCH "h60zr96jkf8mncp1"

typedef struct {
    ws_shared shared;
    ws_service service;
    ws_member member;
    unsigned sent;
    bool is_crowded;
    unsigned joined, sees, lives, resets;
    char offset[CORE_OFFSET_TEXT_SIZE];
} house;

static house *house_of(ws_member *member) {
    return (house *)(void *)((char *)member - offsetof(house, member));
}

static void on_send(ws_member *member, core_block *frame, ws_row *row) {
    (void)frame;
    (void)row;
    house_of(member)->sent++;
}

static void on_joined(ws_member *member) {
    house_of(member)->joined++;
}

static void on_sees(ws_member *member) {
    house_of(member)->sees++;
}

static void on_live(ws_member *member, const char *offset) {
    house *it = house_of(member);
    it->lives++;
    (void)snprintf(it->offset, sizeof it->offset, "%s", offset);
}

static void on_reset(ws_member *member, const char *reason) {
    (void)reason;
    house_of(member)->resets++;
}

static bool on_crowded(ws_member *member) {
    return house_of(member)->is_crowded;
}

static const ws_member_owner owner = {.send = on_send,
                                      .joined = on_joined,
                                      .sees = on_sees,
                                      .live = on_live,
                                      .refused = on_reset,
                                      .reset = on_reset,
                                      .crowded = on_crowded};

static bool next_command(house *it, ws_command *command) {
    if (!core_ring_pop(ws_session_commands(&it->service, 0), command))
        return false;
    if (command->kind == WS_COMMAND_JOIN)
        ws_subscription_free(command->subscription);
    return true;
}

static void deliver(house *it, ws_delivery delivery) {
    delivery.block = core_block_copy(core_slice_text("frame"));
    assert_true(core_ring_push(ws_session_ring(&it->service, 0), &delivery));
    ws_session_deliveries(&it->service);
}

static ws_subscription *subscription(void) {
    ws_subscription *it = calloc(1, sizeof *it);
    assert_non_null(it);
    it->references = 1;
    return it;
}

static void answer(house *it, uint32_t class_id, bool live, ws_place place) {
    ws_delivery joined = {.kind = WS_DELIVERY_JOINED,
                          .live = live,
                          .class_id = class_id,
                          .room_id = 1,
                          .presence_id = 2,
                          .member = it->member.handle,
                          .attempt = it->member.attempt,
                          .rights = ~0u,
                          .place = place,
                          .epoch = EPOCH};
    deliver(it, joined);
}

static void frame(house *it, uint32_t class_id, bool live, bool partial, ws_place place) {
    deliver(it, (ws_delivery){.kind = WS_DELIVERY_FRAME,
                              .live = live,
                              .partial = partial,
                              .class_id = class_id,
                              .place = place});
}

static void hear(house *it, ws_delivery_kind kind, uint32_t room_id) {
    deliver(it, (ws_delivery){.kind = kind, .room_id = room_id});
}

/* A live member, of class 7, behind 10.MAX. */
static house *house_new(void) {
    house *it = calloc(1, sizeof *it);
    core_error error = {.text = ""};
    ws_command command;
    assert_non_null(it);
    it->service.shared = &it->shared;
    it->service.metrics = core_metrics_new();
    it->service.clock = core_clock_system();
    assert_true(ws_session_table_new(&it->service, &error));
    ws_member_init(&it->member, &owner, NULL);
    assert_true(ws_session_table_join(&it->service, &it->member, subscription()));
    assert_true(next_command(it, &command));
    answer(it, 7, true, (ws_place){10, UINT32_MAX});
    assert_int_equal(it->lives, 1);
    return it;
}

static void house_free(house *it) {
    ws_command command;
    ws_session_table_leave(&it->service, &it->member);
    while (next_command(it, &command)) {
    }
    ws_session_tables_free(&it->service);
    core_metrics_free(it->service.metrics);
    free(it);
}

static void suspend(house *it, uint64_t sequence, uint32_t index) {
    assert_true(ws_session_table_suspend(&it->service, &it->member, true));
    assert_int_equal(it->member.after.sequence, sequence);
    assert_int_equal(it->member.after.index, index);
    assert_string_equal(it->member.after.epoch, EPOCH);
}

/* The next command is a leave of this class and room. */
static void leaves(house *it, uint32_t class_id, uint32_t room_id) {
    ws_command command;
    assert_true(next_command(it, &command));
    assert_int_equal(command.kind, WS_COMMAND_LEAVE);
    assert_int_equal(command.class_id, class_id);
    assert_int_equal(command.room_id, room_id);
    assert_int_equal(command.member, 0); /* it stays present */
}

/* Asked for anew: the next command is a join behind that place. */
static void resumes(house *it, uint64_t sequence, uint32_t index) {
    ws_command command;
    assert_true(ws_session_table_rejoin(&it->service, &it->member, subscription()));
    assert_true(next_command(it, &command));
    assert_int_equal(command.kind, WS_COMMAND_JOIN);
    assert_int_equal(command.since.sequence, sequence);
    assert_int_equal(command.since.index, index);
    assert_string_equal(command.since.epoch, EPOCH);
}

static void nothing_is_heard_and_the_place_is_kept(void **state) {
    (void)state;
    house *it = house_new();
    frame(it, 7, true, false, (ws_place){11, 0});
    assert_int_equal(it->sent, 1);
    suspend(it, 11, 0);
    leaves(it, WS_GROUP_NONE, 1);
    hear(it, WS_DELIVERY_BROADCAST, 1);
    hear(it, WS_DELIVERY_PRESENCE, 2);
    deliver(it, (ws_delivery){.kind = WS_DELIVERY_DIRECT, .member = it->member.handle});
    deliver(it, (ws_delivery){.kind = WS_DELIVERY_CUT, .class_id = 7});
    frame(it, 7, true, false, (ws_place){.sequence = 0});
    frame(it, 7, true, false, (ws_place){11, 1});
    leaves(it, 7, WS_GROUP_NONE);
    frame(it, 7, true, false, (ws_place){12, 0});
    assert_int_equal(it->sent, 1);
    assert_int_equal(it->resets, 0);
    resumes(it, 11, 0);
    answer(it, 8, false, (ws_place){.sequence = 0});
    assert_int_equal(it->sees, 2); /* it is told anew who is there */
    frame(it, 8, false, false, (ws_place){11, 0});
    frame(it, 8, false, false, (ws_place){11, 1});
    frame(it, 8, false, false, (ws_place){12, 0});
    assert_int_equal(it->sent, 3);
    answer(it, 9, true, (ws_place){12, UINT32_MAX});
    assert_int_equal(it->lives, 2);
    assert_string_equal(it->offset, EPOCH "-12.4294967295");
    assert_int_equal(it->joined, 1);
    house_free(it);
}

/* Another class's frame of the change has come, its own has not. */
static void the_rest_of_a_change_comes(void **state) {
    (void)state;
    house *it = house_new();
    frame(it, 3, true, false, (ws_place){11, 4});
    frame(it, 7, true, true, (ws_place){11, 4});
    suspend(it, 11, 4);
    frame(it, 7, true, true, (ws_place){11, 4});
    frame(it, 7, true, false, (ws_place){11, 4});
    assert_int_equal(it->sent, 3);
    leaves(it, WS_GROUP_NONE, 1);
    resumes(it, 11, 4); /* before it has left its class */
    frame(it, 7, true, false, (ws_place){11, 5});
    leaves(it, 7, WS_GROUP_NONE);
    assert_int_equal(it->sent, 3);
    answer(it, 8, false, (ws_place){.sequence = 0});
    frame(it, 8, false, false, (ws_place){11, 4});
    frame(it, 8, false, false, (ws_place){11, 5});
    assert_int_equal(it->sent, 4);
    house_free(it);
}

/* What the thread knows of the stream is further than what it was sent. */
static void the_place_is_the_threads(void **state) {
    (void)state;
    house *it = house_new();
    frame(it, 7, true, false, (ws_place){11, 0});
    frame(it, 3, true, false, (ws_place){20, 1});
    deliver(it,
            (ws_delivery){.kind = WS_DELIVERY_POSITION, .place = {20, UINT32_MAX}, .epoch = EPOCH});
    suspend(it, 20, UINT32_MAX);
    assert_false(it->member.ending);
    house_free(it);
}

/* Who was to come from further on than the stream has keeps that place. */
static void a_place_ahead_is_kept(void **state) {
    (void)state;
    house *it = house_new();
    it->member.after = (core_offset){.epoch = EPOCH, .sequence = 30, .index = 2};
    frame(it, 7, true, false, (ws_place){30, 1});
    suspend(it, 30, 2);
    frame(it, 7, true, false, (ws_place){30, 2});
    assert_int_equal(it->sent, 0);
    house_free(it);
}

static void in_history_a_change_is_sent_whole(void **state) {
    (void)state;
    for (int partial = 0; partial < 2; partial++) {
        house *it = house_new();
        suspend(it, 10, UINT32_MAX);
        leaves(it, WS_GROUP_NONE, 1);
        resumes(it, 10, UINT32_MAX);
        answer(it, 8, false, (ws_place){.sequence = 0});
        leaves(it, 7, WS_GROUP_NONE); /* nothing had come for it */
        frame(it, 8, false, false, (ws_place){11, 0});
        frame(it, 8, false, partial, (ws_place){11, 1});
        suspend(it, 11, partial ? 0 : 1);
        leaves(it, WS_GROUP_NONE, 1);
        frame(it, 8, false, false, partial ? (ws_place){11, 1} : (ws_place){11, 2});
        leaves(it, 8, WS_GROUP_NONE);
        frame(it, 8, false, false, (ws_place){11, 3});
        assert_int_equal(it->sent, partial ? 3 : 2);
        resumes(it, 11, 1);
        house_free(it);
    }
}

/* Live before, and behind again: wherever it stops in its lane, it goes on from there. */
static void who_was_live_before_keeps_its_place_in_a_lane(void **state) {
    (void)state;
    for (int stalls = 0; stalls < 2; stalls++) {
        house *it = house_new();
        core_offset position;
        it->member.lags = true; /* asked of PostgreSQL, say */
        resumes(it, 10, UINT32_MAX);
        answer(it, 8, false, (ws_place){.sequence = 0});
        leaves(it, 7, 1);
        frame(it, 8, false, false, (ws_place){11, 0});
        deliver(it, (ws_delivery){
                        .kind = WS_DELIVERY_POSITION, .place = {20, UINT32_MAX}, .epoch = EPOCH});
        assert_false(ws_session_table_position(&it->service, &it->member, &position));
        it->is_crowded = stalls;
        frame(it, 8, false, false, (ws_place){12, 3});
        assert_int_equal(it->member.stalled, stalls);
        if (stalls == 0)
            suspend(it, 12, 3);
        leaves(it, stalls ? 8 : WS_GROUP_NONE, stalls ? WS_GROUP_NONE : 1);
        if (stalls == 0)
            leaves(it, 8, WS_GROUP_NONE);
        resumes(it, 12, 3);
        answer(it, 9, true, (ws_place){20, UINT32_MAX});
        assert_false(it->member.lags);
        house_free(it);
    }
}

/* Suspended again before the hub has answered, whose answer is undone. */
static void twice(void **state) {
    (void)state;
    house *it = house_new();
    suspend(it, 10, UINT32_MAX);
    leaves(it, WS_GROUP_NONE, 1);
    resumes(it, 10, UINT32_MAX);
    uint32_t asked = it->member.attempt;
    suspend(it, 10, UINT32_MAX);
    deliver(it, (ws_delivery){.kind = WS_DELIVERY_JOINED,
                              .class_id = 8,
                              .room_id = 1,
                              .presence_id = WS_GROUP_NONE,
                              .member = it->member.handle,
                              .attempt = asked});
    leaves(it, 8, 1);
    frame(it, 8, false, false, (ws_place){11, 0});
    assert_int_equal(it->sent, 0);
    resumes(it, 10, UINT32_MAX);
    house_free(it);
}

/* One that follows nothing goes on at the stream's end. */
static void without_bindings_there_is_nothing_to_catch_up_with(void **state) {
    (void)state;
    house *it = house_new();
    ws_command command;
    assert_true(ws_session_table_suspend(&it->service, &it->member, false));
    leaves(it, WS_GROUP_NONE, 1);
    leaves(it, 7, WS_GROUP_NONE);
    assert_true(ws_session_table_rejoin(&it->service, &it->member, subscription()));
    assert_true(next_command(it, &command));
    assert_string_equal(command.since.epoch, "");
    house_free(it);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_heard_and_the_place_is_kept),
        cmocka_unit_test(the_rest_of_a_change_comes),
        cmocka_unit_test(the_place_is_the_threads),
        cmocka_unit_test(a_place_ahead_is_kept),
        cmocka_unit_test(in_history_a_change_is_sent_whole),
        cmocka_unit_test(who_was_live_before_keeps_its_place_in_a_lane),
        cmocka_unit_test(twice),
        cmocka_unit_test(without_bindings_there_is_nothing_to_catch_up_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
