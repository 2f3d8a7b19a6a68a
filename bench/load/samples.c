/* The clock, arguments and samples of the load programs; see samples.h. */
#include "bench/load/samples.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t bench_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void bench_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

int64_t bench_number(const char *what, const char *text, int64_t least, int64_t most) {
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < least || number > most)
        bench_fail("%s is \"%s\", expected a number from %lld to %lld", what, text,
                   (long long)least, (long long)most);
    return number;
}

int bench_number_after(const char *text, size_t length, const char *name, int64_t *number) {
    const char *end = text + length;
    const char *at = memmem(text, length, name, strlen(name));
    if (at == NULL)
        return 0;
    at += strlen(name);
    const char *first = at;
    int64_t value = 0;
    while (at < end && *at >= '0' && *at <= '9' && at - first < 18)
        value = value * 10 + (*at++ - '0');
    *number = value;
    return at > first;
}

void bench_arrivals_init(bench_arrivals *arrivals, size_t capacity) {
    *arrivals = (bench_arrivals){.capacity = capacity};
    arrivals->received_us = calloc(capacity, sizeof arrivals->received_us[0]);
    if (arrivals->received_us == NULL)
        bench_fail("no memory for %zu samples", capacity);
}

size_t bench_arrivals_add(bench_arrivals *arrivals, int64_t id, int64_t received_us) {
    if (id < 1 || (uint64_t)id > arrivals->capacity)
        bench_fail("row %lld came, expected 1 to %zu", (long long)id, arrivals->capacity);
    if (arrivals->received_us[id - 1] != 0)
        bench_fail("row %lld came twice", (long long)id);
    arrivals->received_us[id - 1] = received_us;
    return arrivals->capacity - ++arrivals->count;
}

void bench_arrivals_finish(bench_arrivals *arrivals, size_t count) {
    for (size_t index = 0; index < arrivals[0].capacity; index++) {
        printf("%zu", index + 1);
        for (size_t each = 0; each < count; each++)
            printf(" %lld", (long long)arrivals[each].received_us[index]);
        putchar('\n');
    }
    for (size_t each = 0; each < count; each++)
        free(arrivals[each].received_us);
}
