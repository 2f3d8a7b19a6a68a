/* The circuit breaker by a table of what happens when. */
#include "net/breaker.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* 'a' admit, expecting to be let through; 'w' admit, expecting to wait; 'g', 'b', 's' the word of
 * the request that was let through last; 'G', 'B' of the first one. */
typedef struct {
    const char *what;
    int64_t at_ms;
    net_breaker_state state; /* afterwards */
} step;

typedef struct {
    const char *name;
    step steps[20];
} table;

static const table tables[] = {
    {"failures in a row open it",
     {{"ababa", 0, NET_BREAKER_CLOSED}, {"b", 0, NET_BREAKER_OPEN}, {"w", 50, NET_BREAKER_OPEN}}},
    {"a good word between them does not",
     {{"ababagababab", 0, NET_BREAKER_OPEN}, {"w", 1, NET_BREAKER_OPEN}}},
    {"good words keep it closed", {{"abagabagabagabag", 0, NET_BREAKER_CLOSED}}},
    {"silence is no failure", {{"asasasasasab", 0, NET_BREAKER_CLOSED}}},
    {"one probe after its time, whose good word closes it",
     {{"ababab", 0, NET_BREAKER_OPEN},
      {"a", 100, NET_BREAKER_HALF_OPEN},
      {"w", 100, NET_BREAKER_HALF_OPEN},
      {"w", 150, NET_BREAKER_HALF_OPEN},
      {"g", 160, NET_BREAKER_CLOSED},
      {"aaa", 160, NET_BREAKER_CLOSED}}},
    {"a probe that fails opens it for twice as long",
     {{"ababab", 0, NET_BREAKER_OPEN},
      {"ab", 100, NET_BREAKER_OPEN},
      {"w", 199, NET_BREAKER_OPEN}, /* 100 to 200 */
      {"ab", 300, NET_BREAKER_OPEN},
      {"w", 499, NET_BREAKER_OPEN}, /* 200 to 400 */
      {"ab", 700, NET_BREAKER_OPEN},
      {"w", 899, NET_BREAKER_OPEN}, /* 200 to 400: the maximum */
      {"ag", 1100, NET_BREAKER_CLOSED},
      {"ababab", 1100, NET_BREAKER_OPEN}, /* and from the first time again */
      {"a", 1200, NET_BREAKER_HALF_OPEN}}},
    {"a silent probe gives its place to another",
     {{"ababab", 0, NET_BREAKER_OPEN},
      {"as", 100, NET_BREAKER_HALF_OPEN},
      {"aw", 100, NET_BREAKER_HALF_OPEN},
      {"g", 110, NET_BREAKER_CLOSED}}},
    {"a probe that nobody reports is not waited for for ever",
     {{"ababab", 0, NET_BREAKER_OPEN},
      {"aw", 100, NET_BREAKER_HALF_OPEN},
      {"w", 1099, NET_BREAKER_HALF_OPEN},
      {"a", 1100, NET_BREAKER_HALF_OPEN},
      {"g", 1101, NET_BREAKER_CLOSED}}},
    {"old words are no news",
     {{"aababab", 0, NET_BREAKER_OPEN},
      {"G", 1, NET_BREAKER_OPEN},
      {"a", 100, NET_BREAKER_HALF_OPEN},
      {"G", 101, NET_BREAKER_HALF_OPEN},
      {"B", 102, NET_BREAKER_HALF_OPEN},
      {"g", 103, NET_BREAKER_CLOSED},
      {"BBBB", 104, NET_BREAKER_CLOSED}}},
};

static void step_take(net_breaker *breaker, const table *one, const step *at, uint32_t *first,
                      uint32_t *last, bool *any) {
    for (const char *what = at->what; *what != '\0'; what++) {
        if (*what == 'a' || *what == 'w') {
            uint32_t ticket = 0;
            int64_t wait_ms = net_breaker_admit(breaker, at->at_ms, &ticket);
            if ((wait_ms == 0) != (*what == 'a') || wait_ms < 0)
                fail_msg("%s: at %lld ms a wait of %lld", one->name, (long long)at->at_ms,
                         (long long)wait_ms);
            if (wait_ms == 0)
                *last = ticket;
            if (wait_ms == 0 && !*any)
                *first = ticket;
            *any = true;
            continue;
        }
        bool old = *what == 'G' || *what == 'B';
        net_breaker_word word = (*what | 0x20) == 'g'   ? NET_BREAKER_GOOD
                                : (*what | 0x20) == 'b' ? NET_BREAKER_BAD
                                                        : NET_BREAKER_SILENT;
        net_breaker_report(breaker, old ? *first : *last, word, at->at_ms);
    }
    if (net_breaker_state_of(breaker) != at->state)
        fail_msg("%s: at %lld ms, after %s, it is %s", one->name, (long long)at->at_ms, at->what,
                 core_state_name(&breaker->state));
}

