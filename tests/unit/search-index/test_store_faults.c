/* What is left when the process or the disk gives up: always exactly what the position says. */
#include "store_world.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

enum { KILLS = 40 };

static void pause_us(uint32_t microseconds) {
    struct timespec time = {.tv_sec = 0, .tv_nsec = (long)microseconds * 1000};
    (void)nanosleep(&time, NULL);
}

/* Indexes from its position on until somebody ends it; a byte down the pipe for each group. */
static void index_for_ever(const world *w, uint64_t seed, int told) {
    core_error error;
    search_backend *backend = world_try(w, w->path, &error);
    if (backend == NULL)
        _exit(3);
    uint64_t at = search_backend_position(backend).change_sequence;
    for (uint64_t random = seed;;) {
        uint64_t count = 1 + world_random(&random) % 60;
        bool is_done;
        if (!world_apply(backend, at + 1, at + count, &error) ||
            !world_commit(backend, at + count, &error))
            _exit(4);
        at += count;
        if (write(told, "", 1) != 1)
            _exit(6);
        if (world_random(&random) % 4 == 0 && !search_backend_upkeep(backend, &is_done, &error))
            _exit(5);
    }
}

static void a_kill_leaves_what_the_position_says(void **state) {
    (void)state;
    world w;
    world_init(&w);
    uint64_t random = 20261128, last = 0, moved = 0;
    for (int kill_number = 0; kill_number < KILLS; kill_number++) {
        int status, told[2];
        char byte;
        assert_int_equal(pipe(told), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            index_for_ever(&w, (uint64_t)kill_number, told[1]);
        (void)close(told[1]);
        /* Somewhere in the opening, or in one of the next groups. */
        for (uint32_t groups = world_random(&random) % 5; groups > 0; groups--)
            assert_int_equal(read(told[0], &byte, 1), 1);
        pause_us(world_random(&random) % 8000);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        (void)close(told[0]);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* not by itself */
        search_backend *backend = world_open(&w, w.path);
        uint64_t at = search_backend_position(backend).change_sequence;
        search_backend_close(backend);
        assert_true(at >= last);
        moved += at > last;
        last = at;
        world_compare(&w, at);
    }
    assert_true(moved > KILLS / 3);
    print_message("%d kills, %llu of them behind new groups, %llu changes in all\n", KILLS,
                  (unsigned long long)moved, (unsigned long long)last);
    world_fini(&w);
}

/* The limit of a file's size is a full disk to whoever writes; SIGXFSZ is not wanted. */
static void a_full_disk_is_told_and_nothing_is_lost(void **state) {
    (void)state;
    world w;
    world_init(&w);
    core_error error = {.code = CORE_ERROR_NONE};
    struct rlimit before, limit;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    search_backend *backend = world_open(&w, w.path);
    uint64_t at = 0, refused = 0;
    for (rlim_t room = 300000; room < 1500000; room += 60000) {
        limit = (struct rlimit){.rlim_cur = room, .rlim_max = before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        for (int i = 0; i < 100; i++) {
            error.code = CORE_ERROR_NONE;
            if (!world_apply(backend, at + 1, at + 50, &error) ||
                !world_commit(backend, at + 50, &error))
                break;
            at += 50;
        }
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        refused += error.code == CORE_ERROR_FULL;
        if (error.code != CORE_ERROR_FULL && error.code != CORE_ERROR_NONE)
            fail_msg("%s", error.text);
        assert_int_equal(search_backend_position(backend).change_sequence, at);
    }
    assert_true(refused > 3);
    assert_true(world_apply(backend, at + 1, at + 50, &error));
    assert_true(world_commit(backend, at + 50, &error));
    search_backend_close(backend);
    world_compare(&w, at + 50);
    print_message("full %llu times, %llu changes in all\n", (unsigned long long)refused,
                  (unsigned long long)at);
    world_fini(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kill_leaves_what_the_position_says),
        cmocka_unit_test(a_full_disk_is_told_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
