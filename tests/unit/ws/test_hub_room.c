/* Rooms: private and public apart, a part a serializer, counted a thread, numbers given out again.
 */
#include "ws/hub_room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_parts_and_their_numbers(void **state) {
    (void)state;
    hub_rooms rooms;
    hub_rooms_init(&rooms, 2);
    core_slice topic = core_slice_text("realtime:a");
    uint32_t one = hub_rooms_enter(&rooms, topic, 0, WS_PROTOCOL_1, 0);
    uint32_t two = hub_rooms_enter(&rooms, topic, 0, WS_PROTOCOL_2, 1);
    assert_int_equal(hub_rooms_enter(&rooms, topic, 0, WS_PROTOCOL_2, 1), two);
    assert_int_not_equal(one, two);
    hub_room *room = hub_rooms_find(&rooms, topic, 0);
    assert_non_null(room);
    assert_int_equal(room->parts[WS_PROTOCOL_2]->members[1], 2);
    assert_int_equal(room->parts[WS_PROTOCOL_2]->members[0], 0);
    assert_null(hub_rooms_find(&rooms, topic, HUB_ROOM_PRIVATE));
    uint32_t secret = hub_rooms_enter(&rooms, topic, HUB_ROOM_PRIVATE, WS_PROTOCOL_1, 0);
    assert_ptr_not_equal(hub_rooms_find(&rooms, topic, HUB_ROOM_PRIVATE), room);
    hub_rooms_leave(&rooms, secret, 0);
    assert_null(hub_rooms_find(&rooms, topic, HUB_ROOM_PRIVATE));
    hub_rooms_leave(&rooms, two, 1);
    hub_rooms_leave(&rooms, two, 1);
    assert_null(room->parts[WS_PROTOCOL_2]);
    hub_rooms_leave(&rooms, one, 0);
    assert_null(hub_rooms_find(&rooms, topic, 0));
    hub_rooms_leave(&rooms, WS_GROUP_NONE, 0);
    hub_rooms_fini(&rooms);
}

static void test_many_come_and_go(void **state) {
    (void)state;
    hub_rooms rooms;
    static uint32_t in[2000];
    unsigned random = 3;
    hub_rooms_init(&rooms, 3);
    for (size_t i = 0; i < CORE_COUNT_OF(in); i++)
        in[i] = WS_GROUP_NONE;
    for (int step = 0; step < 40000; step++) {
        random = random * 1103515245u + 12345u;
        unsigned at = (random >> 8) % CORE_COUNT_OF(in);
        char topic[32];
        (void)snprintf(topic, sizeof topic, "t%u", at % 300);
        if (in[at] != WS_GROUP_NONE) {
            hub_rooms_leave(&rooms, in[at], at % 3);
            in[at] = WS_GROUP_NONE;
        } else {
            in[at] = hub_rooms_enter(&rooms, core_slice_text(topic), at % 2,
                                     at % 5 == 0 ? WS_PROTOCOL_1 : WS_PROTOCOL_2, at % 3);
            assert_int_not_equal(in[at], WS_GROUP_NONE);
        }
    }
    for (size_t at = 0; at < CORE_COUNT_OF(in); at++)
        hub_rooms_leave(&rooms, in[at], at % 3);
    assert_int_equal(rooms.by_topic.count, 0);
    assert_in_range(rooms.ids.count, 1, 1200);
    hub_rooms_fini(&rooms);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_and_their_numbers),
        cmocka_unit_test(test_many_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
