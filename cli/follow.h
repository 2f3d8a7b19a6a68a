/* What the commands have in common that print a stream until something ends it. Private to cli.
 *
 * An ordered consumer calls back on its own thread, which prints; the main thread waits for the
 * end: that thread says so, a signal, a reader that went away, or an error. */
#ifndef WALCAST_CLI_FOLLOW_H
#define WALCAST_CLI_FOLLOW_H

#include "cli/options.h"
#include "cli/tail.h"

#include <signal.h>

typedef enum { CLI_FOLLOW_ON, CLI_FOLLOW_END, CLI_FOLLOW_FAILED } cli_follow_verdict;

/* On the delivery thread. FAILED with `error` set. */
typedef cli_follow_verdict (*cli_follow_handler)(void *context, const fanout_message *message,
                                                 core_error *error);

typedef struct {
    uint32_t magic;
    core_log *log;
    fanout_connection *connection;
    tail_place place; /* --from */
    bool until_now;   /* --until now */
    sigset_t signals;
    int signal_fd;
    int end_fd; /* readable once the delivery thread has ended it */
    cli_follow_handler take;
    void *context;
    /* Owned by the delivery thread until the consumer is freed. */
    bool ended;
    bool failed;
    core_error error;
} cli_follow;

cli_follow cli_follow_make(void);
/* --from and --until. INPUT error with what was expected. */
CORE_MUST_CHECK bool cli_follow_read(cli_follow *follow, const cli_arguments *arguments,
                                     core_error *error);
/* Connects under that name. No thread may have been started before. */
CORE_MUST_CHECK bool cli_follow_open(cli_follow *follow, const core_config *config,
                                     const char *name, core_error *error);
/* Hands the messages of `spec`, whose handlers it sets, to `take` until the end, of which `ended`
 * then says whether `take` saw it. */
CORE_MUST_CHECK bool cli_follow_run(cli_follow *follow, fanout_ordered_spec *spec,
                                    cli_follow_handler take, void *context, core_error *error);
void cli_follow_close(cli_follow *follow);

#endif
