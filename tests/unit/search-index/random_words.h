/* Seeded words for the search room's tests: the same seed gives the same words everywhere. */
#ifndef WALCAST_TESTS_UNIT_SEARCH_INDEX_RANDOM_WORDS_H
#define WALCAST_TESTS_UNIT_SEARCH_INDEX_RANDOM_WORDS_H

#include "core/core.h"

/* xorshift64*. The state is not 0. */
static inline size_t random_below(uint64_t *state, size_t limit) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (size_t)((*state * UINT64_C(0x2545F4914F6CDD1D) >> 32) % limit);
}

/* Characters of `letters` (each NUL-terminated), `length` of them, into `out`. */
static inline core_slice random_word(uint64_t *state, const char *const *letters,
                                     size_t letter_count, size_t length, char *out) {
    size_t bytes = 0;
    for (size_t i = 0; i < length; i++)
        for (const char *at = letters[random_below(state, letter_count)]; *at != '\0'; at++)
            out[bytes++] = *at;
    return core_slice_make(out, bytes);
}

/* A word of two to five syllables: about as long, and about as much like one another, as words of
 * a language. `out` holds 32 bytes. */
static inline core_slice random_spoken(uint64_t *state, char *out) {
    static const char *const syllables[] = {
        "ba", "con", "de", "er",  "fi",  "gra", "ho",  "in", "ka",  "lo",   "men", "na",
        "o",  "pro", "re", "sta", "ti",  "u",   "ver", "ex", "ing", "tion", "s",   "che",
        "mo", "lib", "qu", "per", "sub", "y",   "al",  "an", "ted", "dis",  "sys", "wor"};
    return random_word(state, syllables, CORE_COUNT_OF(syllables), 2 + random_below(state, 4), out);
}

#endif
