/* A bar on standard error for what takes long; nothing when that is no terminal. */
#ifndef WALCAST_CLI_PROGRESS_H
#define WALCAST_CLI_PROGRESS_H

#include "core/core.h"

typedef struct {
    bool shown; /* standard error is a terminal */
    bool drawn;
    int64_t started_ms;
    uint64_t first; /* done before we began to look */
    bool begun;
} cli_progress;

cli_progress cli_progress_make(void);
/* `expected` 0: not known. `what`: "rows". At most as often as it is called. */
void cli_progress_draw(cli_progress *progress, uint64_t done, uint64_t expected, const char *what);
/* Ends the line, if one was drawn. */
void cli_progress_end(cli_progress *progress);

/* 1234567 as "1.23 M". */
#define CLI_COUNT_TEXT_SIZE 24
void cli_count_format(double count, char text[CLI_COUNT_TEXT_SIZE]);

#endif