static void every_table_holds(void **state) {
    const net_breaker_spec spec = {
        .failures_max = 3, .open_first_ms = 100, .open_max_ms = 400, .probe_max_ms = 1000};
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(tables); i++)
        for (uint64_t seed = 0; seed < 50; seed++) {
            net_breaker breaker;
            net_breaker_spec seeded = spec;
            uint32_t first = 0, last = 0;
            bool any = false;
            seeded.seed = seed;
            net_breaker_init(&breaker, &seeded);
            for (const step *at = tables[i].steps; at->what != NULL; at++) {
                if (at->what[0] == 'w' && at->state == NET_BREAKER_OPEN &&
                    at->at_ms >= breaker.until_ms)
                    continue; /* jitter let it end before */
                step_take(&breaker, &tables[i], at, &first, &last, &any);
            }
        }
}

/* Between half and all of a step. */
static void the_time_that_it_is_open_has_jitter(void **state) {
    int64_t least = INT64_MAX, most = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        net_breaker breaker;
        uint32_t ticket;
        const net_breaker_spec spec = net_breaker_spec_usual(seed);
        net_breaker_init(&breaker, &spec);
        for (unsigned i = 0; i < spec.failures_max; i++) {
            assert_int_equal(net_breaker_admit(&breaker, 0, &ticket), 0);
            net_breaker_report(&breaker, ticket, NET_BREAKER_BAD, 0);
        }
        int64_t wait_ms = net_breaker_admit(&breaker, 0, &ticket);
        least = wait_ms < least ? wait_ms : least;
        most = wait_ms > most ? wait_ms : most;
    }
    assert_in_range(least, 2500, 2700);
    assert_in_range(most, 4800, 5000);
}

static void every_result_is_a_word(void **state) {
    static const struct {
        net_http_outcome outcome;
        unsigned status;
        net_breaker_word word;
    } cases[] = {
        {NET_HTTP_ANSWERED, 200, NET_BREAKER_GOOD}, {NET_HTTP_ANSWERED, 302, NET_BREAKER_GOOD},
        {NET_HTTP_ANSWERED, 404, NET_BREAKER_GOOD}, {NET_HTTP_ANSWERED, 410, NET_BREAKER_GOOD},
        {NET_HTTP_ANSWERED, 429, NET_BREAKER_GOOD}, {NET_HTTP_ANSWERED, 408, NET_BREAKER_BAD},
        {NET_HTTP_ANSWERED, 500, NET_BREAKER_BAD},  {NET_HTTP_ANSWERED, 503, NET_BREAKER_BAD},
        {NET_HTTP_UNRESOLVED, 0, NET_BREAKER_BAD},  {NET_HTTP_UNREACHABLE, 0, NET_BREAKER_BAD},
        {NET_HTTP_UNTRUSTED, 0, NET_BREAKER_BAD},   {NET_HTTP_TIMED_OUT, 200, NET_BREAKER_BAD},
        {NET_HTTP_BROKEN, 200, NET_BREAKER_BAD},    {NET_HTTP_TOO_LARGE, 200, NET_BREAKER_BAD},
        {NET_HTTP_REFUSED, 0, NET_BREAKER_SILENT},  {NET_HTTP_STOPPED, 0, NET_BREAKER_SILENT},
        {NET_HTTP_FAILED, 0, NET_BREAKER_SILENT},
    };
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(cases); i++) {
        const net_http_result result = {.outcome = cases[i].outcome, .status = cases[i].status};
        if (net_breaker_word_of(&result) != cases[i].word)
            fail_msg("%s %u", net_http_outcome_name(cases[i].outcome), cases[i].status);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_holds),
        cmocka_unit_test(the_time_that_it_is_open_has_jitter),
        cmocka_unit_test(every_result_is_a_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
