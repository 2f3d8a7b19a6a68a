/* What the load programs share: the clock, numbers from arguments, and timed samples.
 *
 * Generator and readers run on one machine and stamp with the same clock, so that the difference of
 * two programs' stamps is a latency. A sample is a row's id and the time that belongs to it;
 * samples are kept in memory while a program measures and printed when it is done, one `id time
 * [time]` a line. Failures end the program with one line that says what was tried. */
#ifndef WALCAST_BENCH_SAMPLES_H
#define WALCAST_BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

/* Microseconds since 1970, by the clock that all processes on the machine share. */
int64_t bench_now_us(void);

/* Prints "PROGRAM: ..." on stderr and exits with 1. */
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The whole text as a decimal number within [least, most], else it fails naming `what`. */
int64_t bench_number(const char *what, const char *text, int64_t least, int64_t most);

/* Finds `name` in text and reads the decimal number right behind it. False when either is missing.
 * `length` bounds the search; the text needs no NUL. */
int bench_number_after(const char *text, size_t length, const char *name, int64_t *number);

/* Received rows, in order of arrival; ids from 1 to `capacity`, each counted once. */
typedef struct {
    int64_t *received_us; /* by id - 1; 0: not yet */
    size_t capacity;
    size_t count;
} bench_arrivals;

void bench_arrivals_init(bench_arrivals *arrivals, size_t capacity);
/* Notes the row; fails on an id outside the range or seen before: a measure of a wrong stream is
 * none. Returns how many are still missing. */
size_t bench_arrivals_add(bench_arrivals *arrivals, int64_t id, int64_t received_us);
/* Prints a line for each id in order, `id received_us`, with a time of each of `count` arrivals of
 * one capacity, and frees what they hold. */
void bench_arrivals_finish(bench_arrivals *arrivals, size_t count);

#endif
