/* What the search index's dictionary costs: memory, building it, and a look-up of each kind.
 *
 *     micro_terms [FILE]
 *
 * FILE has a word a line (say, those of a corpus); without it 200,000 words are made up of
 * syllables. Each look-up is of a word of the dictionary with a letter changed. Processor time of
 * one core, so that what else runs does not count. */
#include "search-index/terms.h"

#include "../../tests/unit/search-index/random_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TERMS = 200000, LOOK_UPS = 2000, MATCHES = 150 };

static int64_t times_ns[LOOK_UPS];

static int64_t now_ns(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0)
        exit(1);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void terms_read(search_terms *terms, FILE *file) {
    char line[1024];
    while (fgets(line, sizeof line, file) != NULL)
        if (!search_terms_add(terms, core_slice_make(line, strcspn(line, "\n")), 1))
            exit(1);
}

static void terms_make(search_terms *terms) {
    char text[32];
    uint64_t seed = 7;
    while (search_terms_count(terms) < TERMS)
        if (!search_terms_add(terms, random_spoken(&seed, text), 1))
            exit(1);
}

static int time_compare(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* All terms, in an array to choose from. */
static size_t terms_list(const search_terms *terms, search_term_match **list) {
    size_t count = search_terms_count(terms);
    *list = calloc(count, sizeof **list);
    if (*list == NULL)
        exit(1);
    search_terms_total total;
    return search_terms_prefix(terms, core_slice_text(""), *list, count, &total);
}

static void measure(const search_terms *terms, unsigned distance, bool is_prefix, size_t letters) {
    search_term_match out[MATCHES];
    search_term_match *list;
    size_t count = terms_list(terms, &list);
    uint64_t seed = 11;
    size_t found = 0;
    for (size_t i = 0; i < LOOK_UPS; i++) {
        char word[SEARCH_TERM_BYTES_MAX];
        core_slice text;
        do
            text = list[random_below(&seed, count)].text;
        while (text.length < letters);
        if (is_prefix)
            text.length = letters;
        memcpy(word, text.data, text.length);
        word[1 + random_below(&seed, text.length - 1)] = 'x';
        search_typo typo = {.word = core_slice_make(word, text.length),
                            .distance_max = distance,
                            .is_prefix = is_prefix};
        int64_t began = now_ns();
        found += search_terms_near(terms, &typo, out, MATCHES);
        times_ns[i] = now_ns() - began;
    }
    free(list);
    qsort(times_ns, LOOK_UPS, sizeof *times_ns, time_compare);
    (void)printf("distance %u%s, %zu letters%s: p50 %.3f ms, p99 %.3f ms, %.1f found\n", distance,
                 is_prefix ? " of a beginning" : "", letters, is_prefix ? "" : " or more",
                 (double)times_ns[LOOK_UPS / 2] / 1e6, (double)times_ns[LOOK_UPS * 99 / 100] / 1e6,
                 (double)found / LOOK_UPS);
}

int main(int argc, char **argv) {
    FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
    search_terms *terms = search_terms_new();
    if (terms == NULL || (argc > 1 && file == NULL))
        return 1;
    int64_t began = now_ns();
    if (file != NULL)
        terms_read(terms, file);
    else
        terms_make(terms);
    (void)printf("%u terms, %.2f MB, built in %.0f ms\n", search_terms_count(terms),
                 (double)search_terms_bytes(terms) / 1e6, (double)(now_ns() - began) / 1e6);
    measure(terms, 1, false, 5);
    measure(terms, 2, false, 8);
    measure(terms, 1, true, 4);
    measure(terms, 1, true, 6);
    measure(terms, 2, true, 8);
    search_terms_free(terms);
    if (file != NULL && fclose(file) != 0)
        return 1;
    return 0;
}
