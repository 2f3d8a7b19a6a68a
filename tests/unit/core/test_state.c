/* State machines: allowed moves move, any other one stops the process with both names. */
#include "core/core.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { IDLE, OPEN, CLOSED, STATES };

static const core_state_row rows[STATES] = {
    [IDLE] = {"idle", CORE_STATE_BIT(OPEN)},
    [OPEN] = {"open", CORE_STATE_BIT(CLOSED) | CORE_STATE_BIT(OPEN)},
    [CLOSED] = {"closed", 0},
};

static void allowed_moves_move(void **state) {
    (void)state;
    core_state machine;
    core_state_init(&machine, "test", rows, STATES, IDLE);
    assert_string_equal(core_state_name(&machine), "idle");
    core_state_move(&machine, OPEN);
    core_state_move(&machine, OPEN);
    core_state_move(&machine, CLOSED);
    assert_string_equal(core_state_name(&machine), "closed");
}

/* In a process of its own, with its standard error in `text`. */
static int move_in_child(unsigned from, unsigned next, char *text, size_t size) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(ends[1], STDERR_FILENO);
        core_state machine;
        core_state_init(&machine, "test", rows, STATES, from);
        core_state_move(&machine, next);
        _exit(0);
    }
    (void)close(ends[1]);
    ssize_t got = read(ends[0], text, size - 1);
    text[got > 0 ? got : 0] = '\0';
    (void)close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void other_moves_stop_the_process(void **state) {
    (void)state;
    char text[512];
    int status = move_in_child(IDLE, CLOSED, text, sizeof text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "test may not go from idle to closed"));
    status = move_in_child(CLOSED, OPEN, text, sizeof text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    status = move_in_child(IDLE, OPEN, text, sizeof text);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allowed_moves_move),
        cmocka_unit_test(other_moves_stop_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
