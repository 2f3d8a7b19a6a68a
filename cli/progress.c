/* See progress.h. The rate is since the first look, not since the beginning of what is looked at.
 */
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

enum { BAR_WIDTH = 30 };

cli_progress cli_progress_make(void) {
    return (cli_progress){.shown = isatty(STDERR_FILENO) == 1};
}

void cli_count_format(double count, char text[CLI_COUNT_TEXT_SIZE]) {
    if (count >= 1e9)
        (void)snprintf(text, CLI_COUNT_TEXT_SIZE, "%.2f G", count / 1e9);
    else if (count >= 1e6)
        (void)snprintf(text, CLI_COUNT_TEXT_SIZE, "%.2f M", count / 1e6);
    else if (count >= 1e4)
        (void)snprintf(text, CLI_COUNT_TEXT_SIZE, "%.1f k", count / 1e3);
    else
        (void)snprintf(text, CLI_COUNT_TEXT_SIZE, "%.0f", count);
}

static void bar_print(uint64_t done, uint64_t expected) {
    char bar[BAR_WIDTH + 1];
    uint64_t filled = done < expected ? done * BAR_WIDTH / expected : BAR_WIDTH;
    for (uint64_t i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    uint64_t percent = done < expected ? done * 100 / expected : 100;
    (void)fprintf(stderr, "[%s] %3llu %%  ", bar, (unsigned long long)percent);
}

void cli_progress_draw(cli_progress *progress, uint64_t done, uint64_t expected, const char *what) {
    int64_t now_ms = core_clock_ms(core_clock_system());
    if (!progress->shown)
        return;
    if (!progress->begun) {
        progress->begun = true;
        progress->started_ms = now_ms;
        progress->first = done;
    }
    double seconds = (double)(now_ms - progress->started_ms) / 1000;
    double rate = seconds > 0 ? (double)(done - progress->first) / seconds : 0;
    char count[CLI_COUNT_TEXT_SIZE];
    char speed[CLI_COUNT_TEXT_SIZE];
    cli_count_format((double)done, count);
    cli_count_format(rate, speed);
    (void)fputs("\r\033[K", stderr);
    if (expected > 0)
        bar_print(done, expected);
    (void)fprintf(stderr, "%s %s, %s/s", count, what, speed);
    if (expected > done && rate > 0) {
        uint64_t left_s = (uint64_t)((double)(expected - done) / rate);
        (void)fprintf(stderr, ", %llu:%02llu left", (unsigned long long)(left_s / 60),
                      (unsigned long long)(left_s % 60));
    }
    (void)fflush(stderr);
    progress->drawn = true;
}

void cli_progress_end(cli_progress *progress) {
    if (progress->drawn)
        (void)fputc('\n', stderr);
    progress->drawn = false;
}
