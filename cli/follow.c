/* See follow.h. */
#include "cli/follow.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define FOLLOW_MAGIC 0x7a117a11u

cli_follow cli_follow_make(void) {
    return (cli_follow){.magic = FOLLOW_MAGIC, .signal_fd = -1, .end_fd = -1};
}

bool cli_follow_read(cli_follow *follow, const cli_arguments *arguments, core_error *error) {
    const char *from = cli_value(arguments, "--from");
    const char *until = cli_value(arguments, "--until");
    follow->until_now = until != NULL;
    if (until != NULL && strcmp(until, "now") != 0)
        return core_error_set(error, CORE_ERROR_INPUT, "--until %s: expected now", until);
    return tail_place_parse(from != NULL ? from : "now", &follow->place, error);
}

/* The signals are blocked before the library starts its threads, so that they come here only. */
bool cli_follow_open(cli_follow *follow, const core_config *config, const char *name,
                     core_error *error) {
    (void)sigemptyset(&follow->signals);
    (void)sigaddset(&follow->signals, SIGINT);
    (void)sigaddset(&follow->signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &follow->signals, NULL);
    follow->signal_fd = signalfd(-1, &follow->signals, SFD_CLOEXEC);
    follow->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    follow->log = core_log_new(STDERR_FILENO, CORE_LOG_WARN, false, core_clock_system());
    if (follow->signal_fd < 0 || follow->end_fd < 0 || follow->log == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "%s: %s", name, strerror(errno));
    follow->connection = fanout_connection_new(config, name, follow->log, NULL, error);
    return follow->connection != NULL;
}

/* ---- The delivery thread ---- */

static void follow_end(cli_follow *follow, bool failed) {
    follow->ended = true;
    follow->failed = failed;
    core_wake_set(follow->end_fd);
}

static void follow_on_message(void *context, const fanout_message *message) {
    cli_follow *follow = context;
    CORE_MAGIC_CHECK(follow, FOLLOW_MAGIC);
    if (follow->ended)
        return;
    cli_follow_verdict verdict = follow->take(follow->context, message, &follow->error);
    if (verdict != CLI_FOLLOW_ON)
        follow_end(follow, verdict == CLI_FOLLOW_FAILED);
}

static void follow_on_lost(void *context, const core_error *reason) {
    cli_follow *follow = context;
    CORE_MAGIC_CHECK(follow, FOLLOW_MAGIC);
    if (follow->ended)
        return;
    follow->error = *reason;
    follow_end(follow, true);
}

/* ---- The main thread ---- */

/* Until the delivery thread ends it, a signal comes (a second one then kills), or nobody reads any
 * more, which a pipe tells without a write. */
static void follow_wait(cli_follow *follow) {
    struct pollfd waits[] = {{.fd = follow->end_fd, .events = POLLIN},
                             {.fd = follow->signal_fd, .events = POLLIN},
                             {.fd = STDOUT_FILENO}};
    while (poll(waits, CORE_COUNT_OF(waits), -1) < 0 && errno == EINTR)
        ;
    struct signalfd_siginfo taken;
    if ((waits[1].revents & POLLIN) != 0 &&
        read(follow->signal_fd, &taken, sizeof taken) == (ssize_t)sizeof taken)
        (void)sigprocmask(SIG_UNBLOCK, &follow->signals, NULL);
}

bool cli_follow_run(cli_follow *follow, fanout_ordered_spec *spec, cli_follow_handler take,
                    void *context, core_error *error) {
    follow->take = take;
    follow->context = context;
    spec->on_message = follow_on_message;
    spec->on_lost = follow_on_lost;
    spec->context = follow;
    fanout_ordered *consumer = fanout_ordered_new(follow->connection, spec, follow->log, error);
    if (consumer == NULL)
        return false;
    follow_wait(follow);
    fanout_ordered_free(consumer);
    if (follow->failed)
        *error = follow->error;
    return !follow->failed;
}

void cli_follow_close(cli_follow *follow) {
    fanout_connection_free(follow->connection);
    core_log_free(follow->log);
    if (follow->signal_fd >= 0)
        (void)close(follow->signal_fd);
    if (follow->end_fd >= 0)
        (void)close(follow->end_fd);
}
