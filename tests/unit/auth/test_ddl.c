/* DDL that the stream tells of: when looks count behind it. */
#include "auth/ddl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static auth_ddl_view view_of(const char *snapshot, uint32_t holding, uint32_t waiting) {
    auth_ddl_view view = {.holding = {.length = 0}};
    core_error error = {.code = CORE_ERROR_NONE};
    assert_true(core_visibility_read(core_slice_text(snapshot), &view.visibility, &error));
    if (holding != 0)
        assert_true(core_xid_set_add(&view.holding, holding));
    if (waiting != 0)
        assert_true(core_xid_set_add(&view.waiting, waiting));
    return view;
}

/* Whether all is seen now and was not before. */
static bool take(auth_ddl *ddl, const char *snapshot, uint32_t holding, int64_t now_ms) {
    auth_ddl_view view = view_of(snapshot, holding, 0);
    bool done = auth_ddl_take(ddl, &view, ddl->renewals, now_ms);
    assert_int_equal(view.visibility.running.length, 0);
    auth_ddl_view_fini(&view);
    return done;
}

static void a_view_that_sees_it_ends_the_wait(void **state) {
    (void)state;
    auth_ddl ddl = {.number = 0};
    assert_false(auth_ddl_waits(&ddl));
    assert_int_equal(auth_ddl_since_ms(&ddl), 0);
    auth_ddl_tell(&ddl, 100, 1000);
    auth_ddl_tell(&ddl, 100, 1010); /* a statement more of it */
    assert_int_equal(ddl.unseen_count, 1);
    assert_int_equal(auth_ddl_since_ms(&ddl), 1000);
    assert_false(take(&ddl, "90:120:95,100", 0, 1020));
    assert_true(auth_ddl_waits(&ddl));
    assert_int_equal(auth_ddl_since_ms(&ddl), 1000);
    assert_true(take(&ddl, "95:130:95", 0, 1040));
    assert_false(auth_ddl_waits(&ddl));
    assert_int_equal(ddl.number, 2);
    assert_int_equal(ddl.wanted, 2);
    auth_ddl_fini(&ddl);
}

/* Seen, but other sessions' caches may not have heard of it. */
static void one_that_holds_its_lock_is_not_seen(void **state) {
    (void)state;
    auth_ddl ddl = {.number = 0};
    auth_ddl_tell(&ddl, 100, 1000);
    assert_false(take(&ddl, "110:110:", 100, 1001));
    assert_true(take(&ddl, "110:110:", 0, 1002));
    auth_ddl_fini(&ddl);
}

/* A backlog of DDL that one view shows costs no further one. */
static void what_the_last_view_shows_needs_no_other(void **state) {
    (void)state;
    auth_ddl ddl = {.number = 0};
    assert_false(take(&ddl, "500:600:550", 0, 1000));
    assert_int_equal(ddl.wanted, 0);
    auth_ddl_tell(&ddl, 400, 1001);
    auth_ddl_tell(&ddl, 540, 1002);
    assert_false(auth_ddl_waits(&ddl));
    assert_int_equal(ddl.wanted, 1);
    auth_ddl_tell(&ddl, 550, 1003);
    assert_true(auth_ddl_waits(&ddl));
    assert_true(take(&ddl, "600:600:", 0, 1004));
    auth_ddl_tell(&ddl, 590, 1004 + AUTH_DDL_VIEW_MS); /* too old to be asked */
    assert_true(auth_ddl_waits(&ddl));
    auth_ddl_fini(&ddl);
}

static void ids_come_round(void **state) {
    (void)state;
    auth_ddl ddl = {.number = 0};
    auth_ddl_tell(&ddl, UINT32_MAX - 1, 1000);
    auth_ddl_tell(&ddl, 5, 1001);
    assert_false(take(&ddl, "4294967290:4294967300:4294967301", 0, 1002)); /* up to 2^32 + 4 */
    assert_int_equal(ddl.unseen_count, 1);
    assert_int_equal(ddl.unseen[0].xid, 5);
    assert_true(take(&ddl, "4294967302:4294967302:", 0, 1003));
    auth_ddl_fini(&ddl);
}

static void more_than_there_is_room_for_waits_for_all_that_is_as_old(void **state) {
    (void)state;
    auth_ddl ddl = {.number = 0};
    for (uint32_t i = 0; i <= AUTH_DDL_UNSEEN_MAX + 10; i++)
        auth_ddl_tell(&ddl, 1000 + i, 1000 + i);
    uint32_t last = 1000 + AUTH_DDL_UNSEEN_MAX + 10;
    assert_true(ddl.crowded);
    assert_int_equal(ddl.crowd.xid, last);
    assert_int_equal(auth_ddl_since_ms(&ddl), 1000);
    assert_false(take(&ddl, "1100:5000:1100", 0, 3000));
    assert_false(take(&ddl, "2000:5000:2000", last, 3001));
    assert_false(take(&ddl, "2000:5000:2000", 900, 3002)); /* an older one may be among them */
    assert_true(take(&ddl, "2000:5000:2000", 2000, 3003));
    auth_ddl_fini(&ddl);
}

/* Of the stream that was not read nothing is known but what waits for a standby still. */
static void a_renewal_takes_a_view_from_behind_it(void **state) {
    (void)state;
    auth_ddl ddl = {.number = 0};
    assert_false(take(&ddl, "100:100:", 0, 1000));
    uint64_t renewals = ddl.renewals;
    auth_ddl_renew(&ddl, 2000);
    assert_int_equal(auth_ddl_since_ms(&ddl), 2000);
    auth_ddl_view early = view_of("100:100:", 0, 0);
    assert_false(auth_ddl_take(&ddl, &early, renewals, 2001)); /* was asked for before */
    assert_true(auth_ddl_waits(&ddl));
    auth_ddl_view view = view_of("100:110:105,107", 105, 107);
    assert_false(auth_ddl_take(&ddl, &view, ddl.renewals, 2002));
    assert_int_equal(ddl.unseen_count, 1);
    assert_int_equal(ddl.unseen[0].xid, 107);
    assert_true(take(&ddl, "105:110:105", 105, 2003));
    assert_int_equal(ddl.wanted, ddl.number);
    auth_ddl_fini(&ddl);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_that_sees_it_ends_the_wait),
        cmocka_unit_test(one_that_holds_its_lock_is_not_seen),
        cmocka_unit_test(what_the_last_view_shows_needs_no_other),
        cmocka_unit_test(ids_come_round),
        cmocka_unit_test(more_than_there_is_room_for_waits_for_all_that_is_as_old),
        cmocka_unit_test(a_renewal_takes_a_view_from_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
